//! The JSON schema of a settings file, generated from the tables of settings. It is for editors, and for checks before
//! a file is served. It uses draft 7, which TOML editors support.

use serde_json::{Map, Value, json};

use dayfly_formats::mac::Mac;

use crate::settings::gather::rules::CONDITIONS;
use crate::settings::table::group::{Field, Group};
use crate::settings::table::groups::GROUPS;
use crate::settings::table::keys::{KEYS, VERSION};
use crate::settings::table::slot::Shown;
use crate::settings::value::{Form, Value as _};
use crate::settings::wanted::Settings;

/// The complete schema. A setting that it rejects causes an error or a warning in a boot. A boot checks values more
/// closely.
pub fn schema() -> Value {
    let mut tables = Map::new();
    let mut properties = Map::new();
    let defaults = Settings::default();
    for key in KEYS {
        let shown = (key.show)(&defaults, key.name);
        let value = value(key.form, key.doc, key.secret, key.many(), shown.first());
        match key.name.split_once('.') {
            None => {
                properties.insert(key.name.to_owned(), value);
            }
            Some((table, name)) => {
                let table = tables.entry(table).or_insert_with(empty);
                if let Some(Value::Object(inside)) = table.get_mut("properties") {
                    inside.insert(name.to_owned(), value);
                }
            }
        }
    }
    for group in GROUPS {
        tables.insert(group.name.to_owned(), of_group(group));
    }
    for name in tables.keys() {
        properties.insert(name.clone(), reference(name));
    }
    let mut in_rule = properties.clone();
    in_rule.insert("when".to_owned(), when());
    let rule = json!({
        "type": "object",
        "required": ["when"],
        "properties": in_rule,
        "additionalProperties": false,
        "not": { "required": ["hostname"], "properties": { "when": { "required": ["hostname"] } } },
    });
    properties.insert(
        "version".to_owned(),
        json!({ "const": VERSION, "description": "The version of the format." }),
    );
    properties.insert(
        "match".to_owned(),
        json!({ "type": "array", "items": rule, "description": "Settings for matching machines only." }),
    );
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Settings of Dayfly",
        "type": "object",
        "required": ["version"],
        "properties": properties,
        "additionalProperties": false,
        "definitions": tables,
    })
}

fn empty() -> Value {
    json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

fn reference(table: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{table}") })
}

/// The schema of a setting's value.
fn value(form: Form, doc: &str, secret: bool, many: bool, default: Option<&Shown>) -> Value {
    let one = of_form(form);
    let mut schema = if many { json!({ "anyOf": [one, { "type": "array", "items": one }] }) } else { one };
    if let Value::Object(fields) = &mut schema {
        let doc = if secret { format!("A secret: from private sources only. {doc}") } else { doc.to_owned() };
        fields.insert("description".to_owned(), json!(doc));
        if secret {
            fields.insert("writeOnly".to_owned(), json!(true));
        }
        if let Some(text) = default.map(|shown| shown.value.as_str()).filter(|text| *text != "-") {
            fields.insert("default".to_owned(), typed(form, text));
        }
    }
    schema
}

fn of_form(form: Form) -> Value {
    let number = |least: i64, most: i64| {
        let mut number = json!({ "type": "integer" });
        if let Value::Object(fields) = &mut number {
            fields.extend((least > i64::MIN).then(|| ("minimum".to_owned(), json!(least))));
            fields.extend((most < i64::MAX).then(|| ("maximum".to_owned(), json!(most))));
        }
        number
    };
    match form {
        Form::Text => json!({ "type": "string" }),
        Form::Pattern(pattern) => json!({ "type": "string", "pattern": pattern }),
        Form::OneOf(names) => json!({ "enum": names }),
        Form::Bool => {
            json!({ "enum": [true, false, 1, 0, "1", "yes", "on", "true", "y", "0", "no", "off", "false", "n"] })
        }
        Form::Number(least, most, pattern) => {
            json!({ "anyOf": [number(least, most), { "type": "string", "pattern": pattern }] })
        }
    }
}

/// A default as a value of its form.
fn typed(form: Form, text: &str) -> Value {
    match (form, text.parse::<i64>()) {
        (Form::Bool, _) => json!(text == "yes"),
        (Form::Number(..), Ok(number)) => json!(number),
        _ => json!(text),
    }
}

fn of_group(group: &Group) -> Value {
    let entry = match group.fields {
        [field] if field.name.is_empty() => {
            let value = value(field.form, field.doc, field.secret, field.many(), None);
            // Names with dots need no quotes: TOML makes nested tables of them, and the parser joins them again.
            if group.name == "sysctl" { json!({ "anyOf": [value, reference(group.name)] }) } else { value }
        }
        fields => {
            let field = |field: &Field| {
                (field.name.to_owned(), value(field.form, field.doc, field.secret, field.many(), None))
            };
            let properties: Map<String, Value> = fields.iter().map(field).collect();
            json!({ "type": "object", "properties": properties, "additionalProperties": false })
        }
    };
    json!({
        "type": "object",
        "description": group.doc,
        "propertyNames": { "pattern": entry_pattern(group) },
        "additionalProperties": entry,
    })
}

/// The pattern for an entry's name.
fn entry_pattern(group: &Group) -> &'static str {
    match group.name {
        "layout" => r"^(?!/(proc|sys|dev|run)(/|$))(/(?!\.{1,2}(/|$))[^/]+)+$",
        "file" => r"^(?!/(proc|sys|dev)(/|$))(/(?!\.{1,2}(/|$))[^/\n\u0000]+)+$",
        "user" => r"^(?!-)[A-Za-z0-9._$-]{1,32}$",
        "sysctl" => r"^[^=#;*?\[\]\\\s]+$",
        "unit" => r"^[A-Za-z0-9:_.\\@-]+\.(service|socket|timer|path|target|mount|automount|swap|slice)$",
        "script" => "^(?!-)[A-Za-z0-9_-]{1,32}$",
        _ => "",
    }
}

fn when() -> Value {
    let pattern = |name: &str| match name {
        "mac" => match Mac::FORM {
            Form::Pattern(pattern) => pattern,
            _ => "",
        },
        "uuid" => "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
        _ => "",
    };
    let condition = |(name, doc): &(&str, &str)| {
        let one = json!({ "type": "string", "pattern": pattern(name) });
        let some = json!({ "type": "array", "items": one, "minItems": 1 });
        ((*name).to_owned(), json!({ "anyOf": [one, some], "description": doc }))
    };
    let properties: Map<String, Value> = CONDITIONS.iter().map(condition).collect();
    json!({
        "type": "object",
        "description": "The conditions that select machines; all must hold.",
        "properties": properties,
        "minProperties": 1,
        "additionalProperties": false,
    })
}
