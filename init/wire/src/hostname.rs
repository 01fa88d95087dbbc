//! Host and domain names from outside, which end up in `/etc/hosts`, `/etc/hostname` and `resolv.conf`.

use std::fmt;

/// The longest host name the kernel keeps, in bytes (`__NEW_UTS_LEN`, `sethostname(2)`).
pub const HOSTNAME_MAX: usize = 64;

/// The longest domain name in text form, in bytes (RFC 1035 2.3.4 less length bytes and root).
pub const DOMAIN_MAX: usize = 253;

/// Checks a host name, with or without a domain: at most [`HOSTNAME_MAX`] bytes, else as [`check_domain`].
pub fn check(name: &str) -> Result<(), NameError> {
    check_within(name, HOSTNAME_MAX)
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

/// What is wrong with a name; reads as the end of a sentence that starts with the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameError {
    /// There is no text.
    Empty,
    /// The whole name is longer than what can be kept.
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// Two dots in a row, or a dot at either end.
    EmptyLabel,
    /// A label of this many bytes.
    LongLabel(usize),
    /// A character that no name may hold.
    Character(char),
    /// A label starts or ends with a hyphen.
    Hyphen,
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
            (&"a".repeat(64), "has a part of 64 bytes, at most 63 are possible"),
            (&"a.".repeat(33), "has 66 bytes, at most 64 are possible"),
        ] {
            assert_eq!(check(name).unwrap_err().to_string(), error, "{name:?}");
        }
        assert_eq!(check_domain(&["a"; 100].join(".")), Ok(()));
        assert_eq!(check_domain(&["a"; 128].join(".")), Err(NameError::TooLong { bytes: 255, most: 253 }));
    }
}
