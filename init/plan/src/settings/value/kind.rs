//! What every type of values has.

use super::form::Form;

/// A type of values.
pub trait Value {
    /// What is kept of one.
    type Kept;
    /// What the documentation calls it.
    const KIND: &'static str;
    /// How it is written in a settings file.
    const FORM: Form;
    /// It is taken from private places only and shown by nobody.
    const SECRET: bool = false;
    /// Where a text may have several, what stands between them.
    const SEPARATOR: Option<char> = None;

    /// Reads one; what is wrong with it, to end a sentence, if it is none.
    fn read(text: &str) -> Result<Self::Kept, String>;

    /// Writes one, as it can be read again, but for secrets and what is too long to be shown.
    fn show(kept: &Self::Kept) -> String;
}

/// `TYPE(KEPT) = KIND, FORM, READ, SHOW;` is a type of values that are kept as something more general: seconds as a
/// duration. `TYPE(KEPT, secret)` is one of secrets.
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

/// `TYPE = KIND, FORM;` is a type that reads its own text (`FromStr`) and writes it (`Display`).
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
