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
        "A setting has the same name in every source. A later source in this table takes precedence over an earlier one:

| source | how it is written | read | may contain secrets |
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
The credential `dayfly.toml` is a complete settings file; `dayfly.NAME` is the setting NAME, and
takes precedence over that file. Credentials with other names belong to the OS. [Where settings come
from](../explanation/settings.md) explains the reasons, and which source is trusted with what.

Within one source, the later value counts. A setting with several values collects those of one
source. Values of a higher source replace the whole list, and an empty list clears it. A source that
is read late cannot set anything that is needed earlier: the column *by* in the table of settings
says when a setting must be known ([config.too-late](errors.md#config)). `dayfly explain --cmdline '…'
--settings FILE` shows each value and where it came from; so do the boot log and [boot.json](boot-json.md).

An invalid value refuses the boot ([config.value](errors.md#config)). An unknown name causes a
warning that suggests the nearest valid name ([config.unknown](errors.md#config)); the boot
continues without it.

Not every source may set everything ([config.trust](errors.md#config)). The column *trust* shows the class of a setting:

| trust | what it is | who may set it |
|---|---|---|
| - | neither runs as root nor decides trust | every source |
| privileged | controls what runs as root, access to the node, disclosure of data, or the location of data | every source except a settings URL with plain `http`, and except the settings disk if `config.trust` is `limited` |
| image | the choice of the image | as privileged; if the initramfs, the command line or the firmware has set `image.sha256` or `image.keys`, every source, because these decide which images are accepted: a source on the network can then choose any image that was signed |
| anchor | decides trust | as privileged, and it belongs to the first source that sets it: initramfs, command line, firmware, settings disk, settings URL, image. A later source, an empty list or a rule cannot replace it. The plan shows its owner. `kubelet.kubeconfig` is the same anchor as `kubelet.ca` |
| initramfs | decides how far other sources are trusted | the settings file of the initramfs |

With `settings.trust = \"any\"` in the initramfs's file, a settings URL with plain `http` may set the same as one with `https`.

A secret (a token, a key) is only accepted from private sources and refused from all others
([config.secret](errors.md#config)). It is never shown, neither in the log nor in boot.json.

## File

TOML with `version = 1` at the top. A file without a version, with another version, or that is not
valid TOML is refused ([config.file](errors.md#config)). A value of a wrong type is also refused: a
list for a setting that takes one value, or a number for a text.
[settings.schema.json](settings.schema.json), which `dayfly schema` prints, is the JSON schema
(draft 7) for editors and for automatic checks. A boot checks some values more closely.

```toml
",
    );
    text.push_str(EXAMPLE);
    text.push_str(
        "```

## Rules

One file can serve many machines: settings below `[[match]]` are only for the machines that match
`when`. Each condition is a text or a list of texts, and one of them must match. If there are
several conditions, all must hold.

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
A rule that holds is like a separate file directly after the file that contains it: it takes
precedence over that file and the rules above it, but not over later sources. Its settings are shown
with the position of the rule: `initramfs, match 2`. A mistake in `when` refuses the boot on every
machine. A mistake in a rule's settings refuses the boot if the rule holds, and causes a warning on
other machines.

## URL

`settings.url` may have these variables in its path and query. A variable without a value on this machine is an error.

| variable | value |
|---|---|
",
    );
    for (name, meaning) in VARIABLES {
        writeln!(text, "| `${{{name}}}` | {meaning} |").unwrap();
    }
    text.push_str(
        "
Values are percent-encoded, except `:`. iPXE uses the same syntax and replaces its own variables
before Dayfly sees the command line; its `${mac}` and `${uuid}` mean the same.

## Command line

`dayfly.NAME=VALUE`. `-` and `_` are equal in names. A name without a value means yes:
`dayfly.debug`. Put a value with spaces in quotes: `dayfly.kubelet.args=\"--node-labels=a b\"`. The
parameters that dracut and the kernel document set the same settings, see
[parameters](parameters.md). If there are both `root=` and `dayfly.image.url=`, the later one
counts.

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
Sizes are in bytes, or a number with `K`, `M` or `G` (powers of 1024), also as `1.5G` or `512MiB`.

## Groups

A group has one entry for each object. The name of the object is part of the setting's name.

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

`layout.PATH` sets the policy for a path of the OS. In the file: `[layout]` with quoted paths as
keys. On the command line: `dayfly.layout./srv=persistent`. Paths are absolute. `/proc`, `/sys`,
`/dev` and `/run` are not allowed.

| policy | meaning |
|---|---|
| `read-only` | the image's own directory, bind-mounted read-only over the overlay |
| `ephemeral` | writable, but changes are lost at the next boot: it is in the root's overlay, which is in memory |
| `persistent` | on the state disk, filled from the image the first time; without a state disk, a separate tmpfs that is filled the same way |
| `persistent-file` | as `persistent`, for one file; if neither the state disk nor the image has it, it starts empty and readable only by root |
| `tmpfs`, `tmpfs(SIZE)` | a separate empty tmpfs |

The path of a file in the image may also be `persistent` or `read-only`. A persistent file is
bind-mounted over its path: a program that writes into it writes to the state disk, but a program
that replaces it by rename(2) gets `EBUSY`. Without a state disk, it has the image's content.

All other paths are ephemeral. [Who writes what](layout.md) lists the defaults.
",
    );
    page("docs/reference/settings.md", &text);
}
