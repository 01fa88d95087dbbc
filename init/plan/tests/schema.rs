//! The JSON schema of settings files and the parser must agree. An independent validator checks the schema.

use std::fs;
use std::path::{Path, PathBuf};

use dayfly_plan::settings::{gather, schema};
use dayfly_plan::{Facts, Source};
use jsonschema::Validator;
use proptest::prelude::*;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn validator() -> Validator {
    jsonschema::draft7::new(&schema()).expect("the schema is valid")
}

/// The result of the schema for a settings file.
fn schema_says(validator: &Validator, text: &str) -> Result<(), String> {
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    let value = serde_json::to_value(table).unwrap();
    let wrong: Vec<String> =
        validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path)).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

/// The result of the parser, with a source that may contain secrets and is early enough for all settings.
fn parser_says(text: &str) -> Result<(), String> {
    let credential =
        dayfly_plan::Credential { name: "dayfly.toml".to_owned(), value: dayfly_plan::Secret::new(text) };
    let facts = Facts { credentials: vec![(dayfly_plan::Store::Smbios, credential)], ..Facts::default() };
    let wrong: Vec<String> = gather(&facts).1.iter().map(ToString::to_string).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

#[test]
fn the_schema_is_a_schema() {
    assert!(jsonschema::meta::is_valid(&schema()));
}

/// The examples that users start from must also be valid in the schema, which their editors use.
#[test]
fn examples_fit_the_schema() {
    let validator = validator();
    let mut files = 0;
    for entry in fs::read_dir(root().join("docs/examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files += 1;
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(schema_says(&validator, &text), Ok(()), "{}", path.display());
            assert_eq!(parser_says(&text), Ok(()), "{}", path.display());
        }
    }
    assert!(files >= 8, "only {files} examples were found");
}

#[test]
fn schema_and_parser_agree() {
    let digits = "0".repeat(64);
    let fine = [
        String::new(),
        format!("image.sha256 = \"{digits}\""),
        "image.url = \"https://boot:8443/os?x#y\"".into(),
        "image.url = \"http://[2001:db8::1]:80/os\"".into(),
        "image.device = \"/dev/disk/by-id/x\"".into(),
        "image.device = \"PARTLABEL=os image\"".into(),
        "image.stall = 1".into(),
        "image.stall = 86400".into(),
        "image.stall = \"20s\"".into(),
        "image.stall = \"86400\"".into(),
        "image.dir = \"/live/debian/\"".into(),
        "config.device = \"none\"".into(),
        "settings.url = \"https://boot/${mac:hexhyp}/${uuid}?s=${serial}&$x\"".into(),
        "network.dns = [\"10.0.2.3\", \"2001:db8::53\", \"::ffff:10.0.0.1\"]".into(),
        "network.ntp = [\"ntp.example.org\", \"10.0.2.9\", \"2001:db8::9\"]".into(),
        "network.dns = []".into(),
        "network.dns = \"10.0.2.3\"".into(),
        "network.ip = \"10.0.2.50::10.0.2.2:24:worker7:eth0:none\"".into(),
        "network.bootif = \"52-54-00-12-34-5\"".into(),
        "modules.load = [\"loop,overlay\", \"xt-comment\"]".into(),
        "state = { create = \"blank\", fstype = \"xfs\", disk = \"/dev/vdb\" }".into(),
        "root.size = 1073741824".into(),
        "root.size = \"512M\"".into(),
        "hostname = \"Worker7.example.org\"".into(),
        "ssh.host_keys = \"ephemeral\"".into(),
        "kubelet = { enabled = true, program = \"/usr/bin/kubelet\", args = [\"--v=2\"] }".into(),
        "k0s = { role = \"controller+worker\", config = \"spec: {}\", images = \"/usr/lib/k0s\", args = \"--debug\" }".into(),
        "k3s = { role = \"agent\", server = \"https://10.0.0.1:6443\", token = \"s\" }".into(),
        "kubelet.enabled = 1".into(),
        "kubelet.enabled = \"off\"".into(),
        "failure = { shell = false, action = \"halt\", pause = -1 }".into(),
        "failure.pause = \"0\"".into(),
        "git = \"git@host:path/x.git\"".into(),
        "[layout]\n\"/srv\" = \"persistent\"\n\"/tmp\" = \"tmpfs(512M)\"\n\"/a b\" = \"tmpfs\"".into(),
        "[file.\"/etc/a.conf\"]\ncontent = \"\"\nmode = \"0640\"\nowner = \"root:adm\"".into(),
        "file.\"/run/x\" = { secret = \"s\", owner = 1000 }".into(),
        "user.root.authorized_keys = [\"no-pty ssh-ed25519 AAAAC3Nz me\", \"ssh-rsa AAAAB3\"]".into(),
        "user.root.password_hash = \"$6$salt$hash\"".into(),
        "sysctl.\"net.ipv4.ip_forward\" = 1".into(),
        "sysctl.net.ipv4.ip_local_port_range = \"1024 65000\"".into(),
        "sysctl.\"net/ipv4/conf/eth0.5/forwarding\" = \"1\"".into(),
        "unit.\"a@b.service\" = { content = \"[Unit]\\n\", enable = true }".into(),
        "script.node = { git = \"ssh://git@host/x\", branch = \"main\", program = \"bin/run.sh\", interval = 60, ssh_key = \"k\", known_hosts = \"h\" }".into(),
        "[[match]]\nwhen = { mac = [\"52:54:00:12:34:56\"], serial = \"x\" }\nhostname = \"a\"\nlayout.\"/srv\" = \"tmpfs\"".into(),
        "[[match]]\nwhen = { hostname = \"worker-[a-z]*\", uuid = \"4c4c4544-0051-4410-8052-B4C04F4E4D32\" }\ndebug = true".into(),
        "match = []".into(),
    ];
    let wrong = [
        "image.ulr = \"http://boot/os\"",
        "image = 3",
        "image.url = 3",
        "image.url = \"ftp://boot/os\"",
        "image.url = \"boot/os\"",
        "image.url = \"http://u:p@boot/os\"",
        "image.url = \"http://boot:+80/os\"",
        "image.url = \"http:///os\"",
        "image.url = \"http://bo ot/os\"",
        "image.url = [\"http://boot/os\"]",
        "image.sha256 = \"00\"",
        "image.device = \"vda\"",
        "image.device = \"/dev/../vda\"",
        "image.stall = 0",
        "image.stall = 86401",
        "image.stall = \"soon\"",
        "image.stall = \"86401\"",
        "image.stall = \"+20\"",
        "image.stall = 1.5",
        "image.stall = true",
        "image.file = \"../shadow\"",
        "config.device = \"no\"",
        "settings.url = \"http://boot/${mca}\"",
        "settings.url = \"http://${mac}/\"",
        "network.ntp = \"ntp server\"",
        "network.ntp = \"-ntp\"",
        "network.dns = \"boot\"",
        "network.dns = \"10.0.0.300\"",
        "network.dns = [10]",
        "network.dns = [[\"10.0.2.3\"]]",
        "network.dns = [{ ip = \"10.0.2.3\" }]",
        "network.ip = \"\"",
        "network.bootif = \"52:54\"",
        "modules.load = \"a/b\"",
        "modules.load = \"\"",
        "state.create = false",
        "state.create = \"yes\"",
        "state.fstype = \"ntfs\"",
        "root.size = 0",
        "root.size = \"+1\"",
        "settings.url = \"http://a${mac}/x\"",
        "root.size = \"1T\"",
        "hostname = 7",
        "hostname = \"-node\"",
        "hostname = [\"a\"]",
        "hostname = { name = \"a\" }",
        "hostname = 2026-01-01",
        "ssh.host_keys = true",
        "kubelet.enabled = \"maybe\"",
        "kubelet.enabled = 2",
        "kubelet.program = \"kubelet\"",
        "k0s.role = \"master\"",
        "k0s.role = true",
        "k3s.server = \"http://10.0.0.1:6443\"",
        "failure.action = \"explode\"",
        "failure.pause = 1.5",
        "git = \"git://host/x\"",
        "layout.var = \"tmpfs\"",
        "layout.\"/run/x\" = \"tmpfs\"",
        "layout.\"/srv\" = \"kept\"",
        "layout.\"/srv\" = \"tmpfs(0)\"",
        "layout.\"/srv\" = [\"tmpfs\"]",
        "file.\"/etc/x\".mode = \"640\"",
        "file.\"/etc/x\".mode = 640",
        "file.\"/etc/x\".made = \"0640\"",
        "file.\"/proc/x\".content = \"\"",
        "file.\"etc/x\".content = \"\"",
        "file.\"/etc/x\" = \"text\"",
        "user.\"a b\".authorized_keys = \"ssh-rsa AAAA\"",
        "user.root.authorized_keys = \"AAAA\"",
        "user.root.password_hash = \"secret\"",
        "sysctl.\"a=b\" = 1",
        "sysctl.kernel.panic = true",
        "sysctl.kernel.panic = [1]",
        "sysctl.kernel.panic = \" \"",
        "unit.thing.enable = true",
        "unit.\"thing.service\".enable = \"maybe\"",
        "script.\"a b\".git = \"https://host/x\"",
        "script.a.interval = 0",
        "match = 1",
        "match = [1]",
        "[[match]]\nhostname = \"a\"",
        "[[match]]\nwhen = {}\nhostname = \"a\"",
        "[[match]]\nwhen = { mac = [] }",
        "[[match]]\nwhen = { mac = \"52:54\" }",
        "[[match]]\nwhen = { mac = 1 }",
        "[[match]]\nwhen = { name = \"a\" }",
        "[[match]]\nwhen = { uuid = \"a\" }",
        "[[match]]\nwhen = { hostname = \"a\" }\nhostname = \"b\"",
        "[[match]]\nwhen = { serial = \"a\" }\nversion = 1",
        "[[match]]\nwhen = { serial = \"a\" }\nimage.stall = \"soon\"",
        "bananas = 1",
        "bananas = []",
        "version_ = 1",
    ];
    let validator = validator();
    let mut split = Vec::new();
    let wrong = wrong.iter().map(|text| ((*text).to_owned(), false));
    for (text, is_fine) in fine.into_iter().map(|text| (text, true)).chain(wrong) {
        let text = format!("version = 1\n{text}\n");
        let (schema, parser) = (schema_says(&validator, &text), parser_says(&text));
        if (schema.is_ok(), parser.is_ok()) != (is_fine, is_fine) {
            split.push(format!("{text}  schema: {schema:?}\n  parser: {parser:?}"));
        }
    }
    for text in ["", "version = 2", "version = \"1\"", "version = 1.5"] {
        if schema_says(&validator, text).is_ok() || parser_says(text).is_ok() {
            split.push(format!("{text}: accepted"));
        }
    }
    assert!(split.is_empty(), "{}", split.join("\n"));
}

/// The settings files in pages are TOML blocks.
#[test]
fn examples_of_pages_fit_the_schema() {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).unwrap();
                for block in text.split("```toml\n").skip(1) {
                    let (block, _) = block.split_once("```").expect("a block ends");
                    found.push((path.clone(), block.to_owned()));
                }
            }
        }
    }
    let mut blocks = Vec::new();
    walk(&root().join("docs"), &mut blocks);
    assert!(blocks.len() >= 5, "only {} blocks were found", blocks.len());
    let validator = validator();
    for (path, block) in blocks {
        let whole = if block.contains("version = ") { block } else { format!("version = 1\n{block}") };
        schema_says(&validator, &whole)
            .unwrap_or_else(|wrong| panic!("{}: {wrong}\n{whole}", path.display()));
        // An example with parts left out cannot be parsed.
        let told = if whole.contains('…') { Ok(()) } else { parser_says(&whole) };
        told.unwrap_or_else(|wrong| panic!("{}: {wrong}\n{whole}", path.display()));
    }
}

/// Values that are similar to valid ones.
fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9:/.=@+_ -]{0,24}",
        "(https?|ftp|ssh)://[a-z0-9.\\[\\]:@+-]{0,16}(/[a-z${}?#. -]{0,12})?",
        "[0-9A-Fa-f:.-]{1,24}",
        "/(dev/)?[a-z./ -]{0,12}",
        "(LABEL|UUID|label)=[a-z /]{0,6}",
        "[+-]?[0-9]{1,6}[skKMGT]?",
        "(tmpfs|persistent|read-only)(\\([0-9a-zA-Z]{0,4}\\))?",
        "[a-z-]{0,70}(\\.[a-z0-9-]{0,5}){0,3}",
        "(no-pty )?(ssh-|sk-ssh-)[a-z0-9]{0,5} (AAAA)?[A-Z]{0,4}\n?",
        "\\PC{0,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    /// The schema must accept everything that the parser accepts, so that no editor marks a valid file as invalid.
    #[test]
    fn the_schema_refuses_nothing_that_is_taken(value in values(), which in 0..1000_usize) {
        use dayfly_plan::settings::table::{groups::GROUPS, keys::KEYS};
        thread_local!(static VALIDATOR: Validator = validator());
        let entry = |group: &str| match group {
            "layout" | "file" => "/srv/x",
            "unit" => "x.service",
            _ => "x",
        };
        let keys = KEYS.iter().map(|key| key.name.to_owned());
        let fields = GROUPS.iter().flat_map(|group| group.fields.iter().map(|field| {
            let name = format!("{}.\"{}\"", group.name, entry(group.name));
            if field.name.is_empty() { name } else { format!("{name}.{}", field.name) }
        }));
        let names: Vec<String> = keys.chain(fields).collect();
        let name = &names[which % names.len()];
        let text = format!("version = 1\n{name} = {}\n", serde_json::Value::String(value));
        if parser_says(&text).is_ok() {
            let said = VALIDATOR.with(|validator| schema_says(validator, &text));
            prop_assert!(said.is_ok(), "{text}: {said:?}");
        }
    }
}

#[test]
fn secrets_are_marked() {
    let schema = schema();
    let secret = &schema["definitions"]["file"]["additionalProperties"]["properties"]["secret"];
    assert_eq!(secret["writeOnly"], true);
    // The schema cannot check the source of a file; the boot does.
    let text = "version = 1\nfile.\"/etc/token\".secret = \"x\"\n";
    assert!(schema_says(&validator(), text).is_ok());
    let (_, problems) = gather(&Facts::default().with_settings(Source::Url { secure: false }, text));
    assert_eq!(problems.len(), 1);
    assert!(problems[0].text.contains("file./etc/token.secret is a secret"), "{}", problems[0].text);
}
