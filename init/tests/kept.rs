//! A state disk that is full, read-only or broken, on the fake machine. If the settings ask for the disk, the node must
//! not lose its state silently. Changes by users of the node must never prevent the boot.

mod machine;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dayfly_init::trees::{IMAGE, STATE};
use dayfly_sys::{Cause, Power};
use machine::{End, Fault, Machine, Node};

const FOUND: &str = "";
const WANTED: &str = "dayfly.state.device=LABEL=state";
/// errno(3).
const EIO: i32 = 5;
const EACCES: i32 = 13;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
/// The directories of the state disk, and their paths in the OS.
const PLACES: [(&str, &str); 4] = [
    ("var", "/sysroot/var"),
    ("home", "/sysroot/home"),
    ("opt", "/sysroot/opt"),
    ("usr-local", "/sysroot/usr/local"),
];

/// Boots an image with a package database below /var. A filled disk has the database of an older image.
fn boot(words: &str, is_filled: bool, fault: Option<Fault>) -> (Arc<Machine>, End) {
    let machine = Machine::new(&format!("root=live:http://10.0.2.2/os.squashfs ip=dhcp panic=1 {words}"));
    {
        let mut state = machine.state();
        state.attach_ext4("vdb", "state");
        for (path, text) in [("var/lib/dpkg/status", "new"), ("var/lib/shells.state", "new"), ("home/x", "")]
        {
            state.put(&Path::new(IMAGE.root()).join(path), Node::File(text.into()));
        }
        if is_filled {
            for (folder, _) in PLACES {
                state.put(&Path::new(STATE.root()).join(folder).join("mine"), Node::File("mine".into()));
            }
            state.put(&Path::new(STATE.root()).join("var/lib/shells.state"), Node::File("old".into()));
        }
        state.fault = fault;
    }
    let end = machine.boot();
    (machine, end)
}

/// The calls that access the state disk in a boot without a fault.
fn calls(words: &str, is_filled: bool, operations: &[&str]) -> BTreeSet<String> {
    let (machine, end) = boot(words, is_filled, None);
    assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{:#?}", machine.state().log);
    let is_on_disk = |path: &str| {
        path.starts_with(&format!("{}/", STATE.root()))
            || PLACES.iter().any(|(_, place)| path.starts_with(&format!("{place}/")))
    };
    let state = machine.state();
    let of_disk = state.calls.iter().filter(|call| {
        let mut words = call.split(' ');
        words.next().is_some_and(|operation| operations.contains(&operation)) && words.any(is_on_disk)
    });
    of_disk.cloned().collect()
}

/// Boots with each call failing in each way, and checks the result.
fn each(
    words: &str,
    is_filled: bool,
    operations: &[&str],
    judge: impl Fn(&Machine, &End, &str) -> Result<(), String> + Sync,
) {
    let calls = calls(words, is_filled, operations);
    assert!(calls.len() > 8, "{calls:#?}");
    let cases: Vec<(&String, i32)> =
        calls.iter().flat_map(|call| [ENOSPC, EROFS, EIO].map(|errno| (call, errno))).collect();
    let next = AtomicUsize::new(0);
    let wrong = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((call, errno)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let fault = Fault { call: (*call).clone(), cause: Cause::Errno(*errno), times: 99 };
                    let (machine, end) = boot(words, is_filled, Some(fault));
                    if let Err(why) = judge(&machine, &end, call) {
                        let log = machine.state().log.clone();
                        wrong
                            .lock()
                            .unwrap()
                            .push(format!("{call}, errno {errno}: {why}: {end:?}\n{log:#?}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {}: {}", wrong.len(), cases.len(), wrong.join("\n"));
}

const WRITES: [&str; 7] = ["write", "make_dir", "rename", "remove_tree", "copy_tree", "copy_file", "symlink"];

fn comes_up(machine: &Machine, end: &End, call: &str) -> Result<(), String> {
    if *end != End::Exec("/sbin/init".to_owned()) {
        return Err("the node does not boot".to_owned());
    }
    let words = ["No space left", "Read-only file system", "Input/output error"];
    let state = machine.state();
    let is_told = state.log.iter().any(|(_, line)| words.iter().any(|words| line.contains(words)));
    if is_told { Ok(()) } else { Err(format!("{call} is not reported")) }
}

/// Regression test: with a full `/var`, the node restarted for ever. The causes were a file of the package database
/// that could not be restored, a mount point that could not be created, and host keys that could not be stored.
#[test]
fn a_disk_that_was_filled_before_may_be_full_or_read_only() {
    each(WANTED, true, &WRITES, |machine, end, call| {
        comes_up(machine, end, call)?;
        let state = machine.state();
        let is_lost = PLACES
            .iter()
            .find(|(_, place)| !state.mounts.iter().any(|mount| *mount == format!("bind {place}")));
        is_lost.map_or(Ok(()), |(_, place)| Err(format!("{place} is not the persistent one")))
    });
}

/// The settings do not ask for this disk, so persistent paths may be in memory. Each of these faults ended the boot
/// before.
#[test]
fn a_disk_that_was_only_found_never_ends_the_boot() {
    each(FOUND, false, &[WRITES.as_slice(), &["inspect"]].concat(), comes_up);
}

/// If the settings ask for the disk, the node gets its state, or the boot fails and names the disk.
#[test]
fn the_first_copy_of_a_wanted_disk_is_whole_or_the_boot_fails() {
    each(WANTED, false, &["copy_tree", "rename"], |machine, end, call| {
        let is_first = call.contains(&format!("{}/", STATE.root())) && !call.contains("/.dayfly");
        match end {
            End::Power(Power::Reboot) if is_first => {
                let code = machine.report()["failure"]["code"].clone();
                if code == "state.keep" { Ok(()) } else { Err(format!("the code is {code}")) }
            }
            end if is_first => Err(format!("the node lost its state silently: {end:?}")),
            end => comes_up(machine, end, call),
        }
    });
}

/// Regression test: a write-protected disk was not mounted at all, but its state must be available.
#[test]
fn a_write_protected_disk_is_read() {
    for errno in [EROFS, EACCES] {
        let call = format!("mount ext4 {}", STATE.root());
        let fault = Fault { call, cause: Cause::Errno(errno), times: 1 };
        let (machine, end) = boot(WANTED, true, Some(fault));
        assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{:#?}", machine.state().log);
        let state = machine.state();
        assert!(state.is_mounted(Path::new("/sysroot/var")));
        assert!(
            state.log.iter().any(|(_, line)| line.contains("It is mounted read-only")),
            "{:#?}",
            state.log
        );
        drop(state);
    }
    // If the disk cannot be mounted, the boot fails if the settings ask for it; otherwise it continues in memory.
    for (words, ends) in [(WANTED, false), (FOUND, true)] {
        let fault =
            Fault { call: format!("mount ext4 {}", STATE.root()), cause: Cause::Errno(EIO), times: 99 };
        let (machine, end) = boot(words, true, Some(fault));
        assert_eq!(end == End::Exec("/sbin/init".to_owned()), ends, "{:#?}", machine.state().log);
    }
}

/// Regression test: a file that was renamed once blocked the second rename for ever.
#[test]
fn what_was_set_aside_twice_is_kept_twice() {
    let machine = Machine::new(&format!("root=live:http://10.0.2.2/os.squashfs ip=dhcp {WANTED}"));
    let disk = |path: &str| PathBuf::from(STATE.root()).join(path);
    {
        let mut state = machine.state();
        state.attach_ext4("vdb", "state");
        state.put(&disk("var"), Node::Symlink(PathBuf::from("/etc")));
        state.put(&disk("var.set-aside/x"), Node::File("first".into()));
    }
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()));
    let state = machine.state();
    assert_eq!(state.nodes.get(&disk("var.set-aside-2")), Some(&Node::Symlink(PathBuf::from("/etc"))));
    assert_eq!(state.nodes.get(&disk("var.set-aside/x")), Some(&Node::File("first".into())));
}
