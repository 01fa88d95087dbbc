//! Images in the shape of other distributions', on the fake machine.

mod machine;

use std::path::{Path, PathBuf};

use dayfly_init::trees::{IMAGE, OS, STATE};
use machine::{Machine, Node, State};

fn in_image(path: &str) -> PathBuf {
    Path::new(IMAGE.root()).join(path)
}

fn text(text: &str) -> Node {
    Node::File(text.as_bytes().to_vec())
}

/// Moves the image's /etc below /usr.
fn to_usr(state: &mut State) {
    let etc = in_image("etc");
    let moved: Vec<(PathBuf, Node)> = state
        .nodes
        .iter()
        .filter_map(|(path, node)| Some((path.strip_prefix(&etc).ok()?.to_owned(), node.clone())))
        .collect();
    for (path, node) in moved {
        state.nodes.remove(&etc.join(&path));
        state.put(&in_image("usr/etc").join(&path), node);
    }
}

#[test]
fn an_etc_below_usr_is_deployed() {
    for has_empty in [false, true] {
        let machine = Machine::boot_to_the_os("dayfly.user.admin.password_hash=!", |state| {
            to_usr(state);
            state.nodes.remove(&in_image("etc"));
            if has_empty {
                state.put(&in_image("etc"), Node::Dir);
            }
        });
        let read = |path: &str| machine.file(&format!("{}/{path}", OS.root()));
        assert!(read("etc/passwd").is_some_and(|text| text.contains("admin:x:1000")), "{has_empty}");
        // What the boot writes comes after it.
        assert_eq!(read("etc/hostname").as_deref(), Some("worker7\n"), "{has_empty}");
        let told = machine.step("root")["detail"].to_string();
        assert!(told.contains("/etc is the image's /usr/etc"), "{told}");
    }
}

#[test]
fn an_etc_of_its_own_stays() {
    let machine = Machine::boot_to_the_os("", |state| {
        state.put(&in_image("usr/etc/passwd"), text("of nobody"));
    });
    let passwd = machine.file(&format!("{}/etc/passwd", OS.root()));
    assert!(passwd.is_some_and(|text| text.contains("admin:x:1000")));
    assert!(!machine.step("root")["detail"].to_string().contains("/usr/etc"));
}

#[test]
fn an_etc_below_usr_is_what_a_kept_one_is_filled_with() {
    let machine = Machine::boot_to_the_os("dayfly.layout./etc=persistent", |state| {
        to_usr(state);
        state.attach_ext4("vda", "state");
    });
    let kept = machine.file(&format!("{}/etc/passwd", STATE.root()));
    assert!(kept.is_some_and(|text| text.contains("admin:x:1000")), "{:#?}", machine.state().log);
}

/// Fedora moved rpm's database to /usr, and left a link in its place.
#[test]
fn a_link_to_records_is_put_back_where_an_older_image_had_them() {
    let machine = Machine::boot_to_the_os("", |state| {
        state.attach_ext4("vda", "state");
        state.put(&in_image("usr/lib/sysimage/rpm/rpmdb.sqlite"), text("of v2"));
        state.put(&in_image("var/lib/rpm"), Node::Symlink(PathBuf::from("../../usr/lib/sysimage/rpm")));
        state.put(&Path::new(STATE.root()).join("var/lib/rpm/rpmdb.sqlite"), text("of v1"));
        state.put(&Path::new(STATE.root()).join("var/lib/thing"), text("of the node"));
    });
    let state = machine.state();
    let there = state.nodes.get(&Path::new(OS.root()).join("var/lib/rpm"));
    assert_eq!(there, Some(&Node::Symlink(PathBuf::from("/usr/lib/sysimage/rpm"))), "{:#?}", state.log);
    drop(state);
    let thing = machine.file(&format!("{}/var/lib/thing", OS.root()));
    assert_eq!(thing.as_deref(), Some("of the node"));
}
