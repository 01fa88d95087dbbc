//! The trait of all value types.

use super::form::Form;

/// A type of setting values.
pub trait Value {
    /// The type in which a value is stored.
    type Kept;
    /// What the documentation calls it.
    const KIND: &'static str;
    /// How it is written in a settings file.
    const FORM: Form;
    /// It is only accepted from private sources and is never shown.
    const SECRET: bool = false;
    /// The separator, if a text may contain several values.
    const SEPARATOR: Option<char> = None;

    /// Reads a value. The error is the end of a sentence.
    fn read(text: &str) -> Result<Self::Kept, String>;

    /// Writes a value so that it can be read again, except secrets and long texts.
    fn show(kept: &Self::Kept) -> String;
}

/// `TYPE(KEPT) = KIND, FORM, READ, SHOW;` defines a type of values that are stored as a more general type, for example
/// seconds as a duration. `TYPE(KEPT, secret)` defines a type of secrets.
macro_rules! values {
    (@secret secret) => { true };
    (@secret) => { false };
    ($($(#[$text:meta])* $name:ident($kept:ty $(, $secret:ident)?) = $kind:literal, $form:expr, $read:expr, $show:expr;)*) => { $(
        $(#[$text])*
        pub struct $name;

        impl $crate::settings::value::Value for $name {
            type Kept = $kept;
            const KIND: &'static str = $kind;
            const FORM: $crate::settings::value::Form = $form;
            const SECRET: bool = $crate::settings::value::values!(@secret $($secret)?);

            fn read(text: &str) -> Result<$kept, String> {
                let read: fn(&str) -> Result<$kept, String> = $read;
                read(text)
            }

            fn show(kept: &$kept) -> String {
                let show: fn(&$kept) -> String = $show;
                show(kept)
            }
        }
    )* };
}
pub(crate) use values;

/// `TYPE = KIND, FORM;` implements [`Value`] for a type that reads its own text (`FromStr`) and writes it (`Display`).
macro_rules! own_values {
    ($($name:ty = $kind:expr, $form:expr;)*) => { $(
        impl $crate::settings::value::Value for $name {
            type Kept = Self;
            const KIND: &'static str = $kind;
            const FORM: $crate::settings::value::Form = $form;

            fn read(text: &str) -> Result<Self, String> {
                text.parse().map_err(|error| format!("{error}"))
            }

            fn show(kept: &Self) -> String {
                kept.to_string()
            }
        }
    )* };
}
pub(crate) use own_values;
