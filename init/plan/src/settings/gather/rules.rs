//! Rules of a settings file: settings for some machines only, so that one file works for many machines.
//!
//! ```toml
//! [[match]]
//! when = { mac = "52:54:00:12:34:56" }
//! hostname = "worker1"
//! ```

use dayfly_formats::hostname;
use dayfly_formats::mac::Mac;
use dayfly_formats::modules::matches;
use toml::{Table, Value};

use crate::settings::value::nearest;
use crate::{Machine, Stage};

/// The conditions of a rule, in the order of the documentation.
pub const CONDITIONS: [(&str, &str); 4] = [
    (
        "mac",
        "the MAC address of one of the machine's interfaces; it is known after the drivers are loaded, so such a rule cannot set anything that is needed before that",
    ),
    ("uuid", "the system's UUID in SMBIOS (`/sys/class/dmi/id/product_uuid`)"),
    ("serial", "the system's serial number in SMBIOS (`/sys/class/dmi/id/product_serial`)"),
    (
        "hostname",
        "the host name, with `*`, `?` and `[…]` as in a shell: the one from other settings, else the network's; such a rule cannot set `hostname`, nor anything that is needed before the name is known",
    ),
];

/// The machine that rules are matched with, as far as the boot knows it.
pub struct Subject<'a> {
    /// Its identity.
    pub machine: &'a Machine,
    /// Its host name, if known, and the stage from which it is known.
    pub name: Option<(&'a str, Stage)>,
}

/// The conditions that the rules of all files use. A condition does not count if another one of the same rule already
/// fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// The UUID.
    pub uuid: bool,
    /// The serial number.
    pub serial: bool,
    /// MAC addresses.
    pub macs: bool,
    /// The host name.
    pub name: bool,
}

/// The conditions of a rule. Each lists the accepted values, and all must hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    macs: Vec<Mac>,
    uuids: Vec<String>,
    serials: Vec<String>,
    names: Vec<String>,
}

impl Conditions {
    /// Reads a rule's `when`.
    pub fn read(rule: &Table) -> Result<Self, String> {
        const HOW: &str = "when = { mac = \"52:54:00:12:34:56\" } selects the machines";
        let when = match rule.get("when") {
            Some(Value::Table(when)) if !when.is_empty() => when,
            Some(Value::Table(_)) => {
                return Err(format!(
                    "it has no condition: {HOW}; put settings for all machines above the first match"
                ));
            }
            Some(_) => return Err(format!("its \"when\" is not a table: {HOW}")),
            None => return Err(format!("it has no \"when\": {HOW}")),
        };
        let mut conditions = Self::default();
        for (name, value) in when {
            let texts = texts(value).map_err(|wrong| format!("when.{name} {wrong}"))?;
            for text in texts {
                conditions.add(name, text).map_err(|wrong| format!("when.{name}: {wrong}"))?;
            }
        }
        Ok(conditions)
    }

    fn add(&mut self, name: &str, text: &str) -> Result<(), String> {
        match name {
            "mac" => self.macs.push(mac(text)?),
            "uuid" => self.uuids.push(uuid(text)?),
            "serial" => self.serials.push(text.trim().to_owned()),
            "hostname" => self.names.push(pattern(text)?),
            other => {
                let names = CONDITIONS.map(|(name, _)| name);
                return Err(match nearest(other, names.into_iter()) {
                    Some(meant) => format!("there is no such condition; did you mean {meant}?"),
                    None => format!("there is no such condition; one of {} is expected", names.join(", ")),
                });
            }
        }
        Ok(())
    }

    /// Whether all conditions hold. A condition on an unknown value does not hold, and is added to `asked`.
    pub fn hold(&self, subject: &Subject<'_>, asked: &mut Asked) -> bool {
        let machine = subject.machine;
        asked.uuid |= !self.uuids.is_empty();
        asked.serial |= !self.serials.is_empty();
        let is_one_of = |wanted: &[String], there: &Option<String>| {
            wanted.is_empty() || there.as_ref().is_some_and(|there| wanted.contains(there))
        };
        if !is_one_of(&self.uuids, &machine.uuid) || !is_one_of(&self.serials, &machine.serial) {
            return false;
        }
        let mac = self.macs.is_empty() || machine.macs.iter().any(|mac| self.macs.contains(mac));
        asked.macs |= !self.macs.is_empty();
        if !mac && !machine.macs.is_empty() {
            return false;
        }
        asked.name |= !self.names.is_empty();
        let fits = |name: &str| self.names.iter().any(|pattern| matches(pattern.as_bytes(), name.as_bytes()));
        let name = self.names.is_empty() || subject.name.is_some_and(|(name, _)| fits(name));
        mac && name
    }

    /// The stage from which it is known whether they hold.
    pub fn stage(&self, subject: &Subject<'_>) -> Stage {
        let macs = if self.macs.is_empty() { Stage::Devices } else { Stage::Network };
        let name = if self.names.is_empty() {
            Stage::Devices
        } else {
            subject.name.map_or(Stage::Image, |(_, stage)| stage)
        };
        macs.max(name)
    }

    /// Whether there is a host name condition. Such a rule cannot set the host name.
    pub fn ask_for_name(&self) -> bool {
        !self.names.is_empty()
    }
}

/// A text or a list of texts.
fn texts(value: &Value) -> Result<Vec<&str>, String> {
    let wrong = || "is neither a text nor a list of texts".to_owned();
    match value {
        Value::String(text) => Ok(vec![text]),
        Value::Array(items) if items.is_empty() => {
            Err("is an empty list, which matches no machine".to_owned())
        }
        Value::Array(items) => items.iter().map(|item| item.as_str().ok_or_else(wrong)).collect(),
        _ => Err(wrong()),
    }
}

fn mac(text: &str) -> Result<Mac, String> {
    let mac: Mac = text.parse().map_err(|error| format!("{error}"))?;
    if mac.is_group() || mac.is_zero() {
        return Err(format!("no interface has the MAC address {mac}; expected one like 52:54:00:12:34:56"));
    }
    Ok(mac)
}

/// A UUID in lower case, like the machine's.
fn uuid(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('-').collect();
    let fits = parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if fits {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(format!(
            "\"{text}\" is not a UUID: 32 hexadecimal digits as 8-4-4-4-12 are expected, as in /sys/class/dmi/id/product_uuid"
        ))
    }
}

/// Host names are compared in lower case.
fn pattern(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-.*?[]!".contains(c);
    if text.is_empty() || !text.chars().all(fits) {
        return Err(format!(
            "\"{text}\" is not a pattern of host names: letters, digits, \"-\", \".\", \"*\", \"?\" and \"[…]\" are \
             possible, as in worker-*"
        ));
    }
    if !text.contains(['*', '?', '[', ']', '!']) {
        hostname::check(text).map_err(|wrong| {
            format!("\"{text}\" {wrong}; expected a host name, or a pattern like worker-*")
        })?;
    } else if text.matches('[').count() != text.matches(']').count() {
        return Err(format!("\"{text}\" has a \"[\" without its \"]\"; expected a pattern like worker[1-7]"));
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "4c4c4544-0051-4410-8052-b4c04f4e4d32";

    fn machine() -> Machine {
        Machine {
            uuid: Some(UUID.to_owned()),
            serial: Some("SN-0042".to_owned()),
            macs: vec![Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]), Mac([2, 0, 0, 0, 0, 1])],
            network_name: None,
        }
    }

    fn read(when: &str) -> Result<Conditions, String> {
        Conditions::read(&when.parse().unwrap())
    }

    fn hold(when: &str, machine: &Machine, name: Option<&str>) -> (bool, Asked) {
        let mut asked = Asked::default();
        let subject = Subject { machine, name: name.map(|name| (name, Stage::Network)) };
        (read(when).unwrap().hold(&subject, &mut asked), asked)
    }

    #[test]
    fn all_conditions_must_hold_and_one_of_each_list() {
        for (when, expected) in [
            ("when.mac = '52:54:00:12:34:56'", true),
            ("when.mac = '52-54-00-12-34-56'", true),
            ("when.mac = '52:54:00:12:34:57'", false),
            ("when.mac = ['00:00:00:00:00:01', '02:00:00:00:00:01']", true),
            ("when.uuid = '4C4C4544-0051-4410-8052-B4C04F4E4D32'", true),
            ("when.uuid = '4c4c4544-0051-4410-8052-b4c04f4e4d33'", false),
            ("when.serial = 'SN-0042'", true),
            ("when.serial = ' SN-0042 '", true),
            ("when.serial = 'sn-0042'", false),
            ("when.serial = ['a', 'SN-0042']", true),
            ("when.hostname = 'worker7'", true),
            ("when.hostname = 'Worker*'", true),
            ("when.hostname = 'worker?'", true),
            ("when.hostname = 'worker[1-7]'", true),
            ("when.hostname = 'worker[!1-7]'", false),
            ("when.hostname = 'worker'", false),
            ("when.hostname = ['control*', 'work*']", true),
            ("when = { hostname = 'worker*', serial = 'SN-0042', mac = '02:00:00:00:00:01' }", true),
            ("when = { hostname = 'worker*', serial = 'SN-0043' }", false),
            ("when = { hostname = 'x', serial = 'SN-0042' }", false),
            ("when = { mac = '00:00:00:00:00:01', serial = 'SN-0042' }", false),
        ] {
            assert_eq!(hold(when, &machine(), Some("worker7")).0, expected, "{when}");
        }
    }

    #[test]
    fn what_is_not_known_yet_does_not_hold_and_is_asked_for() {
        let nobody = Machine::default();
        let asks = |macs, name| (macs, name);
        for (when, known_machine, asked) in [
            ("when.mac = '02:00:00:00:00:01'", false, asks(true, false)),
            ("when.hostname = 'a'", false, asks(false, true)),
            ("when = { mac = '02:00:00:00:00:01', hostname = 'a' }", false, asks(true, true)),
            ("when.uuid = '4c4c4544-0051-4410-8052-b4c04f4e4d32'", false, asks(false, false)),
            // If one condition fails, the others are not needed.
            ("when = { mac = '02:00:00:00:00:01', serial = 'x' }", false, asks(false, false)),
            ("when = { mac = '00:00:00:00:00:01', hostname = 'a' }", true, asks(true, false)),
            ("when = { mac = '02:00:00:00:00:01', hostname = 'a' }", true, asks(true, true)),
        ] {
            let machine = if known_machine { machine() } else { nobody.clone() };
            let (holds, found) = hold(when, &machine, None);
            assert_eq!((holds, (found.macs, found.name)), (false, asked), "{when}");
        }
    }

    #[test]
    fn errors_name_the_condition() {
        for (when, error) in [
            ("", "it has no \"when\": "),
            ("when = 'mac'", "its \"when\" is not a table: "),
            ("when = {}", "it has no condition: "),
            ("when.mca = 'x'", "when.mca: there is no such condition; did you mean mac?"),
            (
                "when.colour = 'x'",
                "when.colour: there is no such condition; one of mac, uuid, serial, hostname is expected",
            ),
            ("when.mac = '52:54'", "when.mac: MAC address \"52:54\" has 2 parts"),
            ("when.mac = 5", "when.mac is neither a text nor a list of texts"),
            ("when.mac = ['52:54:00:12:34:56', 5]", "when.mac is neither a text nor a list of texts"),
            ("when.mac = []", "when.mac is an empty list, which matches no machine"),
            ("when.uuid = '4c4c4544'", "when.uuid: \"4c4c4544\" is not a UUID"),
            ("when.hostname = 'a b'", "when.hostname: \"a b\" is not a pattern of host names"),
            ("when.hostname = ''", "when.hostname: \"\" is not a pattern of host names"),
            ("when.hostname = 'worker_1'", "when.hostname: \"worker_1\" is not a pattern of host names"),
            (
                "when.hostname = 'worker..1'",
                "when.hostname: \"worker..1\" has an empty part between dots; expected a host name",
            ),
            ("when.hostname = '10.0.0.1'", "when.hostname: \"10.0.0.1\" is an address; expected a host name"),
            ("when.hostname = 'worker[1-7'", "when.hostname: \"worker[1-7\" has a \"[\" without its \"]\""),
            (
                "when.mac = 'ff:ff:ff:ff:ff:ff'",
                "when.mac: no interface has the MAC address ff:ff:ff:ff:ff:ff; expected one like 52:54:00:12:34:56",
            ),
            (
                "when.mac = '00:00:00:00:00:00'",
                "when.mac: no interface has the MAC address 00:00:00:00:00:00; expected one like",
            ),
        ] {
            let found = read(when).unwrap_err();
            assert!(found.starts_with(error), "{when}: {found}");
        }
    }
}
