//! What a group of settings is: one for each of something, a policy per path, a value per sysctl, a file per path. The entry's
//! name stands in the setting's: `layout./var = "ephemeral"`.

use super::class::Class;
use super::slot::Shown;
use crate::settings::value::{Form, Value};
use crate::settings::wanted::Settings;
use crate::{Source, Sourced, Stage};

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
    /// How its value is written in a settings file.
    pub form: Form,
    /// What it does.
    pub doc: &'static str,
    /// When it is used: a source that is known only later cannot set it.
    pub stage: Stage,
    /// What somebody gains who may choose its value.
    pub class: Class,
    /// It is taken from private sources only and shown by nobody.
    pub secret: bool,
    /// It gathers several values; this drops all of the entry of this name.
    pub clear: Option<Clear>,
    /// Sets it, for the entry of this name, from its text.
    pub set: fn(&mut Settings, &str, &str, &Source) -> Result<(), String>,
}

/// Name, class, type of the value, field of the entry, documentation; the entry is found by the function that the field is
/// written behind. A field in brackets gathers values; in braces stands how to set what is no field.
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
            // Whoever has an entry of a group uses it in the OS.
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
    /// Whether it gathers several values.
    pub const fn many(&self) -> bool {
        self.clear.is_some()
    }
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
    pub fn add<V: Value>(&mut self, field: &str, value: Option<&Sourced<V::Kept>>) {
        self.rows.extend(value.map(|value| Shown {
            name: format!("{}.{field}", self.prefix),
            value: V::show(&value.value),
            source: value.source.clone(),
        }));
    }
}
