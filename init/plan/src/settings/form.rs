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

use Form::{Bool, Number, OneOf, Pattern, Text};

macro_rules! url {
    ($authority_end:literal) => {
        concat!(
            r"^[Hh][Tt][Tt][Pp][Ss]?://(?![^/?#]*\$\{)(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\u0000-\u0020\u007f-\u009f]+)(:[0-9]+)?",
            $authority_end
        )
    };
}

macro_rules! device {
    ($($more:literal)?) => {
        concat!(
            r"^(/dev(/(?!\.{1,2}(/|$))[^/\s]+)+|(LABEL|CDLABEL|UUID|PARTLABEL|PARTUUID)=[\s\S]+",
            $("|", $more,)?
            ")$"
        )
    };
}

const fn pattern(expression: &'static str) -> Form {
    Pattern(in_reference(expression))
}

const fn number(least: i64, most: i64, expression: &'static str) -> Form {
    Number(least, most, in_reference(expression))
}

const BELOW: Form = pattern(r"^/*(?!\.{1,2}(/|$))[^/]+(/(?!\.{1,2}(/|$))[^/]+)*/*$");
const KEY: &str = r"^([^/=\s]+/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?=";

/// The form of each kind of value. A kind is what the documentation says of a value.
const FORMS: &[(&str, Form)] = &[
    ("text", Text),
    ("private key", Text),
    ("lines of known_hosts", Text),
    ("PEM", Text),
    ("kubeconfig", Text),
    ("KubeletConfiguration", Text),
    ("URL", pattern(url!(r"([/?#]([^\s\u0000-\u0020\u007f-\u009f]| )*)?$"))),
    (
        "URL with variables",
        pattern(url!(
            r"([/?#]([^\s$\u0000-\u0020\u007f-\u009f]| |\$(?!\{)|\$\{(mac|mac:hexhyp|mac:hexraw|uuid|serial|hostname)\})*)?$"
        )),
    ),
    (
        "https:// or ssh:// URL, or user@host:path",
        pattern(r"^(?!-)(([Hh][Tt][Tt][Pp][Ss]|[Ss][Ss][Hh])://[^\s/]+(/\S*)?|[^\s/:]*@[^\s/:]*:\S+)$"),
    ),
    ("https:// URL", pattern(r"^https://[^\s/?#@]+([/?#]\S*)?$")),
    ("64 hexadecimal digits", pattern("^[0-9A-Fa-f]{64}$")),
    ("device", pattern(device!())),
    ("device or none", pattern(device!("none"))),
    (
        "seconds",
        number(1, 86400, r"^0*([1-9][0-9]{0,3}|[1-7][0-9]{4}|8[0-5][0-9]{3}|86[0-3][0-9]{2}|86400)s?$"),
    ),
    ("whole number of seconds", number(i64::MIN, i64::MAX, r"^[+-]?[0-9]+$")),
    ("size", number(1, i64::MAX, r"^[0-9]+(\.[0-9]{1,9})?([kKmMgG](iB)?)?$")),
    (
        "size or percentage",
        number(1, i64::MAX, r"^([0-9]+(\.[0-9]{1,9})?([kKmMgG](iB)?)?|0*([1-9][0-9]?|100)%)$"),
    ),
    ("yes or no", Bool),
    ("path on the disk", BELOW),
    ("file name", BELOW),
    ("path in the repository", BELOW),
    ("path", pattern(r"^(/(?!\.{1,2}(/|$))[^/\n\u0000]+)+$")),
    ("ip= value", pattern(r"^\S+$")),
    (
        "IP address",
        pattern(
            r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}|(?=.*:)[0-9A-Fa-f:.]+)$",
        ),
    ),
    (
        "MAC address",
        pattern("^([0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{1,2}(-[0-9A-Fa-f]{1,2}){5})$"),
    ),
    ("module name", pattern("^[A-Za-z0-9_-]{1,55}(,[A-Za-z0-9_-]{1,55})*$")),
    (
        "host name",
        pattern(
            r"^(?=.{1,63}$)(?![0-9]+(\.[0-9]+){3}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
        ),
    ),
    ("any or limited", OneOf(&["any", "limited"])),
    ("blank or no", OneOf(&["blank", "no"])),
    ("ext4, xfs, btrfs or f2fs", OneOf(&["ext4", "xfs", "btrfs", "f2fs"])),
    ("auto, none, networkd or ifupdown", OneOf(&["auto", "none", "networkd", "ifupdown"])),
    ("persistent, ephemeral or image", OneOf(&["persistent", "ephemeral", "image"])),
    ("reboot, poweroff or halt", OneOf(&["reboot", "poweroff", "halt"])),
    (
        "controller, controller+worker, single, worker or none",
        OneOf(&["controller", "controller+worker", "single", "worker", "none"]),
    ),
    ("server, agent or none", OneOf(&["server", "agent", "none"])),
    ("k0s.yaml", Text),
    ("config.yaml", Text),
    (
        "policy",
        pattern(
            r"^(read-only|ephemeral|persistent|persistent-file|tmpfs(\((?!0*\))[0-9]+(\.[0-9]{1,9})?([kKmMgG](iB)?)?\))?)$",
        ),
    ),
    ("octal digits", pattern("^0[0-7]{3}$")),
    (
        "user or user:group",
        number(0, i64::MAX, r"^(?!-)[A-Za-z0-9._$-]{1,32}(:(?!-)[A-Za-z0-9._$-]{1,32})?$"),
    ),
    ("public key", pattern(r"^(?![\s\S]*PRIVATE KEY)[\s\S]*(ssh-|ecdsa-sha2-|sk-ssh-|sk-ecdsa-)\S*\s+AAAA")),
    ("hash", pattern(r"^\s*([!*]|[$_][!-~]{8,})\s*$")),
    ("one line, or a number", number(i64::MIN, i64::MAX, r"^\s*\S[^\n\r]*\s*$")),
    ("name", pattern(r"^(?!-)\S+$")),
    ("key=value", pattern(KEY)),
    ("key=value:effect", pattern(r"^[^\s:]+(=[^\s:]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$")),
    ("unix:// URL", pattern("^unix:///")),
    ("domain", Text),
];

/// The form of a kind; that it has one, a test sees to.
pub fn of(kind: &str) -> Option<Form> {
    FORMS.iter().find(|(name, _)| *name == kind).map(|(_, form)| *form)
}

impl Form {
    /// Whether a value of this type can be one; what it should be, if not.
    pub(super) fn check(self, value: &Value) -> Result<(), String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{groups::GROUPS, keys::KEYS};

    fn all() -> impl Iterator<Item = (String, &'static str, &'static str, bool)> {
        let keys = KEYS.iter().map(|key| (key.name.to_owned(), key.kind, key.doc, key.many()));
        let fields = GROUPS.iter().flat_map(|group| {
            let row = |field: &'static super::super::groups::Field| {
                (format!("{}.{}", group.name, field.name), field.kind, field.doc, field.many())
            };
            group.fields.iter().map(row)
        });
        keys.chain(fields)
    }

    #[test]
    fn every_kind_has_a_form() {
        for (name, kind, ..) in all() {
            assert!(of(kind).is_some(), "{name}: \"{kind}\" is not in FORMS");
        }
    }

    #[test]
    fn what_is_documented_to_take_several_values_takes_a_list() {
        for (name, _, doc, many) in all() {
            assert_eq!(doc.contains("everal are allowed"), many, "{name}: is it marked `many`?");
        }
    }
}
