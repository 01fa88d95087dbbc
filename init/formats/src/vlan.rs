//! The `vlan=` kernel parameter: `vlan=<vlanname>:<parent>`, dracut.cmdline(7).

use std::fmt;
use std::str::FromStr;

use crate::net_arg::{ArgError, Checked, Field, decimal, interface, new_interface};

/// One `vlan=` parameter: an interface for the frames with this id on the parent. `to_string()` writes it back, without
/// `vlan=`.
///
/// The id stands in the name, in one of four styles: `vlan0005`, `vlan5`, `eth0.0005`, `eth0.5`. The digits are decimal,
/// as in the kernel's names; dracut gives them to ip(8), which takes `0010` for octal 8. systemd-network-generator(8) also
/// takes digits at the end of any other name (`office5`), and the id 0; here and in dracut they are errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VlanArg {
    /// The interface to make.
    pub name: String,
    /// The VLAN id: 1 to 4094 (IEEE 802.1Q reserves 0 and 4095).
    pub id: u16,
    /// The interface that carries the VLAN.
    pub parent: String,
}

impl FromStr for VlanArg {
    type Err = ArgError;

    /// Parses what stands after `vlan=`.
    fn from_str(text: &str) -> Result<VlanArg, ArgError> {
        let Some((name, parent)) = text.split_once(':') else {
            let problem = "has no parent interface; expected <vlanname>:<parent>, like eth0.5:eth0";
            return Err(ArgError::new(Field::Whole, text, problem));
        };
        let name = new_interface(name)?;
        let id = id(&name)?;
        let parent = interface(Field::Parent, parent)?;
        if parent == name {
            return Err(ArgError::new(Field::Parent, &parent, "is the VLAN itself; expected one below it"));
        }
        Ok(VlanArg { name, id, parent })
    }
}

impl fmt::Display for VlanArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.parent)
    }
}

/// The id in a name: after its last dot, or after `vlan`.
fn id(name: &str) -> Checked<u16> {
    let fail = |problem: String| Err(ArgError::new(Field::Name, name, problem));
    let digits = name.rsplit_once('.').map(|(_, digits)| digits).or_else(|| name.strip_prefix("vlan"));
    let Some(digits) =
        digits.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
    else {
        let number = name.to_ascii_lowercase();
        let number = number.strip_prefix("vlan").unwrap_or(&number).trim_start_matches(['-', '_']);
        if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
            return fail(format!("has no VLAN id; write vlan{number}"));
        }
        let styles = "vlan0005, vlan5, eth0.0005 or eth0.5";
        return fail(format!("has no VLAN id; expected a name like {styles}"));
    };
    match decimal(digits).and_then(|id| u16::try_from(id).ok()).filter(|id| (1..=4094).contains(id)) {
        Some(id) => Ok(id),
        None => fail(format!("has the VLAN id {digits}; expected 1 to 4094")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_four_styles() {
        for (text, name, id, parent) in [
            ("vlan0005:eth0", "vlan0005", 5, "eth0"),
            ("vlan5:eth0", "vlan5", 5, "eth0"),
            ("eth0.0005:eth0", "eth0.0005", 5, "eth0"),
            ("eth0.5:eth0", "eth0.5", 5, "eth0"),
            ("vlan0010:eth0", "vlan0010", 10, "eth0"),
            ("vlan1:bond0", "vlan1", 1, "bond0"),
            ("bond0.4094:bond0", "bond0.4094", 4094, "bond0"),
            ("enp1s0f0.17:x", "enp1s0f0.17", 17, "x"),
            ("vlan5.7:vlan5", "vlan5.7", 7, "vlan5"),
            ("eth0.5.6:eth0.5", "eth0.5.6", 6, "eth0.5"),
        ] {
            let arg: VlanArg = text.parse().unwrap_or_else(|error| panic!("vlan={text}: {error}"));
            assert_eq!(arg, VlanArg { name: name.to_owned(), id, parent: parent.to_owned() });
            assert_eq!(arg.to_string(), text);
        }
    }

    #[test]
    fn bad_parameters_are_named() {
        for (text, error) in [
            ("", r#"value "" has no parent interface; expected <vlanname>:<parent>, like eth0.5:eth0"#),
            (
                "vlan5",
                r#"value "vlan5" has no parent interface; expected <vlanname>:<parent>, like eth0.5:eth0"#,
            ),
            ("vlan5:", r#"parent interface "" is empty; expected a name like eth0"#),
            (":eth0", r#"name "" is empty; expected a name like eth0"#),
            ("vlan5:eth0:", r#"parent interface "eth0:" holds ':'; expected a name like eth0"#),
            ("vlan5:eth0:1500", r#"parent interface "eth0:1500" holds ':'; expected a name like eth0"#),
            ("20:eth0", r#"name "20" has no VLAN id; write vlan20"#),
            ("VLAN20:eth0", r#"name "VLAN20" has no VLAN id; write vlan20"#),
            ("vlan-20:eth0", r#"name "vlan-20" has no VLAN id; write vlan20"#),
            (
                "office:eth0",
                r#"name "office" has no VLAN id; expected a name like vlan0005, vlan5, eth0.0005 or eth0.5"#,
            ),
            (
                "office5:eth0",
                r#"name "office5" has no VLAN id; expected a name like vlan0005, vlan5, eth0.0005 or eth0.5"#,
            ),
            (
                "vlan:eth0",
                r#"name "vlan" has no VLAN id; expected a name like vlan0005, vlan5, eth0.0005 or eth0.5"#,
            ),
            (
                "eth0.:eth0",
                r#"name "eth0." has no VLAN id; expected a name like vlan0005, vlan5, eth0.0005 or eth0.5"#,
            ),
            ("eth0.+5:eth0", r#"name "eth0.+5" holds '+'; expected a name like eth0"#),
            (
                "eth0.0x5:eth0",
                r#"name "eth0.0x5" has no VLAN id; expected a name like vlan0005, vlan5, eth0.0005 or eth0.5"#,
            ),
            ("vlan0:eth0", r#"name "vlan0" has the VLAN id 0; expected 1 to 4094"#),
            ("eth0.4095:eth0", r#"name "eth0.4095" has the VLAN id 4095; expected 1 to 4094"#),
            ("vlan65537:eth0", r#"name "vlan65537" has the VLAN id 65537; expected 1 to 4094"#),
            (
                "vlan99999999999:e",
                r#"name "vlan99999999999" has the VLAN id 99999999999; expected 1 to 4094"#,
            ),
            (
                "averylongname0.5:eth0",
                r#"name "averylongname0.5" has 16 bytes; expected at most 15, the limit of the kernel"#,
            ),
            (
                "vlan%d.5:eth0",
                r#"name "vlan%d.5" holds '%', which the kernel replaces by a number; expected a name like eth0"#,
            ),
            ("vlan5:eth 0", r#"parent interface "eth 0" holds ' '; expected a name like eth0"#),
            ("vlan5:10.0.0.1", r#"parent interface "10.0.0.1" is an address; expected a name like eth0"#),
            ("vlan5:vlan5", r#"parent interface "vlan5" is the VLAN itself; expected one below it"#),
        ] {
            match text.parse::<VlanArg>() {
                Ok(parsed) => panic!("vlan={text} was taken as {parsed:?}"),
                Err(found) => assert_eq!(found.to_string(), error, "vlan={text}"),
            }
        }
    }

    proptest! {
        #[test]
        fn every_id_is_read_in_every_style(id in 1u16..=4094, parent in "[a-km-z][a-z0-9]{0,8}") {
            for name in [format!("vlan{id}"), format!("vlan{id:04}"), format!("{parent}.{id}"), format!("{parent}.{id:04}")] {
                let arg: VlanArg = format!("{name}:{parent}").parse().unwrap();
                prop_assert_eq!(&arg, &VlanArg { name, id, parent: parent.clone() });
                prop_assert_eq!(arg.to_string().parse::<VlanArg>().unwrap(), arg);
            }
        }
    }
}
