//! The `ifname=` kernel parameter: `ifname=<interface>:<MAC>`, dracut.cmdline(7).

use std::fmt;
use std::str::FromStr;

use crate::mac::Mac;
use crate::net_arg::{self, ArgError, Field, new_interface};

/// One `ifname=` parameter: the interface with this address gets this name. `to_string()` writes it back, without
/// `ifname=`.
///
/// Only Ethernet addresses are possible; dracut and systemd-network-generator(8) also take the 20 bytes of InfiniBand.
/// `-` between the bytes is possible as in systemd; dracut takes `:` alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfnameArg {
    /// The name to give.
    pub name: String,
    /// The address of the interface that gets it.
    pub mac: Mac,
}

impl IfnameArg {
    /// What the user should know about a name that the kernel gives as well: `eth` and a number. dracut.cmdline(7) warns
    /// of it because a second interface may have the name already.
    pub fn note(&self) -> Option<String> {
        let number = self.name.strip_prefix("eth")?;
        let kernels = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        kernels.then(|| {
            let name = &self.name;
            format!(
                "name {name:?} can be taken, because the kernel gives it as well; use a name like bootnet"
            )
        })
    }
}

impl FromStr for IfnameArg {
    type Err = ArgError;

    /// Parses what stands after `ifname=`.
    fn from_str(text: &str) -> Result<IfnameArg, ArgError> {
        let Some((name, mac)) = text.split_once(':') else {
            let problem = "has no MAC address; expected <interface>:<MAC>, like bootnet:52:54:00:12:34:56";
            return Err(ArgError::new(Field::Whole, text, problem));
        };
        let name = new_interface(name)?;
        let mac = net_arg::mac(mac).map_err(|problem| ArgError::new(Field::Mac, mac, problem))?;
        Ok(IfnameArg { name, mac })
    }
}

impl fmt::Display for IfnameArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.mac)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn name_and_address() {
        for (text, name, shown) in [
            ("bootnet:4a:3f:4c:04:f8:d7", "bootnet", "bootnet:4a:3f:4c:04:f8:d7"),
            ("bootnet:4A:3F:4C:04:F8:D7", "bootnet", "bootnet:4a:3f:4c:04:f8:d7"),
            ("eth0:4a-3f-4c-04-f8-d7", "eth0", "eth0:4a:3f:4c:04:f8:d7"),
            ("lan.1:4a:3f:4c:4:f8:d7", "lan.1", "lan.1:4a:3f:4c:04:f8:d7"),
        ] {
            let arg: IfnameArg = text.parse().unwrap_or_else(|error| panic!("ifname={text}: {error}"));
            let mac = Mac([0x4a, 0x3f, 0x4c, 0x04, 0xf8, 0xd7]);
            assert_eq!(arg, IfnameArg { name: name.to_owned(), mac }, "{text}");
            assert_eq!(arg.to_string(), shown);
        }
    }

    #[test]
    fn a_name_of_the_kernel_is_noted() {
        for (name, noted) in [
            ("eth0", true),
            ("eth123", true),
            ("eth", false),
            ("ether0", false),
            ("eth0a", false),
            ("bootnet", false),
        ] {
            let arg: IfnameArg = format!("{name}:4a:3f:4c:04:f8:d7").parse().unwrap();
            let words = "can be taken, because the kernel gives it as well; use a name like bootnet";
            assert_eq!(arg.note(), noted.then(|| format!("name {name:?} {words}")));
        }
    }

    #[test]
    fn bad_parameters_are_named() {
        let pairs = "is not six pairs of hexadecimal digits, like 52:54:00:12:34:56";
        for text in [
            "",
            "52:54:00:12:34",
            "52:54:00:12:34:56:78",
            "52-54:00:12:34:56",
            "52:54:00:12:34:5g",
            "52:54:00:12:34:",
            "525400123456",
            "a0:00:02:20:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:00:01",
        ] {
            let found = format!("bootnet:{text}").parse::<IfnameArg>().unwrap_err();
            assert_eq!(found.to_string(), format!("MAC address {text:?} {pairs}"));
        }
        for (text, error) in [
            (
                "",
                r#"value "" has no MAC address; expected <interface>:<MAC>, like bootnet:52:54:00:12:34:56"#,
            ),
            (
                "bootnet",
                r#"value "bootnet" has no MAC address; expected <interface>:<MAC>, like bootnet:52:54:00:12:34:56"#,
            ),
            (":52:54:00:12:34:56", r#"name "" is empty; expected a name like eth0"#),
            ("boot/net:52:54:00:12:34:56", r#"name "boot/net" holds '/'; expected a name like eth0"#),
            ("boot net:52:54:00:12:34:56", r#"name "boot net" holds ' '; expected a name like eth0"#),
            (
                "a-very-long-name:52:54:00:12:34:56",
                r#"name "a-very-long-name" has 16 bytes; expected at most 15, the limit of the kernel"#,
            ),
            (
                "net%d:52:54:00:12:34:56",
                r#"name "net%d" holds '%', which the kernel replaces by a number; expected a name like eth0"#,
            ),
            ("default:52:54:00:12:34:56", r#"name "default" is reserved by the kernel; choose another name"#),
            ("..:52:54:00:12:34:56", r#"name ".." is not a name; expected a name like eth0"#),
            (
                "bootnet:01:00:5e:00:00:01",
                r#"MAC address "01:00:5e:00:00:01" is a group address; expected the address of one interface, like 52:54:00:12:34:56"#,
            ),
            (
                "bootnet:00:00:00:00:00:00",
                r#"MAC address "00:00:00:00:00:00" is all zeros; expected the address of one interface, like 52:54:00:12:34:56"#,
            ),
        ] {
            match text.parse::<IfnameArg>() {
                Ok(parsed) => panic!("ifname={text} was taken as {parsed:?}"),
                Err(found) => assert_eq!(found.to_string(), error, "ifname={text}"),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(name in "[a-z][a-z0-9._-]{0,14}", mac: [u8; 5]) {
            prop_assume!(crate::iface::check_new(&name).is_ok());
            let [a, b, c, d, e] = mac;
            let arg = IfnameArg { name, mac: Mac([2, a, b, c, d, e]) };
            prop_assert_eq!(arg.to_string().parse::<IfnameArg>().unwrap(), arg);
        }
    }
}
