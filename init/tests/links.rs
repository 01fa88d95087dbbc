//! Symlinks in paths of the layout: those of the image lead inside the OS, those of the state disk are not followed.

mod machine;

use std::path::{Path, PathBuf};

use dayfly_init::trees::{IMAGE, OS, STATE};
use machine::{End, Machine, Node, State};

/// Boots with a state disk.
fn boot(prepare: impl FnOnce(&mut State)) -> std::sync::Arc<Machine> {
    let machine = Machine::new("root=live:http://10.0.2.2/os.squashfs ip=dhcp panic=1");
    {
        let mut state = machine.state();
        state.attach_ext4("vdb", "state");
        prepare(&mut state);
    }
    let end = machine.boot();
    assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{:#?}", machine.state().log);
    machine
}

fn link(state: &mut State, tree: &str, path: &str, target: &str) {
    state.put(&Path::new(tree).join(path), Node::Symlink(PathBuf::from(target)));
}

/// Regression test: it was mounted at /var/home of the initramfs, or the boot failed.
#[test]
fn a_link_of_the_image_leads_the_mount_once() {
    let machine = boot(|state| link(state, IMAGE.root(), "home", "/var/home"));
    let state = machine.state();
    let at = |place: &str| state.mounts.iter().filter(|mount| mount.ends_with(&format!(" {place}"))).count();
    assert_eq!(at("/sysroot/var/home"), 1, "{:?}", state.mounts);
    assert_eq!(at("/var/home") + at("/sysroot/home"), 0, "{:?}", state.mounts);
}

/// Regression test: the overlay was mounted over the OS's /etc.
#[test]
fn a_link_of_the_state_disk_puts_nothing_over_etc() {
    let machine = boot(|state| link(state, STATE.root(), "var/lib/dpkg", "/etc"));
    let state = machine.state();
    assert!(!state.is_mounted(&Path::new(OS.root()).join("etc")), "{:?}", state.mounts);
    assert!(state.is_mounted(Path::new("/sysroot/var/lib/dpkg")), "{:?}", state.mounts);
}

/// If a parent on the state disk is a symlink, nothing is mounted through it.
#[test]
fn a_bent_way_on_the_state_disk_has_no_policy() {
    let machine = boot(|state| link(state, STATE.root(), "var/lib", "/etc"));
    let state = machine.state();
    assert!(!state.mounts.iter().any(|mount| mount.contains("/sysroot/etc")), "{:?}", state.mounts);
    assert!(
        state.log.iter().any(|(_, line)| line.contains("stays as on the state disk")),
        "{:#?}",
        state.log
    );
}
