//! How a value is written in a settings file: its TOML types and the pattern of its text. The JSON schema is generated
//! from it. The final check is in the code that reads the value.

use toml::Value;

use crate::in_reference;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Any text.
    Text,
    /// A text that matches this regular expression (ECMA 262). The expression matches all valid texts, and may match
    /// invalid ones.
    Pattern(&'static str),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// `true` or `false`, or dracut's words for them.
    Bool,
    /// An integer within these bounds, or a text that matches this expression.
    Number(i64, i64, &'static str),
}

/// A text that matches an expression. Only the schema uses the expression.
pub(crate) const fn pattern(expression: &'static str) -> Form {
    Form::Pattern(in_reference(expression))
}

/// A number, or a text that matches an expression. Only the schema uses the expression.
pub(crate) const fn number(least: i64, most: i64, expression: &'static str) -> Form {
    Form::Number(least, most, in_reference(expression))
}

impl Form {
    /// Checks the TOML type of a value. Returns what is expected if it is wrong.
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
        Err(format!("{expected}, but this is {}", type_name(value)))
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
