//! The settings file: TOML with `version = 1`, flattened to the dotted names of the key table. Then its rules.

use toml::{Table, Value};

use super::depth::depth;
use super::gathered::Gathered;
use super::key::{ONE_VALUE, apply_key};
use super::problems::{Problems, refuse};
use super::rules::{Conditions, Subject};
use crate::settings::table::keys::VERSION;
use crate::settings::table::{groups, keys};
use crate::settings::value::Form;
use crate::{Code, Document, Problem, SettingsFile, Severity, Source};

/// Limit for nested tables and lists. No setting needs a tenth of it. The reader recurses to this depth, on the stack
/// of process 1.
const DEEPEST: usize = 64;
/// The table of rules.
const RULES: &str = "match";

/// Reads a settings file into `gathered`. The message for a file that is not TOML gives the position but not the text,
/// because the text may be a secret.
pub fn apply(gathered: &mut Gathered, file: &SettingsFile, subject: &Subject<'_>, problems: &mut Problems) {
    let (text, source) = (file.document.0.as_str(), &file.source);
    let refuse = |text: String| Problem {
        severity: Severity::Refuse,
        code: Code::ConfigFile,
        source: source.clone(),
        text,
    };
    if let Err(wrong) = Document::check_length(text.len() as u64) {
        problems.push(refuse(format!("The settings file cannot be used: {wrong}.")));
        return;
    }
    if depth(text) > DEEPEST {
        problems
            .push(refuse(format!("The settings file nests tables or lists deeper than {DEEPEST} levels.")));
        return;
    }
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
                "The settings file has version {}, but this Dayfly only reads version {VERSION}.",
                plain(other)
            )));
            return;
        }
        None => {
            problems.push(refuse(format!(
                "The settings file has no version: add \"version = {VERSION}\" at the top."
            )));
            return;
        }
    }
    flatten(gathered, "", &table, &["version", RULES], source, problems);
    match table.get(RULES) {
        None => {}
        Some(Value::Array(rules)) => {
            // Rules for other machines are tried on a separate value, not on this machine's settings. A copy of those
            // may be large.
            let mut others = Gathered { floor: gathered.floor.clone(), ..Gathered::default() };
            // The entries that both floors have are in this one already.
            gathered.floor.take_by_name(&mut others.floor);
            for (position, rule) in (1..).zip(rules) {
                apply_rule(gathered, &mut others, position, rule, source, subject, problems);
            }
        }
        Some(_) => problems.push(refuse(format!(
            "\"{RULES}\" is a list of rules: each starts with [[{RULES}]], in double brackets."
        ))),
    }
}

/// Applies a rule's settings if its conditions hold. A mistake in a rule for other machines is logged and does not stop
/// this machine.
fn apply_rule(
    gathered: &mut Gathered,
    others: &mut Gathered,
    position: usize,
    rule: &Value,
    file: &Source,
    subject: &Subject<'_>,
    problems: &mut Problems,
) {
    let refuse = |text: String| Problem {
        severity: Severity::Refuse,
        code: Code::ConfigValue,
        source: file.clone(),
        text: format!("match {position}: {text}."),
    };
    let Value::Table(rule) = rule else {
        problems.push(refuse(format!("it is not a table: a rule starts with [[{RULES}]]")));
        return;
    };
    let conditions = match Conditions::read(rule) {
        Ok(conditions) => conditions,
        Err(wrong) => {
            problems.push(refuse(wrong));
            return;
        }
    };
    if conditions.ask_for_name() && rule.contains_key("hostname") {
        problems.push(refuse("it has a hostname condition, so it cannot set hostname".to_owned()));
        return;
    }
    let holds = conditions.hold(subject, &mut gathered.asked);
    let source = Source::Rule { file: Box::new(file.clone()), position, stage: conditions.stage(subject) };
    if holds {
        gathered.floor.begin_rule(conditions.ask_for_name());
        flatten(gathered, "", rule, &["when"], &source, problems);
        gathered.floor.begin_rule(false);
    } else {
        others.floor.begin_rule(conditions.ask_for_name());
        let mut found = Problems::default();
        flatten(others, "", rule, &["when"], &source, &mut found);
        // The time of a source only matters if the rule holds. But a rule whose host name comes with the network is never
        // used for the network, and a node without a network could not report it later.
        let is_told = |problem: &Problem| {
            problem.code != Code::ConfigTooLate || conditions.ask_for_name() && subject.name.is_none()
        };
        let found = found.into_vec().into_iter().filter(is_told);
        problems.extend(found.map(|problem| Problem { severity: Severity::Warn, ..problem }));
        gathered.floor.take_by_name(&mut others.floor);
    }
}

/// Applies a table's settings, except the names in `except`.
fn flatten(
    gathered: &mut Gathered,
    prefix: &str,
    table: &Table,
    except: &[&str],
    source: &Source,
    problems: &mut Problems,
) {
    for (key, value) in table {
        if except.contains(&key.as_str()) {
            continue;
        }
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => flatten(gathered, &name, inner, &[], source, problems),
            Value::Array(items) if items.is_empty() => apply_key(gathered, &name, None, source, problems),
            other => {
                for item in items(&name, other, source, problems) {
                    apply_key(gathered, &name, Some(&plain(item)), source, problems);
                }
            }
        }
    }
}

/// The values that a key is set to: one value, or those of a list if the key takes several. A value of a wrong type is
/// reported and left out.
fn items<'a>(name: &str, value: &'a Value, source: &Source, problems: &mut Problems) -> Vec<&'a Value> {
    // `apply_key` reports an unknown name.
    let Some((form, many)) = written(name) else { return vec![value] };
    let items: Vec<&Value> = match value {
        Value::Array(_) if !many => {
            problems.push(refuse(source, format!("{name}: {ONE_VALUE}.")));
            return Vec::new();
        }
        Value::Array(items) => items.iter().collect(),
        other => vec![other],
    };
    let fits = |item: &&Value| match form.check(item) {
        Ok(()) => true,
        Err(reason) => {
            problems.push(refuse(source, format!("{name}: {reason}.")));
            false
        }
    };
    items.into_iter().filter(fits).collect()
}

/// The form of a setting's value, and whether it takes several values.
fn written(name: &str) -> Option<(Form, bool)> {
    match groups::find(name) {
        Some((group, rest)) => group.entry(rest).ok().map(|(_, field)| (field.form, field.many())),
        None => keys::find(name).map(|key| (key.form, key.many())),
    }
}

/// A scalar as its text. For a list or a table, the text is empty: only the name is used.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Datetime(time) => time.to_string(),
        Value::Array(_) | Value::Table(_) => String::new(),
    }
}
