//! The settings: their page and their JSON schema.

use std::fmt::Write;

use dayfly_plan::settings::gather::rules::CONDITIONS;
use dayfly_plan::settings::table::class::Class;
use dayfly_plan::settings::table::groups::GROUPS;
use dayfly_plan::settings::table::keys::KEYS;
use dayfly_plan::settings::table::lookup::class;
use dayfly_plan::settings::value::VARIABLES;
use dayfly_plan::settings::{Settings, gather};
use dayfly_plan::{Facts, Kind, Private, Stage};

use super::{MADE, cell, code, page};

/// The column *trust* of the settings.
fn trust(name: &str) -> &'static str {
    match class(name) {
        Class::Plain => "-",
        Class::Privileged => "privileged",
        Class::Image => "image",
        Class::Anchor(_) => "anchor",
        Class::Builder => "initramfs",
    }
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
",
    );
    for kind in Kind::ALL {
        let (row, doc) = (kind.row(), kind.row().doc);
        let secrets = match row.private {
            _ if *kind == Kind::Default => "-",
            Private::No => "no",
            Private::Yes(_) => "yes",
            Private::OverTls(_) => "with `https`",
        };
        writeln!(text, "| {} | {} | {} | {secrets} |", doc.title, doc.written, doc.read).unwrap();
    }
    text.push_str(
        "
The credential `dayfly.toml` is a whole settings file; `dayfly.NAME` is the setting NAME, and wins over that file.
Credentials with other names are the OS's. Why it is so, and who can be trusted with what:
[where settings come from](../explanation/settings.md).

Within one place the later value wins. A setting that takes several values gathers those of one place; values of a
higher place replace the whole list, and an empty list drops it. A place that is read late cannot set what is needed earlier: the column *by* in the
table of settings says what must be known when ([config.too-late](errors.md#config)). `dayfly explain --cmdline '…'
--settings FILE` shows each value and where it came from; so do the boot log and [boot.json](boot-json.md).

A value that cannot be used refuses the boot ([config.value](errors.md#config)). A name that does not exist is a warning
that proposes the nearest right name ([config.unknown](errors.md#config)); the boot goes on without it.

Not every place may set everything ([config.trust](errors.md#config)); the column *trust* says what a setting is:

| trust | what it is | who may set it |
|---|---|---|
| - | neither runs as root nor decides trust | every place |
| privileged | runs as root, opens a door, discloses, or says where data lies | every place but a settings URL with plain `http`, and the settings disk where `config.trust` is `limited` |
| image | the choice of the image | likewise; where the initramfs, the command line or the firmware has set `image.sha256`, every place, because the hash decides |
| anchor | decides trust | as privileged, and it belongs to the first place that sets it: initramfs, command line, firmware, settings disk, settings URL, image. A later one cannot replace it, nor can an empty list or a rule; the plan says who owns it. `kubelet.kubeconfig` is the same anchor as `kubelet.ca` |
| initramfs | decides how far others are trusted | the settings file of the initramfs |

With `settings.trust = \"any\"` in the initramfs's file a settings URL with plain `http` may set what one with `https` may.

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
A rule that holds is like a file of its own right behind the one that it stands in: it takes precedence over that file and the rules above
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

| name | value | default | by | trust | what it does |
|---|---|---|---|---|---|
",
    );
    for key in KEYS {
        let shown: Vec<String> = (key.show)(&defaults, key.name).iter().map(|row| code(&row.value)).collect();
        let kind = if key.secret { format!("secret: {}", key.kind) } else { key.kind.to_owned() };
        let (name, kind, doc) = (key.name, cell(&kind), cell(key.doc));
        let (default, by, trust) = (shown.join(" "), by(key.stage), trust(name));
        writeln!(text, "| `{name}` | {kind} | {default} | {by} | {trust} | {doc} |").unwrap();
    }
    text.push_str(
        "
Booleans are `1 yes on true` and `0 no off false`. Seconds are whole numbers from 1 to 86400, so that no wait is endless.
Sizes are bytes, or a number with `K`, `M` or `G` (1024 each), also as `1.5G` or `512MiB`.

## Groups

Of these there is one for each of something, and its name is a part of the setting's.

| name | value | by | trust | what it does |
|---|---|---|---|---|
",
    );
    for group in GROUPS {
        writeln!(text, "| **`{}.{}`** | | | | {} |", group.name, group.entry, cell(group.doc)).unwrap();
        for field in group.fields {
            let name = match field.name {
                "" => format!("{}.{}", group.name, group.entry),
                name => format!("{}.{}.{name}", group.name, group.entry),
            };
            let kind = if field.secret { format!("secret: {}", field.kind) } else { field.kind.to_owned() };
            let class = match field.name {
                "" => trust(group.name),
                name => trust(&format!("{}.{name}", group.name)),
            };
            let (kind, by, doc) = (cell(&kind), by(field.stage), cell(field.doc));
            writeln!(text, "| `{name}` | {kind} | {by} | {class} | {doc} |").unwrap();
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

What no entry names is ephemeral. [Who writes what](layout.md) has the defaults.
",
    );
    page("docs/reference/settings.md", &text);
}
