//! The selection of a disk by name, on the fake machine: exactly one, never one of two, never a member of a larger
//! device.

mod machine;

use std::path::Path;

use dayfly_init::trees::{MEDIA, STATE};
use dayfly_sys::Cause;
use machine::{End, Machine, Node, State, programs, sha256, squashfs};

const MIB: usize = 1 << 20;

fn cmdline(more: &str) -> String {
    let sha256 = sha256(&squashfs(3 << 20));
    format!(
        "root=live:http://10.0.2.2/os.squashfs ip=dhcp rd.timeout=2 panic=-1 dayfly.image.sha256={sha256} {more}"
    )
}

/// Boots, and returns a step of boot.json and the mounts.
fn boot(cmdline: &str, step: &str, prepare: impl FnOnce(&mut State)) -> (serde_json::Value, Vec<String>) {
    let machine = Machine::new(cmdline);
    prepare(&mut machine.state());
    let end = machine.boot();
    assert!(matches!(end, End::Exec(_) | End::Power(_)), "{end:?}");
    let report = machine.report();
    let found = report["steps"].as_array().unwrap().iter().rfind(|row| row["step"] == step);
    (found.unwrap_or_else(|| panic!("no step {step}: {report:#}")).clone(), machine.state().mounts.clone())
}

fn ext4() -> Vec<u8> {
    programs::ext4(MIB, "state")
}

/// An ext4 with these bytes at a distance from its end.
fn ending_in(before: usize, mark: &[u8]) -> Vec<u8> {
    let mut bytes = ext4();
    bytes[MIB - before..MIB - before + mark.len()].copy_from_slice(mark);
    bytes
}

const MD: [u8; 8] = [0xFC, 0x4E, 0x2B, 0xA9, 1, 0, 0, 0];

type Prepare = fn(&mut State);

#[test]
fn a_part_of_something_larger_is_never_mounted() {
    let table: &[(&str, Prepare)] = &[
        // md metadata 1.0 and 0.90, firmware RAID, DRBD: the signature is at the end.
        (
            "/dev/vdb is a member of a larger device, according to the metadata at its end (linux_raid_member)",
            |state| state.attach_disk("vdb", ending_in(8192, &MD)),
        ),
        ("(linux_raid_member)", |state| state.attach_disk("vdb", ending_in(0x1_0000, &MD[..4]))),
        ("(isw_raid_member)", |state| {
            state.attach_disk("vdb", ending_in(1024, b"Intel Raid ISM Cfg Sig. 1.1.00"));
        }),
        ("(ddf_raid_member)", |state| state.attach_disk("vdb", ending_in(512, &[0xDE, 0x11, 0xDE, 0x11]))),
        ("(drbd)", |state| state.attach_disk("vdb", ending_in(4096 - 60, &[0x83, 0x74, 2, 0x6D]))),
        ("/dev/vdb1 is a member of a larger device", |state| {
            state.attach_disk("vdb", vec![0; MIB]);
            state.attach_partition("vdb", "vdb1", 2048, ending_in(8192, &MD));
        }),
        // Another device uses it now.
        ("/dev/vdb is used by md0", |state| {
            state.attach_disk("vdb", ext4());
            state.put(Path::new("/sys/class/block/vdb/holders/md0"), Node::Dir);
        }),
        // The label of an encrypted device is not the label of the file system in it.
        ("/dev/vdb is encrypted (crypto_LUKS)", |state| {
            let mut luks = vec![0; MIB];
            luks[..8].copy_from_slice(b"LUKS\xba\xbe\0\x02");
            luks[24..29].copy_from_slice(b"state");
            state.attach_disk("vdb", luks);
        }),
        ("/dev/vdb is a member of a larger device (linux_raid_member)", |state| {
            let mut raid = vec![0; MIB];
            raid[4096..4104].copy_from_slice(&MD);
            raid[4096 + 32..4096 + 37].copy_from_slice(b"state");
            state.attach_disk("vdb", raid);
        }),
        ("/dev/vdb is one of the 2 devices of a btrfs", |state| {
            let mut btrfs = vec![0; MIB];
            btrfs[0x1_0040..0x1_0048].copy_from_slice(b"_BHRfS_M");
            btrfs[0x1_0088] = 2;
            btrfs[0x1_012B..0x1_0130].copy_from_slice(b"state");
            state.attach_disk("vdb", btrfs);
        }),
        // The remains of a file system from before the disk was partitioned.
        ("/dev/vdb is divided into vdb1", |state| {
            state.attach_disk("vdb", ext4());
            state.attach_partition("vdb", "vdb1", 2048, vec![0; MIB]);
        }),
    ];
    // Requested, not requested, and with the option to create one.
    for more in ["dayfly.state.device=LABEL=state", "", "dayfly.state.create=blank"] {
        for (words, prepare) in table {
            let (step, mounts) = boot(&cmdline(more), "state", |state| {
                prepare(state);
                state.attach_disk("vdz", vec![0; 64 << 20]);
            });
            assert_eq!(step["failure"]["code"], "devices.member", "{more} {words}: {step:#}");
            assert!(step["failure"]["wrong"].as_str().unwrap().contains(words), "{more} {words}: {step:#}");
            assert!(!mounts.contains(&format!("ext4 {}", STATE.root())), "{more} {words}: {mounts:?}");
        }
    }
    // The same for a disk by its device name, for the settings disk and for an image.
    let member: Prepare = |state| state.attach_disk("vdb", ending_in(8192, &MD));
    let (step, _) = boot(&cmdline("dayfly.state.device=/dev/vdb"), "state", member);
    assert_eq!(step["failure"]["code"], "devices.member", "{step:#}");
    let (step, _) = boot(&cmdline("dayfly.config.device=LABEL=state"), "config", member);
    assert_eq!(step["failure"]["code"], "devices.member", "{step:#}");
    let (step, _) = boot("root=live:LABEL=state rd.timeout=2 panic=-1", "find", member);
    assert_eq!(step["failure"]["code"], "devices.member", "{step:#}");
}

#[test]
fn what_is_made_of_members_is_mounted() {
    let (step, _) = boot(&cmdline("dayfly.state.device=LABEL=state"), "state", |state| {
        for disk in ["sda", "sdb"] {
            state.attach_disk(disk, ending_in(8192, &MD));
            state.put(Path::new("/sys/class/block").join(disk).join("holders/md0").as_path(), Node::Dir);
        }
        state.attach_disk("md0", ext4());
    });
    assert_eq!(step["detail"], "ext4 on /dev/md0", "{step:#}");
}

#[test]
fn two_disks_of_one_name_are_refused_with_both_names() {
    let two: Prepare = |state| {
        state.attach_disk("vdc", ext4());
        state.attach_disk("vdd", ext4());
    };
    let table: &[(String, &str)] = &[
        (cmdline("dayfly.state.device=LABEL=state"), "state"),
        (cmdline(""), "state"),
        (cmdline("dayfly.state.create=blank"), "state"),
        (cmdline("dayfly.config.device=LABEL=state dayfly.config.wait=2"), "config"),
        ("root=live:LABEL=state rd.timeout=2 panic=-1".to_owned(), "find"),
    ];
    for (cmdline, name) in table {
        let (step, mounts) = boot(cmdline, name, two);
        assert_eq!(step["failure"]["code"], "devices.ambiguous", "{cmdline}: {step:#}");
        assert_eq!(step["failure"]["wrong"], "2 disks match that name: /dev/vdc, /dev/vdd");
        assert!(!mounts.iter().any(|mount| mount.starts_with("ext4 ")), "{mounts:?}");
    }
}

/// While the boot waits for a disk, two matching disks appear. The first must not be used before the second had time to
/// appear.
#[test]
fn the_second_of_two_may_come_a_moment_later() {
    let more = "dayfly.state.device=LABEL=state dayfly.config.device=none";
    let appears = |name: &str| Some((name.to_owned(), ext4()));
    // The first listing is that of the step `last-boot`, which does not wait.
    let (step, _) = boot(&cmdline(more), "state", |state| {
        state.appearing = [None, None, appears("vdb"), appears("vdc")].into();
    });
    assert_eq!(step["failure"]["wrong"], "2 disks match that name: /dev/vdb, /dev/vdc", "{step:#}");
    let (step, _) = boot(&cmdline(more), "state", |state| {
        state.appearing = [None, None, appears("vdb")].into();
    });
    assert_eq!(step["detail"], "ext4 on /dev/vdb", "{step:#}");
}

/// A disk to which an ISO file was written. Its label is `A B`, and one of its partitions begins at the start of the
/// disk.
fn iso() -> Vec<u8> {
    let mut bytes = vec![0; MIB];
    bytes[0x8000..0x8006].copy_from_slice(b"\x01CD001");
    bytes[0x8000 + 40..0x8000 + 72].fill(b' ');
    bytes[0x8000 + 40..0x8000 + 43].copy_from_slice(b"A B");
    bytes[0x8000 + 813..0x8000 + 829].copy_from_slice(b"2026112712000000");
    bytes
}

#[test]
fn an_iso_on_a_stick_is_one_disk_and_its_label_may_have_blanks() {
    for wanted in ["CDLABEL=A\\x20B", "LABEL=A\\x20B", "/dev/disk/by-label/A\\x20B"] {
        let machine = Machine::new(&format!("root=live:{wanted} rd.timeout=2 panic=-1"));
        {
            let mut state = machine.state();
            state.attach_disk("sdb", iso());
            state.attach_partition("sdb", "sdb1", 0, iso());
            state.attach_partition("sdb", "sdb2", 64, iso());
            let image = Path::new(MEDIA.root()).join("LiveOS/squashfs.img");
            state.put(&image, Node::File(squashfs(3 << 20)));
        }
        assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{wanted}");
        let report = machine.report();
        let step =
            report["steps"].as_array().unwrap().iter().rfind(|row| row["step"] == "find").unwrap().clone();
        assert!(step["detail"].as_str().unwrap().ends_with(" on /dev/sdb"), "{step:#}");
        let state = machine.state();
        assert!(state.modules.iter().any(|module| module.ends_with("/isofs.ko")), "{:?}", state.modules);
        assert!(state.mounts.contains(&format!("iso9660 {}", MEDIA.root())), "{:?}", state.mounts);
    }
    // Two USB sticks with the same file are two disks.
    let (step, _) = boot("root=live:CDLABEL=A\\x20B rd.timeout=2 panic=-1", "find", |state| {
        state.attach_disk("sdb", iso());
        state.attach_partition("sdb", "sdb1", 0, iso());
        state.attach_disk("sdc", iso());
        state.attach_partition("sdc", "sdc1", 0, iso());
    });
    assert_eq!(step["failure"]["wrong"], "2 disks match that name: /dev/sdb, /dev/sdc", "{step:#}");
}

#[test]
fn two_paths_to_one_disk_are_one_disk() {
    let ids: &[(&str, &str, bool)] = &[
        ("naa.600140512345678", "naa.600140512345678", true),
        ("naa.600140512345678", "naa.600140512345679", false),
        // Cheap USB sticks all report the same id.
        ("t10.Generic Mass-Storage", "t10.Generic Mass-Storage", false),
        ("", "", false),
    ];
    for (one, other, is_one) in ids {
        let (step, _) = boot(&cmdline("dayfly.state.device=LABEL=state"), "state", |state| {
            for (disk, id) in [("sda", one), ("sdb", other)] {
                state.attach_disk(disk, vec![0; MIB]);
                state.attach_partition(disk, &format!("{disk}1"), 2048, ext4());
                state.put_sys(disk, "device/wwid", id);
            }
        });
        let expected = if *is_one { "ext4 on /dev/sda1" } else { "" };
        assert_eq!(step["detail"], expected, "{one} {other}: {step:#}");
    }
}

/// A label on a disk is shown, but its control characters must not reach the terminal.
#[test]
fn a_label_reaches_no_terminal_as_it_is() {
    let (step, _) = boot(&cmdline("dayfly.state.device=LABEL=state"), "state", |state| {
        state.attach_disk("vdb", programs::ext4(MIB, "\u{1b}[2Jx"));
    });
    let wrong = step["failure"]["wrong"].as_str().unwrap();
    assert!(wrong.contains("vdb (ext4, LABEL=\\u{1b}[2Jx)"), "{wrong}");
}

/// The file system of an ISO is iso9660, but its module is isofs.
#[test]
fn a_file_system_that_the_kernel_does_not_know_names_its_module() {
    const ENODEV: i32 = 19;
    let image = "root=live:CDLABEL=A\\x20B rd.timeout=2 panic=-1";
    let config = cmdline("dayfly.config.device=LABEL=A\\x20B");
    let state = cmdline("dayfly.state.device=LABEL=state dayfly.config.device=none");
    for (line, step, call, module) in [
        (image, "find", "mount iso9660 /run/dayfly/media", "isofs"),
        (&config, "config", "mount iso9660 /run/dayfly/config/disk", "isofs"),
        (&state, "state", "mount ext4 /run/dayfly/state", "ext4"),
        (&state, "image", "mount squashfs /run/dayfly/l", "squashfs"),
    ] {
        let (row, _) = boot(line, step, |state| {
            state.attach_disk("sdb", iso());
            state.attach_disk("sdc", ext4());
            state.fault =
                Some(machine::Fault { call: call.to_owned(), cause: Cause::Errno(ENODEV), times: 9 });
        });
        let fix = row["failure"]["fix"].as_str().unwrap_or_default();
        assert!(fix.contains(&format!("`dayfly initramfs --add-module {module}`")), "{step}: {row:#}");
        assert_eq!(row["attempt"], 1, "another attempt cannot succeed: {row:#}");
    }
}
