//! The documentation says what the tables say. Pages that are made from a table are compared with it, as are the plans
//! that pages show, the fields of boot.json, and where links lead. `DAYFLY_BLESS=1 cargo test -p dayfly-plan --test
//! reference` writes the pages anew.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use dayfly_plan::settings::groups::GROUPS;
use dayfly_plan::settings::keys::KEYS;
use dayfly_plan::settings::parameters::{PARAMETERS, Weight};
use dayfly_plan::settings::rules::CONDITIONS;
use dayfly_plan::settings::template::VARIABLES;
use dayfly_plan::settings::{Settings, gather};
use dayfly_plan::{Code, Facts, Stage, plan};
use dayfly_wire::ip::IpArg;

const HOW: &str =
    "run `DAYFLY_BLESS=1 cargo test -p dayfly-plan --test reference`, look at the difference and commit it";
const MADE: &str = "<!-- Made from init/plan by `DAYFLY_BLESS=1 cargo test -p dayfly-plan --test reference`; change the table there. -->\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// Compares a page with what it should be, or writes it.
fn page(name: &str, wanted: &str) {
    let path = root().join(name);
    if std::env::var_os("DAYFLY_BLESS").is_some() {
        // Renamed into place: other tests read the page at the same time.
        let fresh = path.with_extension("md.new");
        let written = fs::write(&fresh, wanted).and_then(|()| fs::rename(&fresh, &path));
        written.unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
        return;
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let differs = there.lines().zip(wanted.lines()).position(|(left, right)| left != right);
    let line = differs.unwrap_or_else(|| there.lines().count().min(wanted.lines().count())) + 1;
    assert!(there == wanted, "{name} differs from the tables of init/plan at line {line}: {HOW}");
}

/// A cell of a table: a bar would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn code(text: &str) -> String {
    if text == "-" { text.to_owned() } else { format!("`{}`", cell(text)) }
}

/// The column *by* of the settings.
fn by(stage: Stage) -> &'static str {
    match stage {
        Stage::Devices => "the start",
        Stage::Network => "the network",
        Stage::Image => "the image",
        Stage::Root => "the root",
    }
}

#[test]
fn settings_schema() {
    let schema = serde_json::to_string_pretty(&dayfly_plan::settings::schema()).unwrap();
    page("docs/reference/settings.schema.json", &format!("{schema}\n"));
}

#[test]
fn settings_page() {
    const EXAMPLE: &str = "version = 1

hostname = \"worker7\"

[image]
url = \"http://10.0.2.2/os.squashfs\"
sha256 = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"

[network]
dns = [\"10.0.2.3\", \"10.0.2.4\"]

[layout]
\"/srv\" = \"persistent\"
\"/tmp\" = \"tmpfs(512M)\"
";
    const RULES: &str = "version = 1
kubelet.enabled = true

[[match]]
when = { mac = [\"52:54:00:12:34:56\", \"52:54:00:12:34:57\"] }
hostname = \"control1\"
kubelet.enabled = false

[[match]]
when = { hostname = \"worker*\", serial = \"SN-0042\" }
[match.layout]
\"/srv\" = \"persistent\"
";
    for example in [EXAMPLE, RULES] {
        let (_, problems) = gather(&Facts::default().with_file(example));
        assert!(problems.is_empty(), "an example of the page is refused: {problems:?}");
    }

    let defaults = Settings::default();
    let mut text = format!("{MADE}# Settings\n\n");
    text.push_str(
        "A setting has one name wherever it stands. A later place in this table wins over an earlier one:

| place | how it is written | read | may hold secrets |
|---|---|---|---|
| built in | the defaults in the tables below | - | - |
| the OS image | TOML in `/usr/lib/dayfly/settings.toml` | when the image is mounted | no |
| the initramfs | TOML, `dayfly initramfs --settings FILE`, packed as `/etc/dayfly.toml` | at once | no |
| a server | TOML behind `settings.url` | when the network is up | with `https` |
| the settings disk | TOML in `dayfly.toml` on the file system with the label `config`, or on `config.device` | when the drivers are loaded | yes |
| SMBIOS | OEM strings (type 11) `io.systemd.credential:NAME=VALUE` or `io.systemd.credential.binary:NAME=BASE64` | at once | yes |
| QEMU's fw_cfg | `opt/io.systemd.credentials/NAME` | when its driver is loaded | yes |
| kernel command line | `dayfly.image.url=…` | at once | no |

The credential `dayfly.toml` is a whole settings file; `dayfly.NAME` is the setting NAME, and wins over that file.
Credentials with other names are the OS's. Why it is so, and who can be trusted with what:
[where settings come from](../explanation/settings.md).

Within one place the later value wins. A setting that takes several values gathers those of one place; values of a
higher place replace the whole list. A place that is read late cannot set what is needed earlier: the column *by* in the
table of settings says what must be known when ([config.too-late](errors.md#config)). `dayfly explain --cmdline '…'
--settings FILE` shows each value and where it came from; so do the boot log and [boot.json](boot-json.md).

A value that cannot be used refuses the boot ([config.value](errors.md#config)). A name that does not exist is a warning
that proposes the nearest right name ([config.unknown](errors.md#config)); the boot goes on without it.

A secret (a token, a key) is taken from private places only and refused anywhere else
([config.secret](errors.md#config)); it is never shown, neither in the log nor in boot.json.

## File

TOML with `version = 1` on top. A file without a version, with another version, or with text that is not TOML is refused
([config.file](errors.md#config)). So is a value of another type: a list for a setting that takes one value, a number for a text.
[settings.schema.json](settings.schema.json), which `dayfly schema` prints, is the JSON schema (draft 7) for editors and for checks on
the way; a boot looks closer at some values.

```toml
",
    );
    text.push_str(EXAMPLE);
    text.push_str(
        "```

## Rules

One file can serve a fleet: settings below `[[match]]` are for the machines that fit `when`. Each condition is a text or a
list of texts, of which one must fit; of several conditions, all must hold.

```toml
",
    );
    text.push_str(RULES);
    text.push_str("```\n\n| condition | what it is compared with |\n|---|---|\n");
    for (name, meaning) in CONDITIONS {
        writeln!(text, "| `{name}` | {meaning} |").unwrap();
    }
    text.push_str(
        "
A rule that holds is like a file of its own right behind the one that it stands in: it wins over that file and the rules above
it, and loses to every later place. Its settings are shown with the position of the rule: `initramfs, match 2`. A mistake in
`when` refuses the boot on every machine; one in a rule's settings does so where the rule holds and is a warning elsewhere.

## URL

`settings.url` may have these variables in its path and query. What a machine does not have is an error.

| variable | value |
|---|---|
",
    );
    for (name, meaning) in VARIABLES {
        writeln!(text, "| `${{{name}}}` | {meaning} |").unwrap();
    }
    text.push_str(
        "
Values are percent-encoded, but for `:`. iPXE has variables in the same spelling and puts its own values in before Dayfly sees the
command line; its `${mac}` and `${uuid}` mean the same.

## Command line

`dayfly.NAME=VALUE`. `-` and `_` are one in names. A name alone is a yes: `dayfly.debug`. For a value with spaces, put
quotes around it: `dayfly.kubelet.args=\"--node-labels=a b\"`. The parameters that dracut and the kernel document set the
same settings, see [parameters](parameters.md); of `root=` and `dayfly.image.url=`, the later word wins.

## All settings

| name | value | default | by | what it does |
|---|---|---|---|---|
",
    );
    for key in KEYS {
        let shown: Vec<String> = (key.show)(&defaults, key.name).iter().map(|row| code(&row.value)).collect();
        let kind = if key.secret { format!("secret: {}", key.kind) } else { key.kind.to_owned() };
        let (name, kind, doc) = (key.name, cell(&kind), cell(key.doc));
        writeln!(text, "| `{name}` | {kind} | {} | {} | {doc} |", shown.join(" "), by(key.stage)).unwrap();
    }
    text.push_str(
        "
Booleans are `1 yes on true` and `0 no off false`. Seconds are whole numbers from 1 to 86400, so that no wait is endless.
Sizes are bytes, or a number with `K`, `M` or `G` (1024 each).

## Groups

Of these there is one for each of something, and its name is a part of the setting's.

| name | value | by | what it does |
|---|---|---|---|
",
    );
    for group in GROUPS {
        writeln!(text, "| **`{}.{}`** | | | {} |", group.name, group.entry, cell(group.doc)).unwrap();
        for field in group.fields {
            let name = match field.name {
                "" => format!("{}.{}", group.name, group.entry),
                name => format!("{}.{}.{name}", group.name, group.entry),
            };
            let kind = if field.secret { format!("secret: {}", field.kind) } else { field.kind.to_owned() };
            writeln!(text, "| `{name}` | {} | {} | {} |", cell(&kind), by(field.stage), cell(field.doc))
                .unwrap();
        }
    }
    text.push_str(
        "
## Layout

`layout.PATH` says what happens to a path of the OS. In the file: `[layout]` with quoted paths as keys. On the command line:
`dayfly.layout./srv=persistent`. Paths are absolute; `/proc`, `/sys`, `/dev` and `/run` are not ours to give.

| policy | meaning |
|---|---|
| `read-only` | the image's own folder, bound over the overlay: nobody writes to it |
| `ephemeral` | writable, and gone at the next boot: it lies in the root's overlay, which is in memory |
| `persistent` | on the state disk, filled from the image the first time; without a state disk a tmpfs of its own, filled likewise |
| `persistent-file` | as `persistent`, for one file; where neither the state disk nor the image has it, it starts empty and only root's |
| `tmpfs`, `tmpfs(SIZE)` | an empty tmpfs of its own |

A path of a file in the image may be `persistent` or `read-only` too. A persistent file is bound over its place: a program that writes into it writes to
the state disk, one that replaces it by rename(2) gets `EBUSY`. Without a state disk it is what the image has.

What no entry names is ephemeral. The defaults:

| path | policy |
|---|---|
",
    );
    for (path, policy) in &defaults.layout {
        writeln!(text, "| `{path}` | `{}` |", policy.value).unwrap();
    }
    page("docs/reference/settings.md", &text);
}

/// The forms of `ip=`: an example, and what it means here.
const IP_FORMS: &[(&str, &str)] = &[
    ("dhcp", "DHCPv4 on every interface at once, the first lease wins; `on` and `any` are the same"),
    ("eth0:dhcp", "DHCPv4 on that interface"),
    ("eth0:dhcp:1400", "the same, with an MTU"),
    (
        "10.0.2.50::10.0.2.2:255.255.255.0:worker7:eth0:none",
        "static: address, (peer), gateway, netmask, host name, interface",
    ),
    ("10.0.2.50::10.0.2.2:24:worker7:eth0:none", "a prefix length instead of the netmask"),
    ("10.0.2.50::10.0.2.2:24::eth0:none:10.0.2.3:10.0.2.4", "with two name servers"),
    ("[2001:db8::2]::[2001:db8::1]:64::eth0:none", "a static IPv6 address, in brackets"),
    ("eth1:off", "leave that interface alone"),
];

#[test]
fn parameters_page() {
    let mut text = format!("{MADE}# Kernel parameters\n\n");
    text.push_str(
        "Three kinds of words on the kernel command line concern Dayfly:

- `dayfly.NAME=VALUE`: every [setting](settings.md), by its name;
- what dracut and the kernel document, in the table below, with the same meaning as far as it goes;
- everything else belongs to somebody else and is never an error.

The line is split as the kernel splits it: quotes protect spaces (`key=\"a b\"`), `-` and `_` are one in keys, of
repeated words the later wins unless the table says that they add up. Words after a bare `--` are handed to the OS's init
as its arguments. `MODULE.PARAMETER=VALUE` reaches kernel modules when Dayfly loads them.

A bad value of an essential parameter refuses the boot before anything is touched; of another one, it is a warning and
the value is ignored. `dayfly explain --cmdline '…'` says the same on any machine.

| parameter | value | what Dayfly makes of it | a bad value |
|---|---|---|---|
",
    );
    for parameter in PARAMETERS {
        let weight = match parameter.weight {
            Weight::Essential => "refuses the boot",
            Weight::Helpful => "is a warning",
        };
        let kind = if parameter.kind == "see ip= below" { "[see below](#ip)" } else { parameter.kind };
        writeln!(text, "| `{}` | {} | {} | {weight} |", parameter.name, cell(kind), cell(parameter.doc))
            .unwrap();
    }
    text.push_str(
        "
## ip

```text
ip=METHOD
ip=INTERFACE:METHOD[:[MTU][:MAC]]
ip=CLIENT:[PEER]:[GATEWAY]:NETMASK|PREFIX:[HOSTNAME]:[INTERFACE]:[METHOD][:[MTU][:MAC]]
ip=CLIENT:[PEER]:[GATEWAY]:NETMASK|PREFIX:[HOSTNAME]:[INTERFACE]:[METHOD][:[DNS1][:[DNS2][:NTP]]]
```

| ip= | meaning |
|---|---|
",
    );
    for (form, meaning) in IP_FORMS {
        form.parse::<IpArg>().unwrap_or_else(|error| panic!("the example ip={form} is refused: {error}"));
        writeln!(text, "| `{form}` | {meaning} |").unwrap();
    }
    text.push_str(
        "
Several `ip=` words are allowed: one that names an interface holds for it, one without a name for all others. Without any,
every Ethernet interface asks for a DHCPv4 lease. A static address without an interface is given to the first one that has a
carrier.

Not yet: the methods `dhcp6`, `auto6`, `either6`, `link6`, `link-local` and `auto` are understood, but only DHCPv4 and static
addresses are carried out; the fields PEER, MAC and NTP are read and not used.
",
    );
    page("docs/reference/parameters.md", &text);
}

#[test]
fn errors_page() {
    let mut text = format!("{MADE}# Error codes\n\n");
    text.push_str(
        "A failed step shows what was tried, what went wrong in the words of the kernel or the server, how to fix it, and one of
these codes. The codes are stable: scripts and alerts may rely on them. They stand on the failure screen, in the log and in
[boot.json](boot-json.md). What to do with a node that shows one: [a failed boot](../how-to/failed-boot.md).
",
    );
    let mut area = "";
    for item in Code::ALL {
        let (of, _) = item.as_str().split_once('.').expect("a code has an area");
        if of != area {
            area = of;
            writeln!(text, "\n## {area}\n\n| code | meaning | what helps |\n|---|---|---|").unwrap();
        }
        writeln!(text, "| `{item}` | {} | {} |", cell(item.meaning()), cell(item.advice())).unwrap();
    }
    page("docs/reference/errors.md", &text);
}

/// Every page, README included.
fn pages() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let entries =
            fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()));
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["docs", "dracut-module", "qemu"] {
        walk(&root().join(folder), &mut found);
    }
    found.push(root().join("README.md"));
    found.sort();
    assert!(found.len() > 20, "only {} pages were found", found.len());
    found
}

/// Plans in pages: `<!-- plan of: CMDLINE -->`, then a block of text.
#[test]
fn plans_in_pages() {
    let mut plans = 0;
    for path in pages() {
        let text = read(&path);
        let mut wanted = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            writeln!(wanted, "{line}").unwrap();
            let Some(cmdline) =
                line.strip_prefix("<!-- plan of: ").and_then(|rest| rest.strip_suffix(" -->"))
            else {
                continue;
            };
            assert_eq!(
                lines.next(),
                Some("```text"),
                "{}: a plan's block starts with ```text",
                path.display()
            );
            assert!(lines.any(|line| line == "```"), "{}: a plan's block ends with ```", path.display());
            let (settings, problems) = gather(&Facts::from_cmdline(cmdline));
            assert!(problems.is_empty(), "{}: {problems:?}", path.display());
            let table: Vec<String> =
                plan(&settings).lines().iter().map(|line| line.trim_end().to_owned()).collect();
            write!(wanted, "```text\n{}\n```\n", table.join("\n")).unwrap();
            plans += 1;
        }
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
        if wanted != text {
            page(name, &wanted);
        }
    }
    assert!(plans > 1, "only {plans} plans were found in the pages");
}

/// The anchor that GitHub and most others make of a heading.
fn anchor(heading: &str) -> String {
    heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() })
        .collect()
}

fn anchors(page: &Path) -> BTreeSet<String> {
    let mut in_block = false;
    let text = read(page);
    let headings = text.lines().filter(|line| {
        in_block ^= line.starts_with("```");
        !in_block && line.starts_with('#')
    });
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    let mut links = 0;
    for path in pages() {
        let text = read(&path);
        for rest in text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            links += 1;
            let (file, place) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let is_there = file.exists() && (place.is_empty() || anchors(&file).contains(place));
            if !is_there {
                broken.push(format!("{}: {target}", path.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(links > 50, "only {links} links were found");
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

/// The fields that serde writes of a struct, by its source text.
fn fields(source: &str, name: &str) -> BTreeSet<String> {
    let head = format!("struct {name} {{");
    let (_, body) = source.split_once(&head).unwrap_or_else(|| panic!("there is no struct {name}"));
    let (body, _) = body.split_once("\n}").expect("a struct ends");
    let mut skipped = false;
    let mut found = BTreeSet::new();
    for line in body.lines().map(str::trim) {
        if line.starts_with("#[serde(skip)]") {
            skipped = true;
        } else if let Some((field, _)) = line.trim_start_matches("pub ").split_once(": ")
            && !line.starts_with("//")
        {
            if !skipped {
                found.insert(field.to_owned());
            }
            skipped = false;
        }
    }
    assert!(!found.is_empty(), "the struct {name} has no fields");
    found
}

#[test]
fn boot_json_page_has_every_field() {
    let record = read(&root().join("init/src/events/record.rs"));
    let table = read(&root().join("init/plan/src/table.rs"));
    let text = read(&root().join("docs/reference/boot-json.md"));
    let (_, example) = text.split_once("```json").expect("the page has an example");
    let (example, _) = example.split_once("```").expect("the example ends");
    for (heading, source, name) in [
        ("Top level", &record, "Record"),
        ("plan", &table, "Row"),
        ("node", &record, "NodeRow"),
        ("settings", &record, "Setting"),
        ("problems", &record, "ProblemRow"),
        ("steps", &record, "StepRow"),
        ("failure", &record, "FailureRow"),
    ] {
        let (_, section) =
            text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
        let section = section.split("\n## ").next().unwrap_or_default();
        let documented: BTreeSet<String> = section
            .lines()
            .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
            .collect();
        let written = fields(source, name);
        assert_eq!(
            documented, written,
            "docs/reference/boot-json.md, {heading}: left the page, right the struct {name}"
        );
        for field in &written {
            assert!(
                example.contains(&format!("\"{field}\":")),
                "the example of boot.json lacks {heading}.{field}"
            );
        }
    }
}

#[test]
fn dependencies_page_has_every_direct_dependency() {
    let text = read(&root().join("docs/dependencies.md"));
    let mut checked = 0;
    for manifest in ["init", "init/plan", "init/wire", "init/sys", "tools", "qemu", "tests", "tests/fuzz"]
        .map(|name| root().join(name).join("Cargo.toml"))
    {
        let manifest: toml::Table = read(&manifest).parse().unwrap();
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(table).and_then(|table| table.as_table()) else { continue };
            for name in table.keys().filter(|name| !name.starts_with("dayfly-")) {
                checked += 1;
                let is_there = text
                    .lines()
                    .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
                    .any(|cell| cell.split([',', ' ', '(']).any(|word| word == name));
                assert!(is_there, "docs/dependencies.md has no line for {name}");
            }
        }
    }
    assert!(checked > 30, "only {checked} dependencies were found");
}

/// The proofs that docs/explanation/trust.md names are there.
#[test]
fn promises_name_tests_that_exist() {
    fn sources(folder: &Path, text: &mut String) {
        for entry in
            fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()))
        {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&read(&path));
            }
        }
    }
    let mut code = String::new();
    for folder in ["init", "tests/tests", "tools"] {
        sources(&root().join(folder), &mut code);
    }
    let text = read(&root().join("docs/explanation/trust.md"));
    let (_, section) = text.split_once("\n## Promises").expect("the page has promises");
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise"));
    let mut proofs = 0;
    for row in rows {
        let proof = row.rsplit(" | ").next().unwrap_or_default();
        for name in proof.split('`').skip(1).step_by(2) {
            proofs += 1;
            let is_there = if name.contains('/') {
                root().join(name.split(' ').next().unwrap_or_default()).exists()
            } else {
                code.contains(&format!("fn {name}(")) || code.contains(&format!("\"{name}\""))
            };
            assert!(is_there, "docs/explanation/trust.md names `{name}`, which is not there");
        }
    }
    assert!(proofs > 15, "only {proofs} proofs were found");
}
