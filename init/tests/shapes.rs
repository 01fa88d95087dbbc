//! Images with the layout of other distributions, on the fake machine.

mod machine;

use std::path::{Path, PathBuf};

use dayfly_init::trees::{IMAGE, OS, STATE};
use machine::{Machine, Node};

fn in_image(path: &str) -> PathBuf {
    Path::new(IMAGE.root()).join(path)
}

fn text(text: &str) -> Node {
    Node::File(text.as_bytes().to_vec())
}

#[test]
fn an_etc_below_usr_is_deployed() {
    for has_empty in [false, true] {
        let machine = Machine::boot_to_the_os("", |state| {
            state.etc_in_usr = true;
            if has_empty {
                state.put(&in_image("etc"), Node::Dir);
            }
        });
        let read = |path: &str| machine.file(&format!("{}/{path}", OS.root()));
        assert!(read("etc/passwd").is_some_and(|text| text.contains("admin:x:1000")), "{has_empty}");
        // The boot writes its files afterwards.
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
        state.etc_in_usr = true;
        state.attach_ext4("vda", "state");
    });
    let kept = machine.file(&format!("{}/etc/passwd", STATE.root()));
    assert!(kept.is_some_and(|text| text.contains("admin:x:1000")), "{:#?}", machine.state().log);
}
