//! The `bridge=` kernel parameter: `bridge=<name>:<port>[,<port>…]`, dracut.cmdline(7).

use std::fmt;
use std::str::FromStr;

use crate::net_arg::{ArgError, Field, new_interface, ports};

/// One `bridge=` parameter. `to_string()` writes it back, without `bridge=`.
///
/// systemd-network-generator(8) has no default and takes a bridge without ports; here and in dracut it is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeArg {
    /// The interface to make.
    pub name: String,
    /// The interfaces to join: at least one.
    pub ports: Vec<String>,
}

impl Default for BridgeArg {
    /// What dracut makes of `bridge` alone.
    fn default() -> BridgeArg {
        BridgeArg { name: "br0".to_owned(), ports: vec!["eth0".to_owned()] }
    }
}

impl FromStr for BridgeArg {
    type Err = ArgError;

    /// Parses what stands after `bridge=`; nothing there is the default.
    fn from_str(text: &str) -> Result<BridgeArg, ArgError> {
        if text.is_empty() {
            return Ok(BridgeArg::default());
        }
        let Some((name, list)) = text.split_once(':') else {
            let problem = "has no ports; expected <name>:<port>[,<port>...], like br0:eth0,eth1";
            return Err(ArgError::new(Field::Whole, text, problem));
        };
        let name = new_interface(name)?;
        let ports = ports(&name, list)?;
        Ok(BridgeArg { name, ports })
    }
}

impl fmt::Display for BridgeArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.ports.join(","))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn name_and_ports() {
        for (text, name, ports, shown) in [
            ("", "br0", &["eth0"][..], "br0:eth0"),
            ("br0:eth0", "br0", &["eth0"], "br0:eth0"),
            ("br-lan:eth0,eth1,bond0.5", "br-lan", &["eth0", "eth1", "bond0.5"], "br-lan:eth0,eth1,bond0.5"),
            ("br0:,eth0,,eth1,", "br0", &["eth0", "eth1"], "br0:eth0,eth1"),
        ] {
            let arg: BridgeArg = text.parse().unwrap_or_else(|error| panic!("bridge={text}: {error}"));
            let ports = ports.iter().map(|&port| port.to_owned()).collect();
            assert_eq!(arg, BridgeArg { name: name.to_owned(), ports }, "{text}");
            assert_eq!(arg.to_string(), shown);
        }
    }

    #[test]
    fn bad_parameters_are_named() {
        for (text, error) in [
            ("br0", r#"value "br0" has no ports; expected <name>:<port>[,<port>...], like br0:eth0,eth1"#),
            (
                "eth0,eth1",
                r#"value "eth0,eth1" has no ports; expected <name>:<port>[,<port>...], like br0:eth0,eth1"#,
            ),
            (
                "br0:",
                r#"port list "" names no interface; expected names separated by commas, like eth0,eth1"#,
            ),
            (
                "br0:,,",
                r#"port list ",," names no interface; expected names separated by commas, like eth0,eth1"#,
            ),
            (":eth0", r#"name "" is empty; expected a name like eth0"#),
            ("br0:eth0:", r#"port "eth0:" holds ':'; names are separated by commas, like eth0,eth1"#),
            (
                "br0:eth0:stp=1",
                r#"port "eth0:stp=1" holds ':'; names are separated by commas, like eth0,eth1"#,
            ),
            ("br0:br0", r#"port "br0" is the interface to make; expected one below it"#),
            ("br0:eth0,eth1,eth0", r#"port "eth0" is listed twice; expected each port once"#),
            (
                "br0:eth0;eth1/2",
                r#"port "eth0;eth1/2" is not a name; names are separated by commas, and a colon comes before the options"#,
            ),
            ("br0:eth0, eth1", r#"port " eth1" holds ' '; expected a name like eth0"#),
            ("br0:10.0.0.1", r#"port "10.0.0.1" is an address; expected a name like eth0"#),
            (
                "averylongbridge0:eth0",
                r#"name "averylongbridge0" has 16 bytes; expected at most 15, the limit of the kernel"#,
            ),
            (
                "br%d:eth0",
                r#"name "br%d" holds '%', which the kernel replaces by a number; expected a name like eth0"#,
            ),
            ("all:eth0", r#"name "all" is reserved by the kernel; choose another name"#),
            ("..:eth0", r#"name ".." is not a name; expected a name like eth0"#),
            ("br\n0:eth0", r#"name "br\n0" holds '\n'; expected a name like eth0"#),
        ] {
            match text.parse::<BridgeArg>() {
                Ok(parsed) => panic!("bridge={text} was taken as {parsed:?}"),
                Err(found) => assert_eq!(found.to_string(), error, "bridge={text}"),
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_read_back(text in "[a-z%.]{1,4}:([a-z0-9.]{0,4},){0,4}[a-z:/]{0,4}") {
            if let Ok(arg) = text.parse::<BridgeArg>() {
                prop_assert_eq!(arg.to_string().parse::<BridgeArg>().unwrap(), arg);
            }
        }
    }
}
