//! Attacks on settings that decide trust, one for each path: the attempt, the result, the message.

use dayfly_plan::settings::{Gathered, gather};
use dayfly_plan::{Code, Credential, Fact, Facts, Problem, Secret, Severity, Source, StepId, Store, plan};

const CA: &str = include_str!("../../formats/src/x509/ca.pem");
const OTHER_CA: &str = include_str!("../../formats/src/x509/ca-other.pem");
const HTTP: Source = Source::Url { secure: false };
const HTTPS: Source = Source::Url { secure: true };
const ROOT: &str = "root=live:http://boot/os.squashfs";

fn hash(digit: char) -> String {
    String::from(digit).repeat(64)
}

fn file(body: &str) -> String {
    format!("version = 1\n{body}\n")
}

fn sha(digit: char) -> String {
    format!("image.sha256 = \"{}\"", hash(digit))
}

fn credential(facts: &mut Facts, store: Store, name: &str, value: &str) {
    facts.learn(Fact::Credential(store, Credential { name: name.to_owned(), value: Secret::new(value) }));
}

/// The value and source of a setting; `-` if it has none.
fn shown(settings: &Gathered, name: &str) -> (String, String) {
    let row = settings.shown().into_iter().find(|row| row.name == name);
    row.map_or_else(|| ("-".to_owned(), "nobody".to_owned()), |row| (row.value, row.source.to_string()))
}

fn said(problems: &[Problem]) -> Vec<(Severity, Code, String)> {
    problems.iter().map(|problem| (problem.severity, problem.code, problem.text.clone())).collect()
}

/// The hash is unchanged, and the attempt is reported once with its name, its source and the owner.
fn hash_holds(facts: &Facts, owner: &str, severity: Severity) {
    let (settings, problems) = gather(facts);
    let (value, source) = shown(&settings, "image.sha256");
    assert!(value == hash('a') && source == owner, "{value} of {source}, expected that of {owner}");
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!((problem.severity, problem.code), (severity, Code::ConfigTrust), "{problem:?}");
    assert!(problem.text.contains("image.sha256"), "{problem}");
    assert!(problem.text.contains(&format!("the value from {owner}")), "{problem}");
    let plan = plan(&settings, &facts.discovered);
    let words = plan.step(StepId::Verify).unwrap().action.to_string();
    assert_eq!(words, "compare SHA-256 with aaaaaaaaaaaa…");
    let note = format!("image.sha256 belongs to {owner}: no later source can replace it.");
    assert!(plan.notes.contains(&note), "{:?}", plan.notes);
}

#[test]
fn a_hash_in_the_initramfs_is_not_replaced() {
    use Severity::{Refuse, Warn};
    let owned = || Facts::from_cmdline(ROOT).with_file(file(&sha('a')));
    for (source, severity) in [(Source::Config, Warn), (HTTPS, Warn), (HTTP, Refuse)] {
        for evil in [
            sha('b'),
            format!("image.url = \"https://evil/os\"\n{}", sha('b')),
            format!("[image]\n\"sha256\" = \"{}\"", hash('b')),
            format!("'image.sha256' = \"{}\"", hash('b')),
            format!("[[match]]\nwhen.hostname = \"*\"\n{}", sha('b')),
        ] {
            let mut facts = owned().with_settings(source.clone(), file(&evil));
            facts.discovered.machine.network_name = Some("worker7".parse().unwrap());
            if severity == Refuse {
                let (settings, problems) = gather(&facts);
                assert_eq!(shown(&settings, "image.sha256"), (hash('a'), "initramfs".to_owned()));
                assert!(
                    problems
                        .iter()
                        .any(|problem| problem.code == Code::ConfigTrust && problem.severity == Refuse)
                );
            } else {
                hash_holds(&facts, "initramfs", severity);
            }
        }
    }
    // Two sources that the operator chose for this machine contradict each other: the boot is refused.
    let facts =
        Facts::from_cmdline(format!("{ROOT} dayfly.image.sha256={}", hash('b'))).with_file(file(&sha('a')));
    hash_holds(&facts, "initramfs", Refuse);
    let facts =
        Facts::from_cmdline(format!("{ROOT} dayfly.image-sha256=x \"dayfly.image.sha256={}\"", hash('B')));
    let (_, problems) = gather(&facts.with_file(file(&sha('a'))));
    assert_eq!(
        problems.iter().filter(|problem| problem.code == Code::ConfigTrust).count(),
        1,
        "{problems:?}"
    );
    for (store, name, value) in [
        (Store::Smbios, "dayfly.image.sha256", hash('b')),
        (Store::FwCfg, "dayfly.image.sha256", hash('b')),
        (Store::FwCfg, "dayfly.toml", file(&sha('b'))),
    ] {
        let mut facts = owned();
        credential(&mut facts, store, name, &value);
        hash_holds(&facts, "initramfs", Refuse);
    }
}

#[test]
fn a_hash_on_the_command_line_is_not_replaced() {
    let with_hash = || Facts::from_cmdline(format!("{ROOT} dayfly.image.sha256={}", hash('a')));
    let owner = "cmdline dayfly.image.sha256=";
    for source in [Source::Config, HTTPS] {
        hash_holds(&with_hash().with_settings(source, file(&sha('b'))), owner, Severity::Warn);
    }
    let mut facts = with_hash();
    credential(&mut facts, Store::FwCfg, "dayfly.image.sha256", &hash('b'));
    hash_holds(&facts, owner, Severity::Warn);
    // The same value is not an attack, also in capitals.
    for source in [Source::Config, HTTPS, HTTP] {
        let facts = with_hash().with_settings(source, file(&sha('A')));
        let (settings, problems) = gather(&facts);
        assert_eq!(problems, []);
        assert_eq!(shown(&settings, "image.sha256").1, owner);
    }
}

#[test]
fn a_hash_of_the_firmware_is_not_replaced() {
    for source in [Source::Config, HTTPS] {
        let mut facts = Facts::from_cmdline(ROOT).with_settings(source, file(&sha('b')));
        credential(&mut facts, Store::Smbios, "dayfly.image.sha256", &hash('a'));
        hash_holds(&facts, "smbios dayfly.image.sha256", Severity::Warn);
    }
}

/// An empty list does not clear a setting that is not a list.
#[test]
fn an_empty_list_drops_no_anchor() {
    for source in [Source::Config, HTTPS, HTTP, Source::Image] {
        for name in ["image.sha256", "kubelet.ca", "script.node.known_hosts"] {
            let facts = Facts::from_cmdline(ROOT)
                .with_file(file(&format!(
                    "{}\nkubelet.ca = '''{CA}'''\nscript.node.known_hosts = 'host ssh-ed25519 AAAA'",
                    sha('a')
                )))
                .with_settings(source.clone(), file(&format!("{name} = []")));
            let (settings, problems) = gather(&facts);
            assert_eq!(shown(&settings, name).1, "initramfs", "{source} {name}");
            assert_eq!(problems.len(), 1, "{source} {name}: {problems:?}");
        }
    }
}

#[test]
fn the_image_may_come_from_elsewhere_but_the_hash_decides() {
    for source in [Source::Config, HTTPS, HTTP] {
        let facts = Facts::from_cmdline("ip=dhcp")
            .with_file(file(&format!("image.url = \"http://boot/os\"\n{}", sha('a'))))
            .with_settings(source, file("image.url = \"http://mirror/os\""));
        let (settings, problems) = gather(&facts);
        assert_eq!(problems, []);
        assert_eq!(shown(&settings, "image.url").0, "http://mirror/os");
        let plan = plan(&settings, &facts.discovered);
        assert_eq!(
            plan.step(StepId::Verify).unwrap().action.to_string(),
            "compare SHA-256 with aaaaaaaaaaaa…"
        );
    }
}

#[test]
fn the_clusters_ca_is_not_replaced() {
    let kubeconfig = "kubelet.kubeconfig = '''\nclusters:\n- cluster: {server: https://10.0.0.1}\n'''";
    let other = format!("kubelet.ca = '''{OTHER_CA}'''");
    for (source, evil) in [
        (Source::Image, other.as_str()),
        (HTTPS, &other),
        (Source::Config, &other),
        // A kubeconfig contains a CA.
        (HTTPS, kubeconfig),
        (Source::Config, kubeconfig),
    ] {
        let facts = Facts::from_cmdline(ROOT)
            .with_file(file(&format!("kubelet.ca = '''{CA}'''")))
            .with_settings(source.clone(), file(evil));
        let (settings, problems) = gather(&facts);
        assert_eq!(settings.kubelet.ca.as_ref().unwrap().value.as_str(), CA, "{source}");
        assert_eq!(settings.kubelet.kubeconfig, None, "{source}");
        assert_eq!(problems.len(), 1, "{source}: {problems:?}");
        assert_eq!((problems[0].severity, problems[0].code), (Severity::Warn, Code::ConfigTrust));
        assert!(
            !problems[0].text.contains("BEGIN") && !problems[0].text.contains("10.0.0.1"),
            "{}",
            problems[0]
        );
    }
    // If no earlier source has set one, the image's own is accepted.
    let (settings, problems) = gather(
        &Facts::from_cmdline(ROOT).with_settings(Source::Image, file(&format!("kubelet.ca = '''{CA}'''"))),
    );
    assert!(settings.kubelet.ca.is_some() && problems.is_empty(), "{problems:?}");
}

#[test]
fn known_hosts_are_owned_for_each_script() {
    let facts = Facts::from_cmdline(ROOT)
        .with_file(file("script.node.known_hosts = 'host ssh-ed25519 AAAA'"))
        .with_settings(Source::Config, file("script.node.known_hosts = 'evil ssh-ed25519 AAAA'\nscript.more.known_hosts = 'host ssh-rsa AAAA'"));
    let (settings, problems) = gather(&facts);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(settings.scripts["node"].known_hosts.as_ref().unwrap().value, "host ssh-ed25519 AAAA");
    assert_eq!(settings.scripts["more"].known_hosts.as_ref().unwrap().source, Source::Config);
}

/// Everything that a malicious server may want to set, in all spellings that reach a setting.
const WISHES: &[(&str, &str)] = &[
    ("user.root.authorized_keys", "user.root.authorized_keys = 'ssh-ed25519 AAAA evil'"),
    (
        "user.root.authorized-keys",
        "user.root.authorized-keys = ['ssh-ed25519 AAAA evil', 'ssh-ed25519 AAAA two']",
    ),
    ("user.root.authorized_keys", "user.root.authorized_keys = []"),
    ("file./etc/cron.d/x.content", "file.'/etc/cron.d/x'.content = '* * * * * root id'"),
    ("file./etc/cron.d/x.content", "'file./etc/cron.d/x.content' = '* * * * * root id'"),
    ("file./etc/shadow.owner", "file.'/etc/shadow'.owner = 'nobody'"),
    ("file./etc/shadow.mode", "file.'/etc/shadow'.mode = '0666'"),
    ("unit.x.service.content", "unit.'x.service'.content = '[Service]'"),
    ("unit.ssh.service.enable", "unit.'ssh.service'.enable = true"),
    ("script.node.git", "script.node.git = 'https://evil/x'"),
    ("script.node.known-hosts", "script.node.known-hosts = 'evil ssh-rsa AAAA'"),
    ("git", "git = 'https://evil/x'"),
    ("sysctl.kernel.core_pattern", "sysctl.kernel.core_pattern = '|/bin/sh'"),
    ("image.url", "image.url = 'http://evil/os'"),
    ("image.url", "'image.url' = 'http://evil/os'"),
    ("image.url", "image.'url' = 'http://evil/os'"),
    ("image.device", "image.device = 'LABEL=evil'"),
    ("image.file", "image.file = 'old.img'"),
    ("image.sha256", "image.sha256 = 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'"),
    ("kubelet.enabled", "kubelet.enabled = true"),
    ("kubelet.args", "kubelet.args = ['--anonymous-auth=true']"),
    ("kubelet.args", "kubelet.args = []"),
    ("kubelet.config", "kubelet.config = 'kind: KubeletConfiguration'"),
    ("kubelet.server", "kubelet.server = 'https://evil'"),
    ("k0s.role", "k0s.role = 'worker'"),
    ("k0s.program", "k0s.program = '/var/tmp/k0s'"),
    ("k3s.config", "k3s.config = 'x: y'"),
    ("k3s.server", "k3s.server = 'https://evil'"),
    ("init", "init = '/bin/sh'"),
    ("os.modules", "os.modules = 'evil'"),
    ("layout./etc", "layout.'/etc' = 'persistent'"),
    ("state.device", "state.device = 'LABEL=evil'"),
    ("ssh.host_keys", "ssh.host_keys = 'image'"),
    ("failure.shell", "failure.shell = true"),
    ("report", "report = 'http://evil/'"),
];

#[test]
fn plain_http_sets_nothing_that_runs_as_root() {
    let machine = |facts: Facts| {
        let mut facts = facts;
        facts.discovered.machine.network_name = Some("worker7".parse().unwrap());
        facts
    };
    for (name, wish) in WISHES {
        for evil in [(*wish).to_owned(), format!("[[match]]\nwhen.hostname = '*'\n{wish}")] {
            let facts = machine(Facts::from_cmdline(ROOT).with_settings(HTTP, file(&evil)));
            let (settings, problems) = gather(&facts);
            let [problem] = problems.as_slice() else { panic!("{evil}: {problems:?}") };
            assert_eq!(
                (problem.severity, problem.code),
                (Severity::Refuse, Code::ConfigTrust),
                "{evil}: {problem}"
            );
            assert!(problem.text.starts_with(&format!("{name} ")), "{evil}: {problem}");
            assert!(problem.text.contains("settings.trust = \"any\""), "{problem}");
            let from_there = settings.shown().into_iter().find(|row| row.source.file() == &HTTP);
            assert_eq!(from_there, None, "{evil}");
        }
        // It is accepted if nobody on the network path can have changed it, and if the initramfs allows it.
        let free = Facts::from_cmdline(ROOT).with_file(file("settings.trust = 'any'"));
        for facts in [
            machine(free).with_settings(HTTP, file(wish)),
            machine(Facts::from_cmdline(ROOT)).with_settings(HTTPS, file(wish)),
            machine(Facts::from_cmdline(ROOT)).with_settings(Source::Config, file(wish)),
        ] {
            let (_, problems) = gather(&facts);
            assert_eq!(said(&problems), [], "{wish}");
        }
    }
}

#[test]
fn plain_http_still_describes_a_node() {
    let text = file(
        "kubelet.labels = ['rack=r1']\nkubelet.taints = ['a=b:NoSchedule']\nroot.size = '2G'\nfailure.pause = 3\nimage.stall = 30",
    );
    let (settings, problems) = gather(&Facts::from_cmdline(ROOT).with_settings(HTTP, text));
    assert_eq!(problems, []);
    assert_eq!(shown(&settings, "kubelet.labels"), ("rack=r1".to_owned(), "url (no TLS)".to_owned()));
}

/// Only the builder of the initramfs can set `settings.trust`.
#[test]
fn only_the_initramfs_frees_plain_http() {
    let evil = file("init = '/bin/sh'");
    let holds = |facts: Facts, rest: &[(Severity, Code)]| {
        let (settings, problems) = gather(&facts.with_settings(HTTP, evil.clone()));
        assert_eq!(settings.init, None);
        let mut found: Vec<_> = problems.iter().map(|problem| (problem.severity, problem.code)).collect();
        let refused = found.iter().position(|found| *found == (Severity::Refuse, Code::ConfigTrust));
        found.remove(refused.expect("init is refused"));
        assert_eq!(found, rest, "{problems:?}");
    };
    let refused = (Severity::Refuse, Code::ConfigTrust);
    let late = (Severity::Warn, Code::ConfigTooLate);
    let root = || Facts::from_cmdline(ROOT);
    holds(root(), &[]);
    holds(root().with_file(file("settings.trust = 'limited'")), &[]);
    holds(Facts::from_cmdline(format!("{ROOT} dayfly.settings.trust=any")), &[refused]);
    holds(
        Facts::from_cmdline(format!("{ROOT} dayfly.settings-trust=any")),
        &[(Severity::Warn, Code::ConfigUnknown)],
    );
    holds(root().with_settings(Source::Config, file("settings.trust = 'any'")), &[late]);
    holds(root().with_settings(Source::Image, file("settings.trust = 'any'")), &[late]);
    let mut facts = root();
    credential(&mut facts, Store::Smbios, "dayfly.settings.trust", "any");
    holds(facts, &[refused]);
    // A server cannot allow itself more.
    let (settings, problems) =
        gather(&root().with_settings(HTTP, file("init = '/bin/sh'\nsettings.trust = 'any'")));
    assert_eq!((settings.settings.init, problems.len()), (None, 2), "{problems:?}");
}

#[test]
fn a_stick_is_as_free_as_the_first_places_say() {
    let stick = file(
        "hostname = 'from-stick'\nunit.'x.service'.content = '[Service]'\nconfig.trust = 'any'\nsettings.trust = 'any'",
    );
    let late = (Severity::Warn, Code::ConfigTooLate);
    let dropped = (Severity::Warn, Code::ConfigTrust);
    let mut by_firmware = Facts::from_cmdline(ROOT);
    credential(&mut by_firmware, Store::Smbios, "dayfly.config.trust", "limited");
    for (facts, is_limited) in [
        (Facts::from_cmdline(ROOT), false),
        (Facts::from_cmdline(format!("{ROOT} dayfly.config.trust=limited")), true),
        (Facts::from_cmdline(ROOT).with_file(file("config.trust = 'limited'")), true),
        (by_firmware, true),
    ] {
        let facts = facts.with_settings(Source::Config, stick.clone());
        let (settings, problems) = gather(&facts);
        let mut found: Vec<_> = problems.iter().map(|problem| (problem.severity, problem.code)).collect();
        found.retain(|problem| *problem != late);
        assert_eq!(found, if is_limited { vec![dropped] } else { vec![] }, "{problems:?}");
        assert_eq!(settings.node.units().is_empty(), is_limited);
        assert_eq!(shown(&settings, "hostname").0, "from-stick");
        let notes = plan(&settings, &facts.discovered).notes;
        assert_eq!(notes.iter().any(|note| note.contains("config.trust")), is_limited, "{notes:?}");
    }
}

/// A bridge connects networks. A URL is read over the network, so it is too late for it in any case.
#[test]
fn a_limited_stick_creates_no_links() {
    let links = [("vlan", "vlan5:eth0"), ("bond", "bond0:eth0"), ("bridge", "br0:eth0,eth1")];
    for (key, value) in links {
        let wish = file(&format!("network.{key} = '{value}'"));
        let limited = Facts::from_cmdline(format!("{ROOT} dayfly.config.trust=limited"));
        for (facts, source, code) in [
            (limited, Source::Config, Some(Code::ConfigTrust)),
            (Facts::from_cmdline(ROOT), Source::Config, None),
            (Facts::from_cmdline(ROOT), HTTP, Some(Code::ConfigTooLate)),
        ] {
            let (settings, problems) = gather(&facts.with_settings(source.clone(), wish.clone()));
            let found: Vec<_> = problems.iter().map(|problem| (problem.severity, problem.code)).collect();
            assert_eq!(
                found,
                code.map(|code| (Severity::Warn, code)).into_iter().collect::<Vec<_>>(),
                "{key} {source}"
            );
            assert_eq!(
                shown(&settings, &format!("network.{key}")).0 == "-",
                code.is_some(),
                "{key} {source}"
            );
        }
    }
}

#[test]
fn the_plan_says_that_plain_http_is_free() {
    let facts = Facts::from_cmdline(ROOT).with_file(file("settings.trust = 'any'"));
    let notes = plan(&gather(&facts).0, &facts.discovered).notes;
    assert!(
        notes.iter().any(|note| note.contains("plain http may set anything (settings.trust, initramfs)")),
        "{notes:?}"
    );
}

/// A rule with a host name condition depends on the DHCP server, whether it holds or not. The plan says so.
#[test]
fn an_anchor_that_depends_on_the_host_name_is_noted() {
    let rule = |when: &str| file(&format!("[[match]]\nwhen = {{ {when} }}\n{}", sha('a')));
    for (when, words, is_noted) in [
        ("hostname = \"n1\"", ROOT.to_owned(), true),
        ("hostname = \"n1\", mac = \"52:54:00:12:34:56\"", ROOT.to_owned(), true),
        // The command line can be changed where the initramfs cannot.
        ("hostname = \"n1\"", format!("{ROOT} dayfly.hostname=n1"), true),
        ("hostname = \"n1\"", format!("{ROOT} dayfly.hostname=n2"), true),
        ("mac = \"52:54:00:12:34:56\"", ROOT.to_owned(), false),
    ] {
        let facts = Facts::from_cmdline(words.clone()).with_file(rule(when));
        let notes = plan(&gather(&facts).0, &facts.discovered).notes;
        let with_name = rule(when).replacen("version = 1\n", "version = 1\nhostname = \"n1\"\n", 1);
        assert!(with_name.contains("hostname = \"n1\"\n"), "{with_name}");
        let named = Facts::from_cmdline(ROOT).with_file(with_name);
        let named = plan(&gather(&named).0, &named.discovered).notes;
        assert!(!named.iter().any(|text| text.contains("depends on the host name")), "{named:?}");
        let note = "image.sha256 depends on the host name (initramfs, match 1)";
        let found = notes.iter().any(|text| text.starts_with(note));
        assert_eq!(found, is_noted, "{when} {words}: {notes:?}");
    }
}
