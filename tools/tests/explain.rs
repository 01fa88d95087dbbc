//! `dayfly explain` on lines that a node would boot from.

use std::process::Command;

use dayfly_plan::Kind;

fn explain(cmdline: &str) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_dayfly"))
        .args(["explain", "--cmdline", cmdline])
        .output()
        .expect("the binary was built");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// A new kind in the table of sources needs an argument of `explain`.
#[test]
fn every_place_of_settings_has_an_argument() {
    let help = Command::new(env!("CARGO_BIN_EXE_dayfly")).args(["explain", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    for place in Kind::ALL.iter().filter(|place| **place != Kind::Default) {
        let title = place.row().doc.title;
        assert!(help.contains(title), "explain has no argument for {title}: {help}");
    }
}

#[test]
fn a_line_whose_image_a_later_place_names_is_fine() {
    for cmdline in
        ["quiet", "dayfly.settings.url=https://boot/${mac}.toml", "dayfly.config.device=LABEL=nodes"]
    {
        let (is_fine, plan, said) = explain(cmdline);
        assert!(is_fine, "{cmdline}: {said}");
        assert!(said.contains("note: no OS image is named here"), "{cmdline}: {said}");
        assert!(plan.contains("exec the OS's init"), "{cmdline}: {plan}");
    }
    let (is_fine, _, said) = explain("dayfly.image.sha256=abc");
    assert!(!is_fine && said.contains("a node would refuse"), "{said}");
}

#[test]
fn words_of_others_and_of_init_are_shown() {
    let (is_fine, plan, said) = explain("root=live:http://boot/os ip=dhcp rd.lvm.lv=a rd.lvm.lv=b single");
    assert!(is_fine, "{said}");
    assert_eq!(said.matches("rd.lvm.lv= asks for LVM volumes").count(), 1, "{said}");
    assert!(plan.contains("exec the OS's init with single"), "{plan}");
}
