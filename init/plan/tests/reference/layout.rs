//! docs/reference/layout.md, generated from the table of default policies.

use std::fmt::Write;

use dayfly_plan::{DEFAULTS, Writer};

use super::{MADE, page};

#[test]
fn layout_page() {
    let mut text = format!("{MADE}# Who writes what\n\n");
    text.push_str(
        "An update replaces the whole image, but a state disk stays. So each path of an OS belongs
to one of the two, depending on who writes to it. The data of the package manager describes the
image's `/usr`, and so do files that are generated from `/usr` when a package is installed. On a
state disk, such data would still describe an old image after an update. Data that services and
users write belongs to the node. `layout.PATH` in the [settings](settings.md#layout) sets another
policy for a path.

All other paths are in the root's overlay: they come from the image, are writable, and lose their
changes at the next boot. This includes `/lib/apk/db` of Alpine, `/usr/lib/sysimage/rpm` of Fedora
and `/etc/alternatives` of all distributions.

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

These paths below `/var` have the image's content at each boot. They are `ephemeral`, and a plan
shows them as \"package databases\". Dayfly bind-mounts the image's directory over the persistent
one, and restores a file from the image. A path that the image does not have is skipped.

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
