//! Detection of the image's service manager by the target of its init.

mod machine;

use std::path::{Path, PathBuf};

use dayfly_init::Manager;
use dayfly_sys::Tree;
use machine::{Machine, Node};

/// An image with these paths; a path with ` -> ` is a symlink.
fn manager_of(paths: &[&str], init: &str) -> Option<Manager> {
    let machine = Machine::new("");
    for path in paths {
        let (path, node) = match path.split_once(" -> ") {
            Some((path, target)) => (path, Node::Symlink(PathBuf::from(target))),
            None => (*path, Node::File(Vec::new())),
        };
        machine.state().put(&Path::new("/image").join(path.trim_start_matches('/')), node);
    }
    Manager::of_init(&*machine, Tree::image("/image"), init).unwrap()
}

#[test]
fn an_init_that_leads_to_itself_is_an_error() {
    let machine = Machine::new("");
    machine.state().put(Path::new("/image/sbin/init"), Node::Symlink(PathBuf::from("init")));
    let error = Manager::of_init(&*machine, Tree::image("/image"), "/sbin/init").unwrap_err();
    assert_eq!(error.errno(), Some(40));
}

#[test]
fn the_init_says_who_starts_the_services() {
    use Manager::{OpenRc, Systemd};
    let usr_merged = ["/sbin -> usr/sbin", "/lib -> usr/lib"];
    let both = ["/usr/lib/systemd/systemd", "/sbin/openrc", "/sbin/init", "/sbin/openrc-init"];
    for (paths, init, expected) in [
        // Debian 12 with systemd-sysv, with and without a merged /usr.
        (
            &["/usr/lib/systemd/systemd", "/usr/sbin/init -> /lib/systemd/systemd"][..],
            "/sbin/init",
            Some(Systemd),
        ),
        (&["/lib/systemd/systemd", "/sbin/init -> /lib/systemd/systemd"], "/sbin/init", Some(Systemd)),
        (
            &["/usr/lib/systemd/systemd", "/usr/sbin/init -> ../lib/systemd/systemd"],
            "/usr/sbin/init",
            Some(Systemd),
        ),
        // sysvinit that starts OpenRC; Alpine's busybox; Gentoo's openrc-init.
        (&["/sbin/init", "/sbin/openrc"], "/sbin/init", Some(OpenRc)),
        (&["/bin/busybox", "/sbin/init -> /bin/busybox", "/sbin/openrc"], "/sbin/init", Some(OpenRc)),
        (&["/sbin/openrc-init", "/sbin/openrc"], "/sbin/openrc-init", Some(OpenRc)),
        // With both, the init that is started decides.
        (&both, "/sbin/init", Some(OpenRc)),
        (&both, "/usr/lib/systemd/systemd", Some(Systemd)),
        // A wrapper, a broken link, neither manager, a link that leads out of the image.
        (&["/sbin/init", "/usr/lib/systemd/systemd"], "/sbin/init", Some(Systemd)),
        (&["/sbin/init -> /nowhere"], "/sbin/init", None),
        (&["/sbin/init", "/bin/busybox"], "/sbin/init", None),
        (
            &["/sbin/init -> ../../../../usr/lib/systemd/systemd", "/usr/lib/systemd/systemd"],
            "/sbin/init",
            Some(Systemd),
        ),
    ] {
        let merged = paths.iter().any(|path| path.starts_with("/usr/sbin"));
        let all: Vec<&str> =
            if merged { usr_merged.iter().chain(paths).copied().collect() } else { paths.to_vec() };
        assert_eq!(manager_of(&all, init), expected, "{init} of {all:?}");
    }
}
