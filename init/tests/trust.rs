//! Attacks on the trust settings, each as a whole boot on the fake machine: with a USB stick, a man in the middle, an
//! image.

mod machine;

use std::path::Path;
use std::sync::Arc;

use dayfly_sys::Power;
use machine::{End, Machine, Node, State, sha256, squashfs};

const SETTINGS: &str = "http://10.0.2.2/node.toml";
const CA: &str = include_str!("../formats/src/x509/ca.pem");
const OTHER_CA: &str = include_str!("../formats/src/x509/ca-other.pem");

fn ours() -> String {
    sha256(&squashfs(3 << 20))
}

fn evil() -> Vec<u8> {
    let mut bytes = squashfs(3 << 20);
    bytes[4096] ^= 1;
    bytes
}

fn file(body: &str) -> String {
    format!("version = 1\n{body}\n")
}

fn put(state: &mut State, path: &str, text: &str) {
    state.put(Path::new(path), Node::File(text.as_bytes().to_vec()));
}

fn boot(cmdline: &str, prepare: impl FnOnce(&mut State)) -> (Arc<Machine>, End) {
    let machine = Machine::new(cmdline);
    prepare(&mut machine.state());
    let end = machine.boot();
    (machine, end)
}

/// The lines of the kernel log that are shown with `quiet`.
fn errors(machine: &Machine) -> String {
    let log = machine.state().log.clone();
    log.into_iter().filter(|(level, _)| *level <= 3).map(|(_, line)| line + "\n").collect()
}

/// The whole log.
fn log(machine: &Machine) -> String {
    machine.state().log.iter().map(|(_, line)| line.clone() + "\n").collect()
}

fn refused(machine: &Machine, end: &End, code: &str) -> String {
    assert_eq!(*end, End::Power(Power::Reboot), "{}", log(machine));
    let state = machine.state();
    let screen = state.screens.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(screen.contains(&format!("Code: {code} ")), "{screen}");
    assert!(!state.is_mounted(Path::new(dayfly_init::trees::IMAGE.root())), "an image was mounted");
    screen
}

/// The stick has an image and its hash. The node must boot the configured image, and log the attempt.
#[test]
fn a_stick_does_not_replace_the_hash() {
    let theirs = sha256(&evil());
    let in_initramfs = format!("image.sha256 = \"{}\"", ours());
    let on_cmdline = format!("dayfly.image.sha256={}", ours());
    for (cmdline, initramfs, owner) in
        [("", in_initramfs.as_str(), "initramfs"), (&on_cmdline, "", "cmdline dayfly.image.sha256=")]
    {
        for stick in [
            format!("image.sha256 = \"{theirs}\""),
            format!("\"image.sha256\" = \"{theirs}\""),
            format!("[[match]]\nwhen.mac = \"52:54:00:12:34:02\"\nimage.sha256 = \"{theirs}\""),
        ] {
            let (machine, end) =
                boot(&format!("root=live:http://10.0.2.2/os ip=dhcp quiet {cmdline}"), |state| {
                    put(state, "/etc/dayfly.toml", &file(initramfs));
                    state.attach_settings("vdc", "config", &file(&stick));
                });
            assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{}", log(&machine));
            let errors = errors(&machine);
            assert_eq!(errors.matches("[config.trust]").count(), 1, "{errors}");
            assert!(
                errors.contains("image.sha256 is not used") && errors.contains("(from /config"),
                "{errors}"
            );
            let belongs = format!("image.sha256 belongs to {owner}: no later source can replace it.");
            assert!(log(&machine).contains(&belongs), "{}", log(&machine));
        }
        // The stick sets another image: the hash still decides.
        let (machine, end) = boot(&format!("root=live:http://10.0.2.2/os ip=dhcp {cmdline}"), |state| {
            let name = "image.url = \"http://evil/os\"\n";
            put(state, "/etc/dayfly.toml", &file(initramfs));
            state.pages.insert("http://evil/os".to_owned(), evil());
            state.attach_settings("vdc", "config", &file(&format!("{name}image.sha256 = \"{theirs}\"")));
            if initramfs.is_empty() {
                // root= on the command line takes precedence; without it, the stick may set the location of the image.
                put(state, "/proc/cmdline", &format!("ip=dhcp {cmdline}"));
            } else {
                put(state, "/proc/cmdline", "ip=dhcp");
            }
        });
        let screen = refused(&machine, &end, "image.hash-mismatch");
        assert!(screen.contains(&theirs) && screen.contains(&ours()), "{screen}");
    }
}

/// Settings from a man in the middle that would give root rights stop the boot before an image is fetched.
#[test]
fn plain_http_settings_do_not_become_root() {
    let cmdline = format!("root=live:http://10.0.2.2/os ip=dhcp dayfly.settings.url={SETTINGS}");
    for wish in [
        "user.root.authorized_keys = [\"ssh-ed25519 AAAA evil\"]",
        "file.\"/etc/cron.d/x\".content = \"* * * * * root id\"",
        "unit.\"x.service\".content = \"[Service]\"",
        "script.node.git = \"https://evil/x\"",
        "sysctl.\"kernel.core_pattern\" = \"|/bin/sh\"",
        "image.url = \"http://evil/os\"",
        &format!("image.sha256 = \"{}\"", sha256(&evil())),
        &format!("kubelet.ca = '''{OTHER_CA}'''"),
        "init = \"/bin/sh\"",
        "[[match]]\nwhen.mac = \"52:54:00:12:34:02\"\ninit = \"/bin/sh\"",
    ] {
        let ways = ["", " dayfly.settings.required=no", " dayfly.settings.trust=any"];
        for required in &ways[..if wish.starts_with("init") { 3 } else { 1 }] {
            let (machine, end) = boot(&format!("{cmdline}{required}"), |state| {
                state.pages.insert(SETTINGS.to_owned(), file(wish).into_bytes());
            });
            let screen = refused(&machine, &end, "config.trust");
            let name = wish.rsplit_once("]]\n").map_or(wish, |(_, rest)| rest.split_once('\n').unwrap().1);
            let name = name.split(" = ").next().unwrap().replace('"', "");
            let name = if required.contains("trust") { "dayfly.settings.trust=" } else { &name };
            assert!(screen.contains(name), "{name}: {screen}");
            let calls = machine.state().calls.clone();
            assert!(
                !calls.iter().any(|call| call.starts_with("open_url") && call.ends_with("/os")),
                "an image was fetched"
            );
        }
    }
    // Only the initramfs can allow this.
    let (machine, end) = boot(&cmdline, |state| {
        put(state, "/etc/dayfly.toml", &file("settings.trust = \"any\""));
        state.pages.insert(SETTINGS.to_owned(), file("sysctl.\"kernel.panic\" = 10").into_bytes());
    });
    assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{}", log(&machine));
    assert!(log(&machine).contains("plain http may set anything"), "{}", log(&machine));
}

/// A man in the middle may set the location of the image only if a hash identifies the image.
#[test]
fn plain_http_settings_move_an_image_that_has_a_hash() {
    let cmdline = format!("ip=dhcp dayfly.settings.url={SETTINGS} dayfly.image.sha256={}", ours());
    let settings = file("image.url = \"http://mirror/os\"").into_bytes();
    let (machine, end) =
        boot(&cmdline, |state| drop(state.pages.insert(SETTINGS.to_owned(), settings.clone())));
    assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{}", log(&machine));
    let (machine, end) = boot(&cmdline, |state| {
        state.pages.insert(SETTINGS.to_owned(), settings);
        state.pages.insert("http://mirror/os".to_owned(), evil());
    });
    refused(&machine, &end, "image.hash-mismatch");
}

#[test]
fn the_images_defaults_do_not_replace_the_clusters_ca() {
    let (machine, end) = boot("root=live:http://10.0.2.2/os ip=dhcp quiet", |state| {
        put(state, "/etc/dayfly.toml", &file(&format!("kubelet.ca = '''{CA}'''")));
        let theirs = file(&format!("kubelet.enabled = true\nkubelet.ca = '''{OTHER_CA}'''"));
        put(state, "/run/dayfly/l/usr/lib/dayfly/settings.toml", &theirs);
    });
    assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{}", log(&machine));
    let errors = errors(&machine);
    assert!(errors.contains("kubelet.ca is not used: it would replace the value from initramfs"), "{errors}");
    let report = machine.report();
    let rows = report["settings"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == "kubelet.ca").unwrap();
    assert_eq!(row["source"], "initramfs");
}

/// The policy for USB sticks: settings that are not allowed are ignored and logged, and the node boots as its owner
/// configured it.
#[test]
fn a_limited_stick_does_not_become_root() {
    let stick = file("hostname = \"from-stick\"\nfile.\"/etc/evil\".content = \"x\"\nconfig.trust = \"any\"");
    for limited in [true, false] {
        let word = if limited { "dayfly.config.trust=limited" } else { "" };
        let (machine, end) = boot(&format!("root=live:http://10.0.2.2/os ip=dhcp {word}"), |state| {
            state.attach_settings("vdc", "config", &stick);
        });
        assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{}", log(&machine));
        let state = machine.state();
        assert_eq!(state.nodes.keys().any(|path| path.ends_with("etc/evil")), !limited);
        assert_eq!(state.hostname.as_deref(), Some("from-stick"));
        drop(state);
        assert_eq!(errors(&machine).contains("file./etc/evil.content is not used"), limited);
    }
}
