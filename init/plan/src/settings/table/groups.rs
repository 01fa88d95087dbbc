//! The table of groups of settings. The documentation is generated from it.

use super::group::{Group, Rows, field};
use super::{node, script};
use crate::{Policy, in_reference, layout};

/// Every group, in the order of the documentation.
pub static GROUPS: &[&Group] =
    &[&LAYOUT, &node::FILE, &node::USER, &node::SYSCTL, &node::UNIT, &script::GROUP];

static LAYOUT: Group = Group {
    name: "layout",
    entry: "PATH",
    doc: in_reference("The policy for a path of the OS; see Layout below."),
    fields: &[field!(
        "", Privileged, Policy => { |settings, path, text, source| layout::set(&mut settings.layout, path, text, source) },
        "`read-only`, `ephemeral`, `persistent`, `persistent-file`, `tmpfs` or `tmpfs(SIZE)`."
    )],
    show: |settings| {
        let mut rows = Vec::new();
        for (path, policy) in &settings.layout {
            Rows { rows: &mut rows, prefix: "layout".to_owned() }.add::<Policy>(path, Some(policy));
        }
        rows
    },
};

/// The group that a setting's name starts with, and the rest of the name.
pub fn find(name: &str) -> Option<(&'static Group, &str)> {
    let (first, rest) = name.split_once('.')?;
    GROUPS.iter().find(|group| group.name == first).map(|group| (*group, rest))
}

/// All names, as suggestions for a misspelled one.
pub fn names() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().map(|group| group.name)
}
