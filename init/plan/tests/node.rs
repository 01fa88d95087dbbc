//! Files, users, sysctls and units: from the settings into the plan, without showing a secret.

use dayfly_plan::settings::{Gathered, gather};
use dayfly_plan::{
    Action, Code, Credential, Fact, Facts, Plan, Problem, Secret, Severity, Source, StepId, Store, plan,
};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHd3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3 me@here";
const HASH: &str = "$6$dayfly$VeryMuchASecretHash";

fn facts(file: &str) -> Facts {
    Facts::from_cmdline("root=/dev/vda").with_settings(Source::Config, format!("version = 1\n{file}"))
}

fn good(file: &str) -> (Gathered, Plan) {
    let facts = facts(file);
    let (settings, problems) = gather(&facts);
    assert_eq!(problems, [], "{file}");
    let plan = plan(&settings, &facts.discovered);
    (settings, plan)
}

fn problem(file: &str) -> Problem {
    let (_, mut problems) = gather(&facts(file));
    assert_eq!(problems.len(), 1, "{file}: {problems:?}");
    problems.remove(0)
}

#[test]
fn everything_of_a_node_is_in_its_plan_and_no_secret_is() {
    let file = format!(
        "os.modules = [\"br_netfilter\", \"nf-conntrack\"]
[file.\"/etc/app/app.conf\"]
content = \"one\\ntwo\\n\"
owner = \"admin:ssl-cert\"
[file.\"/etc/app/token\"]
secret = \"SESAME\"
[file.\"/etc/a\"]
content = \"\"
mode = \"0755\"
[file.\"/etc/b\"]
content = \"x\"
[user.admin]
authorized_keys = [\"{KEY}\", \"command=\\\"/bin/true\\\",no-pty {KEY}\"]
password_hash = \"{HASH}\"
[sysctl]
\"net.ipv4.ip_forward\" = 1
net.core.somaxconn = 4096
[unit.\"thing.service\"]
content = \"[Service]\\nExecStart=/bin/true\\n\"
enable = true
[unit.\"other.timer\"]
enable = false
"
    );
    let (settings, plan) = good(&file);
    let text = plan.to_string();
    for words in [
        "write /etc/a 0755, /etc/app/app.conf 0644, /etc/app/token 0600 (secret) and 1 more",
        "give admin 2 keys and password",
        "set net.core.somaxconn=4096, net.ipv4.ip_forward=1",
        "load br_netfilter nf_conntrack from the image",
        "have other.timer disabled, thing.service enabled",
        "persistent ssh host keys",
    ] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
    let Some(Action::WriteFiles(files)) = plan.step(StepId::Files).map(|step| &step.action) else {
        panic!("{text}")
    };
    assert_eq!(files.len(), 4);
    assert_eq!(files[1].owner.as_ref().unwrap().to_string(), "admin:ssl-cert");
    assert_eq!(files[2].content.as_ref().unwrap().expose(), "SESAME");
    let everything = format!("{settings:?} {:?} {plan:?} {text} {:?}", settings.shown(), facts(&file));
    assert!(!everything.contains("SESAME") && !everything.contains("VeryMuchASecret"), "{everything}");
    let shown = settings.shown();
    let row = |name: &str| shown.iter().find(|row| row.name == name).map(|row| row.value.as_str());
    assert_eq!(row("file./etc/app/token.secret"), Some("(secret)"));
    assert_eq!(row("file./etc/app/app.conf.content"), Some("8 bytes"));
    assert_eq!(row("user.admin.password_hash"), Some("(secret)"));
    assert_eq!(row("sysctl.net.ipv4.ip_forward"), Some("1"));
}

#[test]
fn of_content_and_secret_the_later_one_counts() {
    let in_image = "version = 1\nfile.\"/a\" = { content = \"default\", mode = \"0640\" }\n";
    let facts = facts("file.\"/a\".secret = \"SESAME\"").with_settings(Source::Image, in_image);
    let (settings, problems) = gather(&facts);
    assert_eq!(problems, []);
    let plan = plan(&settings, &facts.discovered);
    let Some(Action::WriteFiles(files)) = plan.step(StepId::Files).map(|step| &step.action) else {
        panic!("{plan}")
    };
    assert_eq!((files[0].content.as_ref().unwrap().expose(), files[0].mode), ("SESAME", 0o640));
}

#[test]
fn what_nobody_asked_for_is_not_in_the_plan() {
    let (_, plan) = good("");
    for step in [StepId::Files, StepId::Users, StepId::Units, StepId::Sysctls, StepId::OsModules] {
        assert!(plan.step(step).is_none(), "{step}");
    }
    assert!(plan.step(StepId::HostKeys).is_some());
    for file in ["ssh.host_keys = \"image\"", "file.\"/etc/ssh/ssh_host_ed25519_key\".secret = \"KEY\""] {
        assert!(good(file).1.step(StepId::HostKeys).is_none(), "{file}");
    }
}

#[test]
fn what_is_wrong_is_refused_in_these_words() {
    for (file, words) in [
        ("file.\"etc/a\".content = \"x\"", "\"etc/a\" is not an absolute path without . and .."),
        ("file.\"/proc/a\".content = \"x\"", "\"/proc/a\" belongs to the kernel"),
        (
            "file.\"/a\" = {content = \"x\", mode = 0o640}",
            "file./a.mode: a text in quotes is expected, but this is a number",
        ),
        (
            "file.\"/a\" = {content = \"x\", mode = \"4755\"}",
            "\"4755\" is not a mode: four octal digits in quotes",
        ),
        ("file.\"/a\" = {content = \"x\", mode = \"0o77\"}", "\"0o77\" is not a mode"),
        ("file.\"/a\" = {content = \"x\", owner = \"a b\"}", "\"a b\" is not the name of a user or group"),
        ("file.\"/a\" = {content = \"x\", owner = \"a:\"}", "\"\" is not the name of a user or group"),
        ("file.\"/a\".contents = \"x\"", "\"contents\" is not one of content, secret, mode, owner"),
        ("user.a.authorized_keys = \"ssh-ed25519\"", "it is none; a public key is one line"),
        ("user.a.authorized_keys = \"AAAAC3Nz\"", "it is none; a public key is one line"),
        (
            "user.a.authorized_keys = \"\"\"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n\"\"\"",
            "authorized_keys (41 bytes): it is a private key",
        ),
        ("user.a.password_hash = \"hunter22\"", "user.a.password_hash: it is not a password hash"),
        ("user.a.password_hash = \"$6$a:b$cccc\"", "user.a.password_hash: it is not a password hash"),
        ("user.\"../a\".authorized_keys = \"x\"", "\"../a\" is not the name of a user"),
        ("sysctl.\"net..core\" = 1", "\"net..core\" is not the name of a kernel parameter"),
        ("sysctl.\"net.*.x\" = 1", "is not the name of a kernel parameter"),
        ("sysctl.a = \"1\\n2\"", "a single line of text is expected"),
        ("unit.thing.enable = true", "\"thing\" is not the name of a unit, like \"thing.service\""),
        ("unit.\"../a.service\".enable = true", "is not the name of a unit"),
        ("unit.\"a.service\".enable = \"maybe\"", "\"maybe\" is not one of"),
        ("os.modules = \"a b\"", "\"a b\" is not the name of a module"),
        ("ssh.host_keys = \"none\"", "\"none\" is not one of persistent, ephemeral, image"),
    ] {
        let problem = problem(file);
        assert_eq!((problem.severity, problem.code), (Severity::Refuse, Code::ConfigValue), "{file}");
        assert!(problem.text.contains(words), "{file}: {}", problem.text);
        for secret in ["hunter22", "cccc", "b3Bl"] {
            assert!(!problem.text.contains(secret), "{file}: {}", problem.text);
        }
    }
}

#[test]
fn a_secret_comes_from_private_places_only() {
    for file in ["file.\"/a\".secret = \"SESAME\"", "user.root.password_hash = \"$6$a$SESAME\""] {
        let facts = Facts::from_cmdline("root=/dev/vda").with_file(format!("version = 1\n{file}"));
        let (_, problems) = gather(&facts);
        assert_eq!(problems.first().map(|problem| problem.code), Some(Code::ConfigSecret), "{file}");
        assert!(!format!("{problems:?}").contains("SESAME"));
    }
    let facts = Facts::from_cmdline("root=/dev/vda dayfly.file./a.secret=SESAME");
    let (_, problems) = gather(&facts);
    assert_eq!(problems.first().map(|problem| problem.code), Some(Code::ConfigSecret));
}

#[test]
fn systemds_credential_names_a_node_that_has_no_other_name() {
    let named = |cmdline: &str, credentials: &[(&str, &str)]| {
        let mut facts = Facts::from_cmdline(cmdline).with_file("version = 1\nhostname = \"of-the-file\"");
        for (name, value) in credentials {
            let credential = Credential { name: (*name).to_owned(), value: Secret::new(*value) };
            facts.learn(Fact::Credential(Store::Smbios, credential));
        }
        let (settings, problems) = gather(&facts);
        (settings.settings.hostname.unwrap().value.to_string(), problems)
    };
    let systemd = ("system.hostname", "of-systemd\n");
    for (cmdline, credentials, name) in [
        ("", &[systemd][..], "of-systemd"),
        ("", &[("dayfly.hostname", "ours"), systemd], "ours"),
        ("", &[systemd, ("dayfly.hostname", "ours")], "ours"),
        ("dayfly.hostname=cmdline", &[systemd], "cmdline"),
    ] {
        assert_eq!(named(cmdline, credentials), (name.to_owned(), vec![]), "{cmdline} {credentials:?}");
    }
    let (name, problems) = named("", &[("system.hostname", "not a name")]);
    assert_eq!(name, "of-the-file");
    assert_eq!((problems.len(), problems[0].severity), (1, Severity::Warn));
}
