//! Images that were exported from containers, on the fake machine: the OS must boot like a normal installation.

mod machine;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dayfly_init::trees::{IMAGE, OS};
use machine::{End, Machine, Node, State};

fn boot(prepare: impl FnOnce(&mut State)) -> Arc<Machine> {
    let machine = Machine::new("root=live:http://10.0.2.2/os.squashfs ip=dhcp rd.retry=20");
    prepare(&mut machine.state());
    let end = machine.boot();
    assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{:#?}", machine.state().log);
    machine
}

fn in_image(state: &mut State, path: &str, node: Node) {
    state.put(&Path::new(IMAGE.root()).join(path), node);
}

fn in_os(machine: &Machine, path: &str) -> Option<Node> {
    machine.state().nodes.get(&Path::new(OS.root()).join(path)).cloned()
}

fn text(text: &str) -> Node {
    Node::File(text.as_bytes().to_vec())
}

#[test]
fn what_a_container_left_is_put_right() {
    let machine = boot(|state| {
        in_image(state, ".dockerenv", text(""));
        for file in ["etc/hostname", "etc/hosts", "etc/resolv.conf"] {
            in_image(state, file, text(""));
        }
        in_image(state, "etc/mtab", text("overlay / overlay rw 0 0\n"));
    });
    assert_eq!(
        in_os(&machine, ".dockerenv"),
        None,
        "systemd would skip services that containers do not have"
    );
    assert_eq!(in_os(&machine, "etc/mtab"), Some(Node::Symlink(PathBuf::from("../proc/self/mounts"))));
    for file in ["etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/machine-id"] {
        assert!(matches!(in_os(&machine, file), Some(Node::File(bytes)) if !bytes.is_empty()), "{file}");
    }
}

#[test]
fn a_link_to_a_resolver_is_kept_only_for_one_that_is_there() {
    let link = Node::Symlink(PathBuf::from("../run/systemd/resolve/stub-resolv.conf"));
    let resolved = "etc/systemd/system/sysinit.target.wants/systemd-resolved.service";
    for (has, is_link) in [
        (None, false),
        (Some((resolved, text("a unit"))), true),
        // Enabled before, but no longer installed.
        (
            Some((resolved, Node::Symlink(PathBuf::from("/lib/systemd/system/systemd-resolved.service")))),
            false,
        ),
        (Some(("usr/sbin/NetworkManager", text("a program"))), true),
        (Some(("run/systemd/resolve/stub-resolv.conf", text("left by a container"))), false),
    ] {
        let what = format!("{has:?}");
        let machine = boot(|state| {
            in_image(state, "etc/resolv.conf", link.clone());
            if let Some((path, node)) = has {
                in_image(state, path, node);
            }
        });
        let found = in_os(&machine, "etc/resolv.conf");
        assert_eq!(found == Some(link.clone()), is_link, "{what}: {found:?}");
        if !is_link {
            assert!(matches!(found, Some(Node::File(bytes)) if bytes.starts_with(b"nameserver ")), "{what}");
        }
    }
}

#[test]
fn the_os_does_not_wait_for_disks_of_another_machine() {
    let fstab = "UUID=0b4b / ext4 defaults 0 1\nUUID=\"1c5c\" /data ext4 defaults 0 2\n/dev/sdb3 none swap sw 0 0\n\
        LABEL=here /here ext4 defaults 0 2\nUUID=2d6d /opt ext4 nofail 0 2\nUUID=3e7e none swap nofail\n/dev/mapper/vg-x /x ext4 defaults 0 2\n\
        tmpfs /tmp tmpfs defaults 0 0\n10.0.0.1:/x /nfs nfs defaults 0 0\n";
    let machine = boot(|state| {
        in_image(state, "etc/fstab", text(fstab));
        state.attach_ext4("vdb", "here");
    });
    let Some(Node::File(bytes)) = in_os(&machine, "etc/fstab") else { panic!("no fstab") };
    let new = String::from_utf8(bytes).unwrap();
    let live: Vec<&str> = new.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        live[..3],
        [
            "UUID=\"1c5c\" /data ext4 defaults,nofail 0 2",
            "/dev/sdb3 none swap sw,nofail,noauto 0 0",
            "LABEL=here /here ext4 defaults 0 2"
        ],
        "{new}"
    );
    assert!(
        live.contains(&"/dev/mapper/vg-x /x ext4 defaults 0 2")
            && live.contains(&"10.0.0.1:/x /nfs nfs defaults 0 0")
            && live.contains(&"UUID=3e7e none swap nofail,nofail,noauto"),
        "{new}"
    );
    let log = machine.state().log.clone();
    let said = log
        .iter()
        .filter(|(level, line)| *level <= 4 && line.contains("the OS will not wait for it"))
        .count();
    assert_eq!(said, 3, "{log:#?}");
}
