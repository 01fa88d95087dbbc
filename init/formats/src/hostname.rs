//! Host and domain names from other systems. They are written to `/etc/hosts`, `/etc/hostname` and `resolv.conf`.

use std::fmt;
use std::net::Ipv4Addr;

/// The longest name of a node, in bytes. The name becomes the value of the label `kubernetes.io/hostname`, which has at
/// most 63 bytes (Kubernetes, "Labels and Selectors"). This is one byte less than the kernel's limit (`__NEW_UTS_LEN`,
/// `sethostname(2)`).
pub const HOSTNAME_MAX: usize = 63;

/// The longest domain name in text form, in bytes (RFC 1035 2.3.4 without length bytes and root).
pub const DOMAIN_MAX: usize = 253;

/// Checks a host name, with or without a domain: at most [`HOSTNAME_MAX`] bytes and not an IPv4 address (RFC 1123 2.1).
/// Otherwise as [`check_domain`].
pub fn check(name: &str) -> Result<(), NameError> {
    check_within(name, HOSTNAME_MAX)?;
    if name.parse::<Ipv4Addr>().is_ok() { Err(NameError::Address) } else { Ok(()) }
}

/// Whether this is a placeholder for a machine without a name: `localhost` in all its forms (RFC 6761 6.3, and the
/// lines of a distribution's `/etc/hosts`), and the kernel's `(none)`.
pub fn is_placeholder(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let first = name.split('.').next().unwrap_or_default();
    ["localhost", "localhost4", "localhost6", "localhost-live", "localdomain", "(none)"].contains(&first)
        || name.ends_with(".localhost")
}

/// A name from a source that does not know Kubernetes' rules (a DHCP server or an `ip=` parameter), adapted to a valid
/// name for a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The name, in lower case; it passes [`check`].
    pub name: String,
    /// The changes besides the case, as the end of a sentence that starts with the original name.
    pub change: Option<String>,
}

/// Uses a name unchanged if possible. Otherwise `_` becomes `-`, because a Node's name cannot contain `_`, and a name
/// that is too long is cut at its first dot. Both give the same name at each boot. A name is never cut inside a label,
/// because then two machines of a rack could become the same Node.
pub fn given(text: &str) -> Result<Given, NameError> {
    let text = text.trim().trim_end_matches('.');
    if is_placeholder(text) {
        return Err(NameError::Placeholder);
    }
    let mut name = text.to_ascii_lowercase();
    let mut reasons = Vec::new();
    if name.contains('_') {
        name = name.replace('_', "-");
        reasons.push("contains \"_\", which is not allowed in a Node's name".to_owned());
    }
    if name.len() > HOSTNAME_MAX
        && let Some(host) = name.find('.')
    {
        reasons.push(format!("has {} bytes, but a Node's name has at most {HOSTNAME_MAX}", name.len()));
        name.truncate(host);
    }
    check(&name)?;
    let change = (!reasons.is_empty()).then(|| format!("{}: {name} is used", reasons.join(" and ")));
    Ok(Given { name, change })
}

/// Checks a domain name: labels of 1 to 63 letters, digits and inner hyphens (RFC 952, RFC 1123 2.1), separated by dots,
/// at most [`DOMAIN_MAX`] bytes, no dot at the end.
pub fn check_domain(name: &str) -> Result<(), NameError> {
    check_within(name, DOMAIN_MAX)
}

fn check_within(name: &str, most: usize) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > most {
        return Err(NameError::TooLong { bytes: name.len(), most });
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err(NameError::EmptyLabel);
        }
        if label.len() > 63 {
            return Err(NameError::LongLabel(label.len()));
        }
        if let Some(odd) = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            return Err(NameError::Character(odd));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(NameError::Hyphen);
        }
    }
    Ok(())
}

/// What is wrong with a name, as the end of a sentence that starts with the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameError {
    /// The name is empty.
    Empty,
    /// The name is too long.
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// Two dots in a row, or a dot at either end.
    EmptyLabel,
    /// A label is too long; its length in bytes.
    LongLabel(usize),
    /// A character that is not allowed in a name.
    Character(char),
    /// A label starts or ends with a hyphen.
    Hyphen,
    /// It is an IPv4 address.
    Address,
    /// It is a placeholder for a machine without a name.
    Placeholder,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Empty => f.write_str("is empty"),
            NameError::TooLong { bytes, most } => write!(f, "has {bytes} bytes, at most {most} are possible"),
            NameError::EmptyLabel => f.write_str("has an empty part between dots"),
            NameError::LongLabel(bytes) => write!(f, "has a part of {bytes} bytes, at most 63 are possible"),
            NameError::Character(odd) => {
                write!(f, "holds {odd:?}; letters, digits, \"-\" and \".\" are possible")
            }
            NameError::Hyphen => f.write_str("has a part that starts or ends with \"-\""),
            NameError::Address => f.write_str("is an address"),
            NameError::Placeholder => f.write_str("is the placeholder for a machine without a name"),
        }
    }
}

impl std::error::Error for NameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["a", "worker7", "n-1.example.org", "3com", "A.B", &"a".repeat(63)] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for (name, error) in [
            ("", "is empty"),
            ("a..b", "has an empty part between dots"),
            (".a", "has an empty part between dots"),
            ("a.", "has an empty part between dots"),
            ("-a", "has a part that starts or ends with \"-\""),
            ("a-.b", "has a part that starts or ends with \"-\""),
            ("a_b", "holds '_'; letters, digits, \"-\" and \".\" are possible"),
            ("a b", "holds ' '; letters, digits, \"-\" and \".\" are possible"),
            ("a\nb", "holds '\\n'; letters, digits, \"-\" and \".\" are possible"),
            ("a/b", "holds '/'; letters, digits, \"-\" and \".\" are possible"),
            (&"a".repeat(64), "has 64 bytes, at most 63 are possible"),
            (&format!("{}.b", "a".repeat(62)), "has 64 bytes, at most 63 are possible"),
            ("10.0.2.15", "is an address"),
        ] {
            assert_eq!(check(name).unwrap_err().to_string(), error, "{name:?}");
        }
        for name in ["10.0.2", "10.0.2.256", "ip-10-0-2-15", "10.0.2.15.example.org"] {
            assert_eq!(check(name), Ok(()), "{name} is not an address");
        }
        assert_eq!(check_domain(&["a"; 100].join(".")), Ok(()));
        assert_eq!(check_domain(&["a"; 128].join(".")), Err(NameError::TooLong { bytes: 255, most: 253 }));
    }

    #[test]
    fn a_name_that_is_given_becomes_one_that_a_node_can_have() {
        let long = format!("rack-7.{}.example.org", "b".repeat(50));
        let cut = "has 69 bytes, but a Node's name has at most 63: rack-7 is used";
        for (text, name, change) in [
            ("worker7", "worker7", None),
            ("Worker7.Example.org.", "worker7.example.org", None),
            (" worker7\n", "worker7", None),
            (
                "node_1",
                "node-1",
                Some("contains \"_\", which is not allowed in a Node's name: node-1 is used"),
            ),
            (&*long, "rack-7", Some(cut)),
            (&"a".repeat(63), &"a".repeat(63), None),
            ("localhost7", "localhost7", None),
            ("my-localhost", "my-localhost", None),
            ("worker7.localdomain", "worker7.localdomain", None),
            ("linux", "linux", None),
        ] {
            let expected = Given { name: name.to_owned(), change: change.map(str::to_owned) };
            assert_eq!(given(text), Ok(expected), "{text}");
        }
        for (text, error) in [
            ("", NameError::Empty),
            ("localhost", NameError::Placeholder),
            ("LOCALHOST.", NameError::Placeholder),
            ("localhost.localdomain", NameError::Placeholder),
            ("localhost6.localdomain6", NameError::Placeholder),
            ("localhost.example.org", NameError::Placeholder),
            ("worker7.localhost", NameError::Placeholder),
            ("localhost-live", NameError::Placeholder),
            ("(none)", NameError::Placeholder),
            ("10.0.2.15", NameError::Address),
            ("_node", NameError::Hyphen),
            ("fe80::1", NameError::Character(':')),
            ("a b", NameError::Character(' ')),
            (&"a".repeat(64), NameError::TooLong { bytes: 64, most: 63 }),
        ] {
            assert_eq!(given(text), Err(error), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_given_stays_what_it_is(text in "[A-Za-z0-9_.-]{1,90}") {
            if let Ok(found) = given(&text) {
                proptest::prop_assert_eq!(check(&found.name), Ok(()));
                let again = given(&found.name);
                proptest::prop_assert_eq!(again, Ok(Given { name: found.name, change: None }));
            }
        }
    }
}
