//! Boots with `init=` on the root of an installed OS, on the fake machine.

mod machine;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dayfly_plan::Way;
use dayfly_sys::Cause;
use machine::configured::file;
use machine::{End, Fault, Machine, Node};

const CMDLINE: &str = "root=UUID=a ro quiet init=/usr/lib/dayfly/init";
const EBUSY: i32 = 16;
const MOUNTS: &[u8] = b"overlay /sysroot overlay rw 0 0\n/dev/vdb /sysroot/var ext4 rw 0 0\n";

#[test]
fn the_mounted_root_is_the_image() {
    let machine = Machine::new_for(Way::Root, CMDLINE);
    let end = machine.boot_by(Way::Root);
    assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{:?}", machine.state().log);
    let report = machine.report();
    assert_eq!((report["outcome"].as_str(), report["way"].as_str()), (Some("handover"), Some("root")));
    assert_eq!(report["problems"].as_array().unwrap().len(), 0, "{report:#}");

    // The files of the OS stay; the lines of fstab that would undo the boot's mounts do not.
    assert_eq!(file(&machine, "/sysroot/etc/hostname"), "installed\n");
    assert_eq!(file(&machine, "/sysroot/etc/hosts"), "10.0.0.9 of-the-administrator\n");
    assert_eq!(file(&machine, "/sysroot/etc/machine-id"), "5b1d6c3a8f2e4c7d9a0b1c2d3e4f5a6b\n");
    let fstab = file(&machine, "/sysroot/etc/fstab");
    assert!(fstab.contains("\n# UUID=a / ext4 errors=remount-ro 0 1\n"), "{fstab}");
    assert!(
        fstab.contains("\nUUID=b /boot vfat defaults,ro 0 2\nUUID=c /home ext4 defaults 0 2\n"),
        "{fstab}"
    );
    assert_eq!(
        file(&machine, "/run/dayfly/l/etc/fstab").lines().next(),
        Some("UUID=a / ext4 errors=remount-ro 0 1")
    );

    let state = machine.state();
    assert_eq!(
        state.mounts,
        [
            "read-only /run/dayfly/l",
            "tmpfs /run/dayfly/rw",
            "overlay /sysroot",
            "bind /run/dayfly/o",
            // /home has its own line in fstab; /opt and /var are in the overlay, and /usr was never part of it.
            "read-only /run/dayfly/l/usr",
            "bind read-only /sysroot/usr",
            "overlay /sysroot/usr/local",
            "bind /sysroot/var/lib/dpkg",
            "unmount /run/dayfly/o",
            "shared /",
        ]
    );
    for left in ["drivers", "packet_port", "open_url", "attach_loop"] {
        assert!(!state.calls.iter().any(|call| call.starts_with(left)), "{left}: {:?}", state.calls);
    }
    assert_eq!(state.nodes.get(Path::new("/usr")), Some(&Node::Symlink(PathBuf::from("/run/dayfly/l/usr"))));
    // Nothing may be written to the disk before the boot has left its root.
    let left = state.calls.iter().position(|call| call.starts_with("leave_root")).unwrap();
    let is_write = |call: &&String| {
        ["write", "make_dir", "symlink", "rename", "copy_tree"].iter().any(|kind| call.starts_with(kind))
    };
    for call in state.calls[..left].iter().filter(is_write) {
        let path = call.split(' ').nth(1).unwrap();
        assert!(
            path.starts_with("/run/") || path.starts_with("/proc/"),
            "{call}: written before the root was left"
        );
    }
    assert_eq!(state.screens, "");
}

#[test]
fn a_file_that_is_open_for_writing_is_no_reason_not_to_boot() {
    let machine = Machine::new_for(Way::Root, CMDLINE);
    machine.state().fault = Some(Fault {
        call: "mount read-only /run/dayfly/l".to_owned(),
        cause: Cause::Errno(EBUSY),
        times: 9,
    });
    assert_eq!(machine.boot_by(Way::Root), End::Exec("/sbin/init".to_owned()));
    assert!(
        machine
            .state()
            .log
            .iter()
            .any(|(level, line)| *level == 4 && line.contains("the old root stays writable"))
    );
}

#[test]
fn an_init_that_is_dayfly_again_is_told_and_not_repeated() {
    let machine = Machine::new_for(Way::Root, CMDLINE);
    machine.state().put(Path::new("/run/dayfly/l"), Node::Dir);
    assert!(matches!(machine.boot_by(Way::Root), End::Power(_)));
    let state = machine.state();
    assert!(
        state.screens.contains("this root was made by Dayfly") && state.screens.contains("image.root"),
        "{}",
        state.screens
    );
    assert!(!state.calls.iter().any(|call| call.starts_with("leave_root")), "{:?}", state.calls);
}

#[test]
fn the_init_that_is_asked_for_is_the_one_that_dayfly_init_names() {
    let cmdline = format!("{CMDLINE} dayfly.init=/usr/lib/systemd/systemd dayfly.hostname=worker7");
    let machine = Machine::new_for(Way::Root, &cmdline);
    assert_eq!(machine.boot_by(Way::Root), End::Exec("/usr/lib/systemd/systemd".to_owned()));
    assert_eq!(file(&machine, "/sysroot/etc/hostname"), "worker7\n");
    assert!(
        file(&machine, "/sysroot/etc/hosts").contains("127.0.1.1 worker7"),
        "a new name must be in hosts"
    );
    assert_eq!(file(&machine, "/sysroot/etc/machine-id"), "5b1d6c3a8f2e4c7d9a0b1c2d3e4f5a6b\n");
}

/// A machine with a separate `/var` in fstab, on a disk with the label `var`. The settings make it a node of k0s.
fn with_var(options: &str) -> Arc<Machine> {
    let machine = Machine::new_for(Way::Root, &format!("{CMDLINE} dayfly.k0s.role=single"));
    let mut state = machine.state();
    state.attach_ext4("vdb", "var");
    let fstab = format!("UUID=a / ext4 defaults 0 1\nLABEL=var /var ext4 {options} 0 2\n");
    state.put(Path::new("/etc/fstab"), Node::File(fstab.into_bytes()));
    state.put(Path::new("/usr/bin/k0s"), Node::File(Vec::new()));
    drop(state);
    machine
}

/// Regression test: the state of Kubernetes must be where the OS expects it, but an OS mounts its `/var` only later.
#[test]
fn a_var_of_the_os_is_there_before_anything_is_written_to_it() {
    let machine = with_var("noatime,errors=remount-ro");
    // fsck corrected errors.
    machine.state().fsck = 1;
    machine.state().put(Path::new("/proc/mounts"), Node::File(MOUNTS.to_vec()));
    assert_eq!(machine.boot_by(Way::Root), End::Exec("/sbin/init".to_owned()));
    let fstab = file(&machine, "/sysroot/etc/fstab");
    assert!(fstab.contains("\n# LABEL=var /var ext4"), "the OS would mount it again: {fstab}");
    let state = machine.state();
    let place = |call: &str| state.calls.iter().position(|made| made.starts_with(call)).unwrap();
    assert!(place("run_in fsck.ext4 in /run/dayfly/l") < place("mount ext4 /sysroot/var"));
    assert!(state.is_mounted(Path::new("/sysroot/var")));
    assert!(!state.is_mounted(Path::new("/sysroot/var/lib/dpkg")), "the contents of /var must stay visible");
    let service = "/sysroot/etc/systemd/system/k0scontroller.service";
    assert!(state.nodes.contains_key(Path::new(service)), "{:?}", state.log);
}

#[test]
fn a_var_that_cannot_be_mounted_yet_is_left_to_the_os_and_kubernetes_is_told() {
    for (options, fsck, why) in [
        ("defaults", 4, "fsck.ext4 /dev/vdb ended with 4"),
        ("noauto", 0, "with the option noauto"),
        ("x-systemd.automount,nofail", 0, "with the option x-systemd.automount"),
    ] {
        let machine = with_var(options);
        machine.state().fsck = fsck;
        machine
            .state()
            .put(Path::new("/proc/mounts"), Node::File(b"overlay /sysroot overlay rw 0 0\n".to_vec()));
        assert_eq!(machine.boot_by(Way::Root), End::Exec("/sbin/init".to_owned()), "{options}");
        assert!(
            file(&machine, "/sysroot/etc/fstab").contains("\nLABEL=var /var"),
            "{options}: it was not mounted"
        );
        let state = machine.state();
        let says = |text: &str| state.log.iter().any(|(_, line)| line.contains(text));
        assert!(says("/var is left to the OS") && says(why), "{options}: {:?}", state.log);
        assert!(
            says("the OS mounts its file system from /etc/fstab only later"),
            "{options}: {:?}",
            state.log
        );
        assert!(!state.is_mounted(Path::new("/sysroot/var")), "{options}");
    }
}
