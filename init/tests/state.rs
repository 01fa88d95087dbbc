//! The state disk, on the fake machine: which disks are used, and which are never changed.

mod machine;

use std::path::{Path, PathBuf};

use dayfly_sys::Cause;
use machine::{End, Fault, Machine, Node, State, programs, sha256, squashfs};

fn cmdline(more: &str) -> String {
    let sha256 = sha256(&squashfs(3 << 20));
    format!("root=live:http://10.0.2.2/os.squashfs ip=dhcp rd.timeout=2 dayfly.image.sha256={sha256} {more}")
}

fn blank() -> Vec<u8> {
    vec![0; 64 << 20]
}

/// Boots, and returns the step `state` of boot.json and the contents of all disks afterwards.
fn boot(more: &str, prepare: impl FnOnce(&mut State)) -> (serde_json::Value, Vec<(PathBuf, Vec<u8>)>) {
    let machine = Machine::new(&cmdline(more));
    prepare(&mut machine.state());
    let end = machine.boot();
    assert!(matches!(end, End::Exec(_) | End::Power(_)), "{end:?}");
    let report = machine.report();
    let step = report["steps"].as_array().unwrap().iter().rfind(|step| step["step"] == "state").unwrap();
    let state = machine.state();
    let disks = state.disks.iter().map(|(path, bytes)| (path.clone(), bytes.clone())).collect();
    (step.clone(), disks)
}

fn has_ext4(disks: &[(PathBuf, Vec<u8>)], name: &str) -> bool {
    let (_, bytes) = disks.iter().find(|(path, _)| path == &Path::new("/dev").join(name)).unwrap();
    *bytes == programs::ext4(bytes.len(), "state")
}

#[test]
fn the_one_blank_disk_becomes_the_state_disk() {
    let (step, disks) = boot("dayfly.state.create=blank", |state| {
        state.attach_disk("vda", programs::ext4(64 << 20, "mine"));
        state.attach_disk("vdb", blank());
    });
    assert_eq!((&step["outcome"], &step["detail"]), (&"done".into(), &"ext4 on /dev/vdb".into()), "{step:#}");
    assert!(has_ext4(&disks, "vdb") && !has_ext4(&disks, "vda"));
}

#[test]
fn a_disk_that_is_there_is_used_and_nothing_is_made() {
    let (step, disks) = boot("dayfly.state.create=blank", |state| {
        state.attach_disk("vda", blank());
        state.attach_disk("vdb", programs::ext4(64 << 20, "state"));
    });
    assert_eq!(step["detail"], "ext4 on /dev/vdb", "{step:#}");
    assert!(disks.contains(&(PathBuf::from("/dev/vda"), blank())), "the blank disk must stay blank");
}

type Prepare<'a> = Box<dyn FnOnce(&mut State) + 'a>;

#[test]
fn what_is_not_blank_is_not_touched() {
    let with_byte = |at: usize| {
        let mut bytes = blank();
        bytes[at] = 1;
        bytes
    };
    let cases: Vec<(&str, &str, Prepare<'_>)> = vec![
        (
            "",
            "vdb has ext4 with the label mine on it, at byte 1080",
            Box::new(|state| state.attach_disk("vdb", programs::ext4(64 << 20, "mine"))),
        ),
        ("", "vdb has data on it, at byte 0", Box::new(|state| state.attach_disk("vdb", with_byte(0)))),
        (
            "",
            "vdb has data on it, at byte 67108863",
            Box::new(|state| state.attach_disk("vdb", with_byte((64 << 20) - 1))),
        ),
        (
            "",
            "vdb has data on it, at byte 33554432",
            Box::new(|state| state.attach_disk("vdb", with_byte(32 << 20))),
        ),
        ("", "vdb has 32 MiB only", Box::new(|state| state.attach_disk("vdb", vec![0; 32 << 20]))),
        (
            "",
            "2 disks are blank: vdb, vdc",
            Box::new(|state| {
                state.attach_disk("vdb", blank());
                state.attach_disk("vdc", blank());
            }),
        ),
        (
            "",
            "vdb is read-only",
            Box::new(|state| {
                state.attach_disk("vdb", blank());
                state.nodes.insert("/sys/class/block/vdb/ro".into(), Node::File(b"1\n".to_vec()));
            }),
        ),
        (
            "",
            "sdb is removable",
            Box::new(|state| {
                state.attach_disk("sdb", blank());
                state.nodes.insert("/sys/class/block/sdb/removable".into(), Node::File(b"1\n".to_vec()));
            }),
        ),
        (
            "",
            "vdb has partitions",
            Box::new(|state| {
                state.attach_disk("vdb", blank());
                state.nodes.insert("/sys/class/block/vdb/vdb1".into(), Node::Dir);
            }),
        ),
        (
            "",
            "vdb is used by dm-0",
            Box::new(|state| {
                state.attach_disk("vdb", blank());
                state.nodes.insert("/sys/class/block/vdb/holders/dm-0".into(), Node::Dir);
            }),
        ),
        (
            "",
            "vdb consists of sda",
            Box::new(|state| {
                state.attach_disk("vdb", blank());
                state.nodes.insert("/sys/class/block/vdb/slaves".into(), Node::Dir);
                state.nodes.insert("/sys/class/block/vdb/slaves/sda".into(), Node::Dir);
            }),
        ),
        (
            "",
            "vdb is in use: check_unused /dev/vdb: Device or resource busy",
            Box::new(|state| {
                state.attach_disk("vdb", blank());
                state.fault =
                    Some(Fault { call: "check_unused /dev/vdb".into(), cause: Cause::Errno(16), times: 9 });
            }),
        ),
        (
            "",
            "vdb cannot be read at byte 1048576, so its contents are unknown: read_at /dev/vdb 1048576: Input/output error",
            Box::new(|state| {
                state.attach_disk("vdb", blank());
                state.fault =
                    Some(Fault { call: "read_at /dev/vdb 1048576".into(), cause: Cause::Errno(5), times: 9 });
            }),
        ),
        (
            "",
            "vdb ends at byte 33554432, before its reported size",
            Box::new(|state| {
                state.attach_disk("vdb", vec![0; 32 << 20]);
                state.put_sys("vdb", "size", "131072");
            }),
        ),
        (
            "dayfly.state.disk=/dev/vdb",
            "/dev/vdb has ext4 with the label mine on it",
            Box::new(|state| {
                state.attach_disk("vdb", programs::ext4(64 << 20, "mine"));
                state.attach_disk("vdc", blank());
            }),
        ),
        (
            "dayfly.state.device=PARTLABEL=state",
            "not with PARTLABEL=state",
            Box::new(|state| state.attach_disk("vdb", blank())),
        ),
    ];
    for (more, words, prepare) in cases {
        let mut before = Vec::new();
        let (step, after) = boot(&format!("dayfly.state.create=blank panic=-1 {more}"), |state| {
            prepare(state);
            before = state.disks.iter().map(|(path, bytes)| (path.clone(), bytes.clone())).collect();
        });
        assert_eq!(step["failure"]["code"], "state.create", "{words}: {step:#}");
        assert!(step["failure"]["wrong"].as_str().unwrap().contains(words), "{words}: {step:#}");
        let kept = before.iter().all(|disk| after.contains(disk));
        assert!(kept, "{words}: a disk was changed");
    }
}

/// A real file system whose start was overwritten by `dd`. It is recognised by its inodes in use and the copies of its
/// superblock.
#[test]
fn a_large_file_system_without_its_head_is_not_blank() {
    let folder = tempfile::tempdir().unwrap();
    for (zeroed, words) in [(4 << 20, "vdb has data on it, at byte 41943"), (64 << 20, BACKUP)] {
        let disk = folder.path().join("disk");
        let file = std::fs::File::create(&disk).unwrap();
        file.set_len(500 << 30).unwrap();
        let made = std::process::Command::new("mkfs.ext4").args(["-q", "-L", "data"]).arg(&disk).output();
        let made = made.expect("mkfs.ext4 (e2fsprogs)");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        std::os::unix::fs::FileExt::write_all_at(&file, &vec![0; zeroed], 0).unwrap();
        let machine = Machine::new(&cmdline("dayfly.state.create=blank"));
        machine.state().attach_host_disk("vdb", &disk);
        machine.boot();
        let report = machine.report();
        let step = report["steps"].as_array().unwrap().iter().rfind(|step| step["step"] == "state").unwrap();
        assert!(step["failure"]["wrong"].as_str().unwrap().contains(words), "{words}: {step:#}");
        assert!(!machine.state().calls.iter().any(|call| call.contains("mkfs")), "it was formatted");
    }
}

const BACKUP: &str =
    "vdb has a superblock of ext2, ext3 or ext4 with the label data on it, at byte 134217728";
