//! Rules of settings files: which ones hold, what they set, and the messages about them.

use dayfly_formats::mac::Mac;
use dayfly_plan::settings::{Gathered, gather};
use dayfly_plan::{Credential, Fact, Facts, Machine, Problem, Secret, Source, Store};

const FLEET: &str = r#"
version = 1
hostname = "nobody"
network.dns = ["10.0.0.1", "10.0.0.2"]

[[match]]
when = { mac = ["52:54:00:12:34:56", "52:54:00:12:34:57"] }
hostname = "worker1"

[[match]]
when.uuid = "4C4C4544-0051-4410-8052-B4C04F4E4D32"
network.dns = "10.0.0.9"
[match.layout]
"/srv" = "persistent"

[[match]]
when.hostname = "worker*"
kubelet.enabled = true

[[match]]
when.hostname = "nobody"
kubelet.program = "/never"
"#;

fn facts() -> Facts {
    let mut facts = Facts::from_cmdline("root=http://boot/os");
    facts.discovered.machine = Machine {
        uuid: Some("4c4c4544-0051-4410-8052-b4c04f4e4d32".to_owned()),
        serial: None,
        macs: vec![Mac([0x52, 0x54, 0, 0x12, 0x34, 0x57])],
        network_name: None,
    };
    facts
}

fn value(settings: &Gathered, name: &str) -> Vec<(String, String)> {
    let rows = settings.shown().into_iter().filter(|row| row.name == name);
    rows.map(|row| (row.value, row.source.to_string())).collect()
}

fn one(value: &str, source: &str) -> Vec<(String, String)> {
    vec![(value.to_owned(), source.to_owned())]
}

fn texts(problems: &[Problem]) -> Vec<String> {
    let text = |problem: &Problem| format!("{:?} {problem} ({})", problem.severity, problem.source);
    problems.iter().map(text).collect()
}

#[test]
fn one_file_serves_a_fleet() {
    let (settings, problems) = gather(&facts().with_file(FLEET));
    assert_eq!(texts(&problems), [""; 0]);
    assert_eq!(value(&settings, "hostname"), one("worker1", "initramfs, match 1"));
    // A list in a rule replaces the list of its file.
    assert_eq!(value(&settings, "network.dns"), one("10.0.0.9", "initramfs, match 2"));
    assert_eq!(value(&settings, "layout./srv"), one("persistent", "initramfs, match 2"));
    assert_eq!(value(&settings, "kubelet.enabled"), one("yes", "initramfs, match 3"));
    assert_eq!(value(&settings, "kubelet.program"), one("/usr/bin/kubelet", "default"));

    let mut other = facts().with_file(FLEET);
    other.discovered.machine = Machine::default();
    let (settings, problems) = gather(&other);
    assert_eq!(texts(&problems), [""; 0]);
    assert_eq!(value(&settings, "hostname"), one("nobody", "initramfs"));
    assert_eq!(value(&settings, "network.dns").len(), 2);
    assert_eq!(value(&settings, "kubelet.program"), one("/never", "initramfs, match 4"));
    assert!(settings.asked.macs && settings.asked.name);
}

#[test]
fn a_rule_has_the_precedence_of_its_file() {
    let facts = facts().with_file(FLEET).with_settings(
        Source::Image,
        "version = 1\n[[match]]\nwhen.hostname = '*'\nkubelet.enabled = false\nretry = 5\ninit = '/image'\n",
    );
    let (settings, problems) = gather(&facts);
    assert_eq!(value(&settings, "kubelet.enabled"), one("yes", "initramfs, match 3"));
    assert_eq!(value(&settings, "init"), one("/image", "image, match 1"));
    // A rule cannot set what its file cannot set.
    assert_eq!(
        texts(&problems),
        [
            "Warn retry comes too late to be used: it is needed before the network comes up, and image, match 1 is \
          read after that. (image, match 1)"
        ]
    );
    let mut facts = facts.with_settings(Source::Config, "version = 1\nhostname = 'from-config'\n");
    let (settings, _) = gather(&facts);
    assert_eq!(value(&settings, "hostname"), one("from-config", "/config"));
    // Rules are matched with the name that the node gets.
    assert_eq!(value(&settings, "kubelet.enabled"), one("no", "image, match 1"));
    facts.cmdline.push_str(" dayfly.hostname=worker9");
    assert_eq!(value(&gather(&facts).0, "kubelet.enabled"), one("yes", "initramfs, match 3"));
}

#[test]
fn an_empty_list_drops_what_lower_places_have() {
    let low = "version = 1\nkubelet = { args = ['--v=4'], labels = ['a=b'] }\nuser.core.authorized_keys = ['ssh-ed25519 AAAA a']\n";
    let high = "version = 1\nkubelet.args = []\nkubelet.cluster_dns = []\nuser.core.authorized_keys = []\n";
    let facts = facts().with_settings(Source::Image, low).with_settings(Source::Config, high);
    let (settings, problems) = gather(&facts);
    assert_eq!(texts(&problems), [""; 0]);
    assert_eq!(value(&settings, "kubelet.args"), one("-", "/config"));
    assert_eq!(value(&settings, "kubelet.cluster_dns"), one("-", "/config"));
    assert_eq!(value(&settings, "kubelet.labels"), one("a=b", "image"));
    assert_eq!(value(&settings, "user.core.authorized_keys"), []);
    // A source that is too late to set a value is also too late to clear it. A setting with one value does not accept a
    // list.
    let late = "version = 1\nnetwork.dns = []\ninit = []\nlayout.'/srv' = []\nkubelet.argz = []\n";
    let facts = Facts::from_cmdline("root=http://boot/os dayfly.network.dns=10.0.0.1")
        .with_settings(Source::Image, late);
    let (settings, problems) = gather(&facts);
    assert_eq!(value(&settings, "network.dns"), one("10.0.0.1", "cmdline dayfly.network.dns="));
    assert_eq!(
        texts(&problems),
        [
            "Refuse init: it takes one value, not a list. (image)",
            "Warn kubelet.argz is not a setting of Dayfly; did you mean kubelet.args? (image)",
            "Refuse layout./srv: it takes one value, not a list. (image)",
            "Warn network.dns comes too late to be used: it is needed before the network comes up, and image is read after \
             that. (image)",
        ]
    );
}

#[test]
fn the_name_may_come_from_the_network() {
    let text = "version = 1\n[[match]]\nwhen.hostname = 'worker?'\nkubelet.enabled = true\nretry = 5\n";
    let mut facts = facts().with_file(text);
    let (settings, problems) = gather(&facts);
    assert!(settings.asked.name && !settings.asked.macs);
    assert_eq!(problems.len(), 1, "that it cannot set retry: {problems:?}");
    assert_eq!(value(&settings, "kubelet.enabled"), one("no", "default"));
    facts.learn(Fact::NetworkName("worker7".parse().unwrap()));
    let (settings, problems) = gather(&facts);
    assert_eq!(value(&settings, "kubelet.enabled"), one("yes", "initramfs, match 1"));
    assert_eq!(problems.len(), 1);
    assert!(problems[0].text.starts_with("retry comes too late"), "{problems:?}");
}

/// The network is needed to learn the name, so such a rule cannot configure it. The node says so before it brings it up.
#[test]
fn a_rule_by_host_name_cannot_set_the_network() {
    let text = "version = 1\n[[match]]\nwhen.hostname = 'worker?'\nnetwork.ip = 'eth0:dhcp'\n";
    let said = "Warn network.ip comes too late to be used: it is needed before the network comes up, but the host name that \
                initramfs, match 1 compares may come from the network; use a mac, uuid or serial condition, or set hostname \
                on the command line, in a firmware credential or on /config. (initramfs, match 1)";
    let mut nameless = facts().with_file(text);
    assert_eq!(texts(&gather(&nameless).1), [said]);
    nameless.learn(Fact::NetworkName("worker7".parse().unwrap()));
    let (settings, problems) = gather(&nameless);
    assert_eq!(texts(&problems), [said]);
    assert_eq!(value(&settings, "network.ip"), one("-", "default"));
    // With a name that is known before, it can.
    let mut named = facts().with_file(text);
    named.cmdline.push_str(" dayfly.hostname=worker7");
    let (settings, problems) = gather(&named);
    assert_eq!(texts(&problems), [""; 0]);
    assert_eq!(value(&settings, "network.ip"), one("eth0:dhcp", "initramfs, match 1"));
}

#[test]
fn addresses_are_known_only_when_the_drivers_are_there() {
    let text = "version = 1\n[[match]]\nwhen.mac = '52:54:00:12:34:57'\nmodules.load = 'x'\nretry = 5\n";
    let mut facts = facts().with_file(text);
    let found = Fact::Macs(std::mem::take(&mut facts.discovered.machine.macs));
    let (settings, problems) = gather(&facts);
    assert!(settings.asked.macs && problems.is_empty());
    facts.learn(found);
    let (settings, problems) = gather(&facts);
    assert_eq!(value(&settings, "retry"), one("5", "initramfs, match 1"));
    assert_eq!(problems.len(), 1);
    assert!(problems[0].text.starts_with("modules.load comes too late"), "{problems:?}");
}

#[test]
fn mistakes_are_named_by_the_rule_that_has_them() {
    for (rule, expected) in [
        (
            "[match]\nwhen.mac = 'x'",
            "Refuse \"match\" is a list of rules: each starts with [[match]], in double brackets.",
        ),
        ("match = [5]", "Refuse match 1: it is not a table: a rule starts with [[match]]."),
        ("[[match]]\nretry = 5", "Refuse match 1: it has no \"when\": "),
        ("[[match]]\nwhen.uuid = 'x'", "Refuse match 1: when.uuid: \"x\" is not a UUID"),
        (
            "[[match]]\nwhen.hostname = 'a*'\nhostname = 'b'",
            "Refuse match 1: it has a hostname condition, so it cannot set hostname.",
        ),
        // A mistake in a rule for this machine refuses the boot, but one in a rule for others does not.
        (
            "[[match]]\nwhen.mac = '52:54:00:12:34:57'\nretry = 'x'",
            "Refuse retry = x: \"x\" is not a number of seconds from 1 to 86400. (initramfs, match 1)",
        ),
        (
            "[[match]]\nwhen.mac = '00:00:00:00:00:01'\nretry = 'x'",
            "Warn retry = x: \"x\" is not a number of seconds from 1 to 86400. (initramfs, match 1)",
        ),
        (
            "[[match]]\nwhen.mac = '52:54:00:12:34:57'\nhostnmae = 'x'",
            "Warn hostnmae is not a setting of Dayfly; did you mean hostname? (initramfs, match 1)",
        ),
        (
            "[[match]]\nwhen.mac = '52:54:00:12:34:57'\n[[match]]\nwhen.serial = 'x'\nversion = 2",
            "Warn version is not a setting of Dayfly",
        ),
    ] {
        let (_, problems) = gather(&facts().with_file(format!("version = 1\n{rule}\n")));
        let found = texts(&problems);
        assert_eq!(found.len(), 1, "{rule}: {found:?}");
        assert!(found[0].starts_with(expected), "{rule}: {found:?}");
    }
}

#[test]
fn a_credential_of_its_own_wins_over_the_file_in_another() {
    let credential = |store, name: &str, value: &str| {
        Fact::Credential(store, Credential { name: name.to_owned(), value: Secret::new(value) })
    };
    let file = "version = 1\nhostname = 'file'\nretry = 7\n[[match]]\nwhen.mac = '52:54:00:12:34:57'\nhostname = 'rule'\n";
    // In either order.
    for reversed in [false, true] {
        let mut facts = facts();
        let mut found = vec![
            credential(Store::Smbios, "dayfly.toml", file),
            credential(Store::Smbios, "dayfly.hostname", "single\n"),
            credential(Store::Smbios, "dayfly.retry", "8"),
            credential(Store::FwCfg, "dayfly.toml", "version = 1\nretry = 9\n"),
            credential(Store::Smbios, "ssh.authorized_keys.root", "not ours"),
        ];
        if reversed {
            found.reverse();
        }
        for fact in found {
            facts.learn(fact);
        }
        let (settings, problems) = gather(&facts);
        assert_eq!(texts(&problems), [""; 0]);
        assert_eq!(value(&settings, "hostname"), one("single", "smbios dayfly.hostname"));
        assert_eq!(value(&settings, "retry"), one("9", "fw_cfg dayfly.toml"));
    }
}
