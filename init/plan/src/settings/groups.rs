//! Settings of which there is one for each of something: a policy per path, a value per sysctl, a file per path. The
//! entry's name stands in the setting's: `layout./var = "ephemeral"`. The documentation is generated from the table.

use super::{Settings, Shown, node};
use crate::{Source, Sourced, Stage, in_reference, layout};

/// A group of settings.
pub struct Group {
    /// Its name, the first part of its settings' names.
    pub name: &'static str,
    /// What an entry's name is, for people: `PATH`.
    pub entry: &'static str,
    /// What it does, a sentence or two.
    pub doc: &'static str,
    /// What an entry has. A single field without a name is the entry's value itself.
    pub fields: &'static [Field],
    /// All its settings as they stand.
    pub show: fn(&Settings) -> Vec<Shown>,
}

/// Drops the values that an entry has gathered.
pub type Clear = fn(&mut Settings, &str) -> Result<(), String>;

/// A setting of a group's entry.
pub struct Field {
    /// Its name, the last part: `content`. Empty where the entry has but one value.
    pub name: &'static str,
    /// What its value is, for people.
    pub kind: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// When it is used: a source that is known only later cannot set it.
    pub stage: Stage,
    /// It is taken from private sources only and shown by nobody.
    pub secret: bool,
    /// It gathers several values; this drops all of the entry of this name.
    pub clear: Option<Clear>,
    /// Sets it, for the entry of this name, from its text.
    pub set: fn(&mut Settings, &str, &str, &Source) -> Result<(), String>,
}

/// Every group, in the order of the documentation.
pub static GROUPS: &[&Group] =
    &[&LAYOUT, &node::FILE, &node::USER, &node::SYSCTL, &node::UNIT, &super::script::GROUP];

static LAYOUT: Group = Group {
    name: "layout",
    entry: "PATH",
    doc: in_reference("What happens to a path of the OS; see Layout below."),
    fields: &[Field {
        name: "",
        kind: "policy",
        doc: in_reference(
            "`read-only`, `ephemeral`, `persistent`, `persistent-file`, `tmpfs` or `tmpfs(SIZE)`.",
        ),
        stage: Stage::Root,
        secret: false,
        clear: None,
        set: |settings, path, text, source| layout::set(&mut settings.layout, path, text, source),
    }],
    show: |settings| {
        let row = |(path, policy): (&String, &crate::Sourced<crate::Policy>)| Shown {
            name: format!("layout.{path}"),
            value: policy.value.to_string(),
            source: policy.source.clone(),
        };
        settings.layout.iter().map(row).collect()
    },
};

impl Field {
    /// Whether it gathers several values.
    pub const fn many(&self) -> bool {
        self.clear.is_some()
    }
}

/// The group that a setting's name starts with, and the rest of the name.
pub fn find(name: &str) -> Option<(&'static Group, &str)> {
    let (first, rest) = name.split_once('.')?;
    GROUPS.iter().find(|group| group.name == first).map(|group| (*group, rest))
}

/// All names, as they are proposed for a misspelt one.
pub fn names() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().map(|group| group.name)
}

impl Group {
    /// An entry's name and the field, from what follows the group's name. The entry's name may have dots in it: the
    /// field is what follows the last one.
    pub fn entry<'a>(&self, rest: &'a str) -> Result<(&'a str, &'static Field), String> {
        if let [field] = self.fields
            && field.name.is_empty()
        {
            return Ok((rest, field));
        }
        let known = || self.fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ");
        let Some((entry, last)) = rest.rsplit_once('.') else {
            return Err(format!("{} is followed by {} and one of {}", self.name, self.entry, known()));
        };
        let wanted = last.replace('-', "_");
        match self.fields.iter().find(|field| field.name == wanted) {
            Some(field) => Ok((entry, field)),
            None => Err(format!("\"{last}\" is not one of {}", known())),
        }
    }
}

/// Rows of one entry.
pub(super) struct Rows<'a> {
    /// All of the group.
    pub rows: &'a mut Vec<Shown>,
    /// The group's and the entry's name.
    pub prefix: String,
}

impl Rows<'_> {
    /// One field's, where it is set.
    pub fn add<T>(&mut self, field: &str, value: Option<&Sourced<T>>, text: impl Fn(&T) -> String) {
        self.rows.extend(value.map(|value| Shown {
            name: format!("{}.{field}", self.prefix),
            value: text(&value.value),
            source: value.source.clone(),
        }));
    }
}

/// A text may be long and have many lines: how much it is shows that it has arrived.
pub(super) fn size(text: &str) -> String {
    format!("{} bytes", text.len())
}
