//! docs/reference/layout.md, from the table of default policies.

use std::fmt::Write;

use dayfly_plan::{DEFAULTS, Writer};

use super::{MADE, page};

#[test]
fn layout_page() {
    let mut text = format!("{MADE}# Who writes what\n\n");
    text.push_str(
        "An image is replaced as a whole, a state disk is kept. Each path of an OS belongs to one of the two, by who writes to it. What
the package manager writes describes the image's `/usr`: on a state disk it would describe the image that filled the disk, after
an update as before, and so would what is made of `/usr` when a package is installed. What services and people write is the
node's. `layout.PATH` in the [settings](settings.md#layout) gives a path another policy.

What no row names is in the root's overlay: it is the image's, writable and gone at the next boot. `/lib/apk/db` of Alpine,
`/usr/lib/sysimage/rpm` of Fedora and `/etc/alternatives` of all are there already.

| path | who writes to it | policy | what is in it |
|---|---|---|---|
",
    );
    let row = |text: &mut String, writer: Writer| {
        for owned in DEFAULTS.iter().filter(|owned| owned.writer == writer && !is_database(owned.path)) {
            let policy = owned.policy();
            writeln!(text, "| `{}` | {writer} | `{policy}` | {} |", owned.path, owned.what).unwrap();
        }
    };
    for writer in [Writer::Image, Writer::Packages, Writer::Node, Writer::User] {
        row(&mut text, writer);
    }
    text.push_str(
        "
## Package databases

Below `/var`, these are what the image has, at each boot. They are `ephemeral`, and a plan shows them as \"package databases\". A folder is shown
through what lies above it; a file is put back to the image's. What the image does not have costs one look.

| path | what is in it |
|---|---|
",
    );
    for owned in DEFAULTS.iter().filter(|owned| is_database(owned.path)) {
        writeln!(text, "| `{}` | {} |", owned.path, owned.what).unwrap();
    }
    page("docs/reference/layout.md", &text);
}

fn is_database(path: &str) -> bool {
    path.starts_with("/var/")
}
