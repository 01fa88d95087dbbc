//! Fields of the settings: how a value is set from text and shown.

use crate::settings::value::Value;
use crate::{Source, Sourced};

/// One setting for boot.json and `explain`: name, value and source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The dotted name.
    pub name: String,
    /// The value in its written form. `-` if there is none.
    pub value: String,
    /// Its source.
    pub source: Source,
}

/// A field that has a value, or may have one.
pub trait Slot<V: Value> {
    /// Sets the value from its text, unless the current value has precedence.
    fn take(&mut self, text: &str, source: &Source) -> Result<(), String>;

    /// The value as it stands.
    fn rows(&self, name: &str) -> Vec<Shown>;
}

impl<V: Value> Slot<V> for Sourced<V::Kept> {
    fn take(&mut self, text: &str, source: &Source) -> Result<(), String> {
        self.set(V::read(text)?, source.clone());
        Ok(())
    }

    fn rows(&self, name: &str) -> Vec<Shown> {
        maybe(Some(self), name, V::show)
    }
}

impl<V: Value> Slot<V> for Option<Sourced<V::Kept>> {
    fn take(&mut self, text: &str, source: &Source) -> Result<(), String> {
        put(self, V::read(text)?, source);
        Ok(())
    }

    fn rows(&self, name: &str) -> Vec<Shown> {
        maybe(self.as_ref(), name, V::show)
    }
}

/// A field that takes several values.
pub trait List<V: Value> {
    /// Adds the values of a text.
    fn take(&mut self, text: &str, source: &Source) -> Result<(), String>;

    /// The values as they stand.
    fn rows(&self, name: &str) -> Vec<Shown>;
}

impl<V: Value> List<V> for Vec<Sourced<V::Kept>> {
    fn take(&mut self, text: &str, source: &Source) -> Result<(), String> {
        let Some(separator) = V::SEPARATOR else {
            add(self, V::read(text)?, source);
            return Ok(());
        };
        text.split(separator).try_for_each(|part| {
            add(self, V::read(part)?, source);
            Ok(())
        })
    }

    fn rows(&self, name: &str) -> Vec<Shown> {
        if self.is_empty() {
            return maybe(None, name, V::show);
        }
        self.iter().flat_map(|value| maybe(Some(value), name, V::show)).collect()
    }
}

/// Sets an optional value, unless the current value has precedence.
pub fn put<T>(slot: &mut Option<Sourced<T>>, value: T, source: &Source) {
    match slot {
        Some(there) => there.set(value, source.clone()),
        None => *slot = Some(Sourced { value, source: source.clone() }),
    }
}

/// Values from a higher source replace the list. Values from the same source are added to it.
fn add<T>(list: &mut Vec<Sourced<T>>, value: T, source: &Source) {
    match list.first().map(|first| first.source.rank()) {
        Some(rank) if rank > source.rank() => return,
        Some(rank) if rank < source.rank() => list.clear(),
        _ => {}
    }
    list.push(Sourced { value, source: source.clone() });
}

/// The row of an optional value.
pub(super) fn maybe<T>(value: Option<&Sourced<T>>, name: &str, show: impl Fn(&T) -> String) -> Vec<Shown> {
    let (value, source) = match value {
        Some(value) => (show(&value.value), value.source.clone()),
        None => ("-".to_owned(), Source::Default),
    };
    vec![Shown { name: name.to_owned(), value, source }]
}
