//! Versions: a number stands for the same bytes for ever, and the list of them has an end.

use std::fs;

use super::desk::Desk;

/// What a loss of power leaves: the manifest of a version, and a list of manifests that does not have it.
#[test]
fn a_number_is_never_used_again() {
    let desk = Desk::new();
    desk.tree("os", &["bash"], 2);
    desk.ok(&["build", "os", "--output", "www"]);
    let index = fs::read(desk.path("www/index.json")).unwrap();
    fs::write(desk.path("os/etc/hostname"), "other\n").unwrap();
    desk.ok(&["build", "os", "--output", "www"]);
    let second = fs::read(desk.path("www/os_v2.json")).unwrap();
    fs::write(desk.path("www/index.json"), index).unwrap();
    fs::write(desk.path("os/etc/hostname"), "third\n").unwrap();
    let said = desk.refused(&["build", "os", "--output", "www", "--version", "2"]);
    assert!(said.contains("--version 2 is not above 2"), "{said}");
    let said = desk.ok(&["build", "os", "--output", "www"]);
    assert!(said.contains("os version 3"), "{said}");
    assert!(fs::read(desk.path("www/os_v2.json")).unwrap() == second);
}

#[test]
fn a_list_that_would_be_too_long_is_not_written() {
    let desk = Desk::new();
    desk.tree("os", &["bash"], 2);
    desk.ok(&["build", "os", "--output", "www"]);
    let path = desk.path("www/index.json");
    let mut index: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let manifests = index["manifests"].as_array_mut().unwrap();
    let other = manifests[0].clone();
    let one = other.to_string().len() + 1;
    let full = (1 << 20) - 100;
    manifests.extend(std::iter::repeat_n(other, (full - 500) / one));
    let text = index.to_string();
    assert!(text.len() > full - 1000 && text.len() < 1 << 20, "{}", text.len());
    fs::write(&path, &text).unwrap();
    // Repetitions of a tag are dropped, so the next version of another image has no room.
    desk.ok(&["verify", "www:os_v1"]);
    let text = text.replace("\"os_v1\"", "\"xx_v1\"");
    fs::write(&path, &text).unwrap();
    let names = |folder: &str| desk.shell(&format!("find {folder} | sort"));
    let before = names("www");
    let long = "n".repeat(100);
    let said = desk.refused(&["build", "os", "--output", "www", "--name", &long]);
    assert!(said.contains("index.json has no room for another version"), "{said}");
    assert_eq!(names("www"), before);
    assert!(fs::read_to_string(&path).unwrap() == text);
}

#[test]
fn a_build_says_which_keys_are_missing() {
    let desk = Desk::new();
    desk.tree("os", &["bash"], 2);
    for name in ["one", "two"] {
        desk.ok(&["keys", "new", name, "--no-password"]);
    }
    let id = |name: &str| {
        let text = fs::read_to_string(desk.path(&format!("{name}.pub"))).unwrap();
        text.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    let build = |more: &[&str]| {
        let args = [&["build", "os", "--output", "www"], more].concat();
        String::from_utf8(desk.dayfly(&args).output().unwrap().stderr).unwrap()
    };
    assert!(!build(&["--sign", "one.key", "--sign", "two.key"]).contains("a version before"));
    let said = build(&["--sign", "one.key"]);
    assert!(
        said.contains(&format!("a version before was signed with {}, and this one is not", id("two"))),
        "{said}"
    );
    for _ in 0..2 {
        let said = build(&[]);
        assert!(said.contains(&format!("a version before was signed with {}, and", id("one"))), "{said}");
    }
    assert!(!build(&["--sign", "one.key"]).contains("a version before"));
}

/// A copy of a file that nobody may write, as a layer for the second time.
#[test]
fn a_user_builds_of_read_only_files() {
    let desk = Desk::new();
    desk.tree("os", &["bash"], 2);
    desk.shell("mksquashfs os ro.squashfs -quiet -no-progress && mkdir site && echo 1 >site/file && mksquashfs site up.squashfs -quiet -no-progress && chmod 444 *.squashfs && mkdir www && chmod 777 www && chmod 755 .");
    let script = format!(
        "cp '{}' dayfly; for turn in 1 2; do setpriv --reuid 65534 --regid 65534 --clear-groups ./dayfly image build ro.squashfs up.squashfs --output www; done",
        env!("CARGO_BIN_EXE_dayfly")
    );
    let said = desk.shell(&script);
    assert!(said.contains("ro version 2"), "{said}");
    desk.shell("mkdir -p secret/usr secret/etc && chmod 700 secret");
    let said = desk.shell(
        "! setpriv --reuid 65534 --regid 65534 --clear-groups ./dayfly image build secret --output www 2>&1",
    );
    assert!(said.contains("cannot list secret: Permission denied"), "{said}");
}
