//! Names of network interfaces, as the kernel's `dev_valid_name()` allows them, and printable.

use std::fmt;
use std::net::IpAddr;

use crate::mac::Mac;

/// The longest name in bytes: the kernel's `IFNAMSIZ` less the zero at the end.
const LONGEST: usize = 15;

/// Why a text is not the name of an interface; reads as the end of a sentence that starts with the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfaceError {
    /// There is no text.
    Empty,
    /// It is an IP address: a field too few or too many stands before it.
    Address,
    /// It is a MAC address. dracut and NetworkManager also take one for an interface, but do not document that.
    Mac,
    /// It has this many bytes.
    TooLong(usize),
    /// It is `.` or `..`.
    Dots,
    /// It has a `=`: the name of the parameter comes before it.
    Assignment,
    /// It is `lo`.
    Loopback,
    /// A character that a name cannot have.
    Character(char),
    /// It has a `%`, which only a new name may not have.
    Pattern,
    /// It is `all` or `default`, which only a new name may not be.
    Reserved,
}

impl fmt::Display for IfaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IfaceError::Empty => f.write_str("is empty; expected a name like eth0"),
            IfaceError::Address => f.write_str("is an address; expected a name like eth0"),
            IfaceError::Mac => {
                f.write_str("is a MAC address; name the interface with ifname=NAME:MAC, and use NAME")
            }
            IfaceError::TooLong(bytes) => {
                write!(f, "has {bytes} bytes; expected at most {LONGEST}, the limit of the kernel")
            }
            IfaceError::Dots => f.write_str("is not a name; expected a name like eth0"),
            IfaceError::Assignment => {
                f.write_str("holds '='; write the value without the name of the parameter, as in eth0:dhcp")
            }
            IfaceError::Loopback => f.write_str("is the loopback interface; expected a name like eth0"),
            IfaceError::Character(odd) => write!(f, "holds {odd:?}; expected a name like eth0"),
            IfaceError::Pattern => {
                f.write_str("holds '%', which the kernel replaces by a number; expected a name like eth0")
            }
            IfaceError::Reserved => f.write_str("is reserved by the kernel; choose another name"),
        }
    }
}

impl std::error::Error for IfaceError {}

/// Checks the name of an interface that exists or will exist.
pub fn check(name: &str) -> Result<(), IfaceError> {
    if name.is_empty() {
        return Err(IfaceError::Empty);
    }
    if name.parse::<IpAddr>().is_ok() {
        return Err(IfaceError::Address);
    }
    if name.len() > LONGEST && name.parse::<Mac>().is_ok() {
        return Err(IfaceError::Mac);
    }
    if name.len() > LONGEST {
        return Err(IfaceError::TooLong(name.len()));
    }
    if name == "." || name == ".." {
        return Err(IfaceError::Dots);
    }
    if name == "lo" {
        return Err(IfaceError::Loopback);
    }
    match name.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '/' | ':' | '=')) {
        Some('=') => Err(IfaceError::Assignment),
        Some(odd) => Err(IfaceError::Character(odd)),
        None => Ok(()),
    }
}

/// Checks a name that an interface gets: also neither a pattern for `dev_alloc_name()` nor a folder of
/// `/proc/sys/net/ipv4/conf` (`sysctl_dev_name_is_allowed()`).
pub fn check_new(name: &str) -> Result<(), IfaceError> {
    check(name)?;
    match name {
        "all" | "default" => Err(IfaceError::Reserved),
        _ if name.contains('%') => Err(IfaceError::Pattern),
        // The OS's files and scripts use the name, where other characters have a meaning.
        _ => match name.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-')) {
            Some(odd) => Err(IfaceError::Character(odd)),
            None if name.starts_with('-') => Err(IfaceError::Character('-')),
            None => Ok(()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_interfaces_are_accepted() {
        for name in ["eth0", "eth0.5", "enx525400123456", "a", "bond-0", "br_lan", "..."] {
            assert_eq!(check(name), Ok(()), "{name}");
            assert_eq!(check_new(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for (name, error) in [
            ("", "is empty; expected a name like eth0"),
            ("10.0.0.1", "is an address; expected a name like eth0"),
            ("fe80::1", "is an address; expected a name like eth0"),
            ("52-54-00-12-34-56", "is a MAC address; name the interface with ifname=NAME:MAC, and use NAME"),
            ("52:54:00:12:34:56", "is a MAC address; name the interface with ifname=NAME:MAC, and use NAME"),
            ("sixteen-bytes-xx", "has 16 bytes; expected at most 15, the limit of the kernel"),
            (".", "is not a name; expected a name like eth0"),
            ("..", "is not a name; expected a name like eth0"),
            ("lo", "is the loopback interface; expected a name like eth0"),
            ("ip=eth0", "holds '='; write the value without the name of the parameter, as in eth0:dhcp"),
            ("a/b", "holds '/'; expected a name like eth0"),
            ("a:b", "holds ':'; expected a name like eth0"),
            ("a b", "holds ' '; expected a name like eth0"),
            ("a\tb", r"holds '\t'; expected a name like eth0"),
            ("a\0", r"holds '\0'; expected a name like eth0"),
            ("é", "holds 'é'; expected a name like eth0"),
        ] {
            assert_eq!(check(name).unwrap_err().to_string(), error, "{name:?}");
            assert_eq!(check_new(name).unwrap_err().to_string(), error, "{name:?}");
        }
    }

    #[test]
    fn a_new_interface_cannot_have_every_name() {
        for (name, error) in [
            ("veth@1", "holds '@'; expected a name like eth0"),
            ("$(reboot)", "holds '$'; expected a name like eth0"),
            ("*", "holds '*'; expected a name like eth0"),
            ("-eth0", "holds '-'; expected a name like eth0"),
            ("eth%d", "holds '%', which the kernel replaces by a number; expected a name like eth0"),
            ("all", "is reserved by the kernel; choose another name"),
            ("default", "is reserved by the kernel; choose another name"),
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
            assert_eq!(check_new(name).unwrap_err().to_string(), error, "{name}");
        }
    }
}
