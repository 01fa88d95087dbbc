//! A group of settings has one entry for each object: a policy per path, a value per sysctl, a file per path. The
//! entry's name is part of the setting's name: `layout./var = "ephemeral"`.

use super::class::Class;
use super::slot::Shown;
use crate::settings::value::{Form, Value};
use crate::settings::wanted::Settings;
use crate::{Source, Sourced, Stage};

/// A group of settings.
pub struct Group {
    /// Its name, the first part of its settings' names.
    pub name: &'static str,
    /// What an entry's name is, for the documentation: `PATH`.
    pub entry: &'static str,
    /// What it does, in one or two sentences.
    pub doc: &'static str,
    /// The fields of an entry. A single field without a name is the entry's value itself.
    pub fields: &'static [Field],
    /// All its settings with their values.
    pub show: fn(&Settings) -> Vec<Shown>,
}

/// Removes all values from a list field of an entry.
pub type Clear = fn(&mut Settings, &str) -> Result<(), String>;

/// A setting of a group's entry.
pub struct Field {
    /// Its name, the last part: `content`. Empty if the entry has only one value.
    pub name: &'static str,
    /// What its value is, for the documentation.
    pub kind: &'static str,
    /// How its value is written in a settings file.
    pub form: Form,
    /// What it does.
    pub doc: &'static str,
    /// When it is used. A source that is read later cannot set it.
    pub stage: Stage,
    /// What control over its value gives.
    pub class: Class,
    /// It is only accepted from private sources and is never shown.
    pub secret: bool,
    /// If it takes several values: removes all values of the entry with this name.
    pub clear: Option<Clear>,
    /// Sets it from its text, for the entry with this name.
    pub set: fn(&mut Settings, &str, &str, &Source) -> Result<(), String>,
}

/// Arguments: name, class, type of the value, field of the entry, documentation. The function before the field finds
/// the entry. A field in brackets takes several values. If there is no field, braces contain the code that sets the
/// value.
macro_rules! field {
    (@clear [$entry:ident.$list:ident]) => {
        Some(|settings, name| $entry(settings, name).map(|entry| entry.$list.clear()))
    };
    (@clear $other:tt) => { None };
    (@set $value:ty, ($entry:ident.$field:ident)) => {
        |settings, name, text, source| {
            $crate::settings::table::slot::Slot::<$value>::take(&mut $entry(settings, name)?.$field, text, source)
        }
    };
    (@set $value:ty, [$entry:ident.$list:ident]) => {
        |settings, name, text, source| {
            $crate::settings::table::slot::List::<$value>::take(&mut $entry(settings, name)?.$list, text, source)
        }
    };
    (@set $value:ty, { $set:expr }) => { $set };
    ($name:literal, $class:ident $(($anchor:expr))?, $value:ty => $slot:tt, $doc:literal) => {
        $crate::settings::table::group::Field {
            name: $name,
            kind: <$value as $crate::settings::value::Value>::KIND,
            form: <$value as $crate::settings::value::Value>::FORM,
            doc: $crate::in_reference($doc),
            // Entries of groups are only used in the OS.
            stage: $crate::Stage::Root,
            class: $crate::settings::table::class::Class::$class $(($anchor))?,
            secret: <$value as $crate::settings::value::Value>::SECRET,
            clear: $crate::settings::table::group::field!(@clear $slot),
            set: $crate::settings::table::group::field!(@set $value, $slot),
        }
    };
}
pub(super) use field;

impl Field {
    /// Whether it takes several values.
    pub const fn many(&self) -> bool {
        self.clear.is_some()
    }
}

impl Group {
    /// Splits the text after the group's name into the entry's name and the field. The entry's name may contain dots:
    /// the field is the part after the last one.
    pub fn entry<'a>(&self, rest: &'a str) -> Result<(&'a str, &'static Field), String> {
        if let [field] = self.fields
            && field.name.is_empty()
        {
            return Ok((rest, field));
        }
        let known = || self.fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ");
        let Some((entry, last)) = rest.rsplit_once('.') else {
            return Err(format!("{} must be followed by {} and one of {}", self.name, self.entry, known()));
        };
        let wanted = last.replace('-', "_");
        match self.fields.iter().find(|field| field.name == wanted) {
            Some(field) => Ok((entry, field)),
            None => Err(format!("\"{last}\" is not one of {}", known())),
        }
    }
}

/// Adds the rows of one entry.
pub(super) struct Rows<'a> {
    /// All rows of the group.
    pub rows: &'a mut Vec<Shown>,
    /// The group's and the entry's name.
    pub prefix: String,
}

impl Rows<'_> {
    /// Adds the row of a field if it is set.
    pub fn add<V: Value>(&mut self, field: &str, value: Option<&Sourced<V::Kept>>) {
        self.rows.extend(value.map(|value| Shown {
            name: format!("{}.{field}", self.prefix),
            value: V::show(&value.value),
            source: value.source.clone(),
        }));
    }
}
