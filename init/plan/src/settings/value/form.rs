//! How a value is written in a settings file: which of TOML's types it may have, and what its text looks like. The JSON
//! schema is made of it; the last word on a value has what reads it.

use toml::Value;

use crate::in_reference;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Any text.
    Text,
    /// A text that this expression (ECMA 262) fits. It fits all that is taken, and may fit what is not.
    Pattern(&'static str),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// `true` or `false`, or dracut's words for it.
    Bool,
    /// A whole number in these bounds, or a text that this expression fits.
    Number(i64, i64, &'static str),
}

/// A text that fits an expression, which only the schema has.
pub(crate) const fn pattern(expression: &'static str) -> Form {
    Form::Pattern(in_reference(expression))
}

/// A number, or a text that fits an expression, which only the schema has.
pub(crate) const fn number(least: i64, most: i64, expression: &'static str) -> Form {
    Form::Number(least, most, in_reference(expression))
}

impl Form {
    /// Whether a value of this type can be one; what it should be, if not.
    pub(in crate::settings) fn check(self, value: &Value) -> Result<(), String> {
        use Form::{Bool, Number, OneOf, Pattern, Text};
        let expected = match (self, value) {
            (_, Value::String(_))
            | (Bool, Value::Boolean(_) | Value::Integer(_))
            | (Number(..), Value::Integer(_)) => {
                return Ok(());
            }
            (Bool, _) => "true or false is expected",
            (Number(..), _) => "a whole number, or a text in quotes, is expected",
            (Text | Pattern(_) | OneOf(_), _) => "a text in quotes is expected",
        };
        Err(format!("{expected}, and this is {}", type_name(value)))
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a number",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true or false without quotes",
        Value::Datetime(_) => "a date or time",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}
