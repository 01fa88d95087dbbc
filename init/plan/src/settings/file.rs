//! The settings file: TOML with `version = 1`, flattened to the dotted names of the key table.

use toml::{Table, Value};

use super::{Settings, apply_key};
use crate::{Code, Layer, Problem, Severity, Source};

/// The only version there is.
const VERSION: i64 = 1;

/// Reads a settings file into `settings`. The message of a file that is not TOML has its position, never its text: it
/// may be a secret's.
pub fn apply(settings: &mut Settings, layer: &Layer, problems: &mut Vec<Problem>) {
    let (text, source) = (layer.document.0.as_str(), &layer.source);
    let refuse = |text: String| Problem {
        severity: Severity::Refuse,
        code: Code::ConfigFile,
        source: source.clone(),
        text,
    };
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            let line = error
                .span()
                .map_or(0, |span| text.get(..span.start).map_or(0, |head| head.lines().count().max(1)));
            problems
                .push(refuse(format!("The settings file is not TOML: line {line}: {}.", error.message())));
            return;
        }
    };
    match table.get("version") {
        Some(Value::Integer(VERSION)) => {}
        Some(other) => {
            problems.push(refuse(format!(
                "The settings file has version {}, this Dayfly reads version {VERSION}.",
                plain(other)
            )));
            return;
        }
        None => {
            problems.push(refuse(format!(
                "The settings file has no version: put \"version = {VERSION}\" on top."
            )));
            return;
        }
    }
    flatten(settings, "", &table, source, problems);
}

fn flatten(
    settings: &mut Settings,
    prefix: &str,
    table: &Table,
    source: &Source,
    problems: &mut Vec<Problem>,
) {
    for (key, value) in table {
        if prefix.is_empty() && key == "version" {
            continue;
        }
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => flatten(settings, &name, inner, source, problems),
            // A list sets its key once per item: the keys that take several values gather them.
            Value::Array(items) => {
                for item in items {
                    apply_key(settings, &name, &plain(item), source, problems);
                }
            }
            other => apply_key(settings, &name, &plain(other), source, problems),
        }
    }
}

/// A scalar as its text; a table in a list is none, and its debug form is refused by every key.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Datetime(time) => time.to_string(),
        other @ (Value::Array(_) | Value::Table(_)) => format!("{other:?}"),
    }
}
