//! Credentials in systemd's sense: named values from the firmware, as SMBIOS OEM strings (smbios-type-11(7)) or through
//! QEMU's fw_cfg. Names and sizes follow systemd.exec(5).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Limit in bytes for one credential, and for all together (systemd.exec(5)).
pub const SIZE_MAX: usize = 1 << 20;

/// The directory of fw_cfg's credentials below `/sys/firmware/qemu_fw_cfg/by_name`. It has a directory for each name,
/// with the value in `raw`.
pub const FW_CFG_FOLDER: &str = "opt/io.systemd.credentials";

/// One credential. Its value may be a secret: `Debug` shows only its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its name, checked by [`check_name`].
    pub name: String,
    /// Its value, unchanged.
    pub value: Vec<u8>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}, {} bytes)", self.name, self.value.len())
    }
}

/// Why a credential is invalid. The error never contains a part of the value, nor an invalid name, because that may be
/// a misplaced value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialError {
    /// There is no `=` between name and value.
    NoValue,
    /// systemd does not accept the name.
    Name(&'static str),
    /// The value of the credential with this name is not Base64.
    Base64(String),
    /// The value of the credential with this name is too long.
    TooLong(String),
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoValue => f.write_str("the credential has no \"=\" between its name and its value"),
            Self::Name(why) => write!(f, "the credential's name {why}"),
            Self::Base64(name) => write!(f, "the value of the credential {name} is not Base64 (RFC 4648)"),
            Self::TooLong(name) => {
                write!(f, "the value of the credential {name} has more than {SIZE_MAX} bytes")
            }
        }
    }
}

impl std::error::Error for CredentialError {}

impl Credential {
    /// A credential from its parts, as in fw_cfg.
    pub fn new(name: &str, value: Vec<u8>) -> Result<Self, CredentialError> {
        check_name(name)?;
        if value.len() > SIZE_MAX {
            return Err(CredentialError::TooLong(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), value })
    }

    /// The credential in an OEM string, `io.systemd.credential:NAME=VALUE` or
    /// `io.systemd.credential.binary:NAME=BASE64`; `None` where the string is something else.
    pub fn from_oem_string(string: &[u8]) -> Option<Result<Self, CredentialError>> {
        if let Some(rest) = string.strip_prefix(b"io.systemd.credential:") {
            return Some(assignment(rest).and_then(|(name, value)| Self::new(name, value.to_vec())));
        }
        let rest = string.strip_prefix(b"io.systemd.credential.binary:")?;
        Some(assignment(rest).and_then(|(name, value)| {
            let value = decode(value).ok_or_else(|| CredentialError::Base64(name.to_owned()))?;
            Self::new(name, value)
        }))
    }
}

fn assignment(text: &[u8]) -> Result<(&str, &[u8]), CredentialError> {
    let at = text.iter().position(|byte| *byte == b'=').ok_or(CredentialError::NoValue)?;
    let (name, value) = text.split_at_checked(at).ok_or(CredentialError::NoValue)?;
    let name = std::str::from_utf8(name).map_err(|_| CredentialError::Name("is not text"))?;
    check_name(name)?;
    Ok((name, value.get(1..).unwrap_or_default()))
}

/// systemd ignores white space in Base64.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(text).ok()
}

/// Whether systemd accepts this name for a credential: it must be valid as a file name and as a file descriptor name, 1
/// to 255 printable ASCII characters without `/` and `:`.
pub fn check_name(name: &str) -> Result<(), CredentialError> {
    let wrong = if name.is_empty() {
        "is empty"
    } else if name.len() > 255 {
        "has more than 255 characters"
    } else if name == "." || name == ".." {
        "is that of a directory"
    } else if name.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
        "has a character that is not printable ASCII"
    } else if name.contains(['/', ':']) {
        "has a \"/\" or \":\" in it"
    } else {
        return Ok(());
    };
    Err(CredentialError::Name(wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(string: &[u8]) -> Option<Result<(String, Vec<u8>), String>> {
        Credential::from_oem_string(string)
            .map(|result| result.map(|found| (found.name, found.value)).map_err(|error| error.to_string()))
    }

    #[test]
    fn both_forms_are_read() {
        let table: &[(&[u8], &str, &[u8])] = &[
            (b"io.systemd.credential:a=b", "a", b"b"),
            (b"io.systemd.credential:dayfly.hostname=worker7", "dayfly.hostname", b"worker7"),
            (b"io.systemd.credential:a=b=c", "a", b"b=c"),
            (b"io.systemd.credential:a=", "a", b""),
            (b"io.systemd.credential:a b.c=\xff\x01", "a b.c", b"\xff\x01"),
            (b"io.systemd.credential.binary:a=aGVsbG8=", "a", b"hello"),
            (b"io.systemd.credential.binary:a=aGVs\n bG8=\t", "a", b"hello"),
            (b"io.systemd.credential.binary:a=AP8=", "a", b"\x00\xff"),
            (b"io.systemd.credential.binary:a=", "a", b""),
        ];
        for (string, name, value) in table {
            let text = String::from_utf8_lossy(string);
            assert_eq!(read(string), Some(Ok(((*name).to_owned(), value.to_vec()))), "{text}");
        }
    }

    #[test]
    fn other_strings_are_none() {
        for string in [
            "",
            "plain words",
            "io.systemd.credential",
            "io.systemd.credential.text:a=b",
            " io.systemd.credential:a=b",
        ] {
            assert_eq!(read(string.as_bytes()), None, "{string}");
        }
    }

    #[test]
    fn errors_say_what_is_wrong_and_keep_the_value() {
        let base64 = "the value of the credential a is not Base64 (RFC 4648)";
        let table: &[(&[u8], &str)] = &[
            (b"io.systemd.credential:tok3n", "the credential has no \"=\" between its name and its value"),
            (b"io.systemd.credential:=tok3n", "the credential's name is empty"),
            (b"io.systemd.credential:..=tok3n", "the credential's name is that of a directory"),
            (b"io.systemd.credential:tok3n/a=", "the credential's name has a \"/\" or \":\" in it"),
            (b"io.systemd.credential:tok3n:a=", "the credential's name has a \"/\" or \":\" in it"),
            (
                b"io.systemd.credential:tok3n\n=a",
                "the credential's name has a character that is not printable ASCII",
            ),
            (
                "io.systemd.credential:tok3n\u{fc}=a".as_bytes(),
                "the credential's name has a character that is not printable ASCII",
            ),
            (b"io.systemd.credential:\xff=tok3n", "the credential's name is not text"),
            (b"io.systemd.credential.binary:a=tok3n", base64),
            (b"io.systemd.credential.binary:a=aGVsbG8", base64),
            (b"io.systemd.credential.binary:a=aGVsbG9=", base64),
            (b"io.systemd.credential.binary:a=aGVs-_8=", base64),
        ];
        for (string, error) in table {
            let found = read(string).unwrap().unwrap_err();
            assert_eq!(found, *error, "{}", String::from_utf8_lossy(string));
            assert!(!found.contains("tok3n"), "{found}");
        }
        let long = "n".repeat(256);
        assert_eq!(
            Credential::new(&long, Vec::new()).unwrap_err().to_string(),
            "the credential's name has more than 255 characters"
        );
        assert_eq!(
            Credential::new(&long[1..], vec![0; SIZE_MAX]).map(|found| found.value.len()),
            Ok(SIZE_MAX)
        );
        assert_eq!(
            Credential::new("big", vec![0; SIZE_MAX + 1]).unwrap_err().to_string(),
            "the value of the credential big has more than 1048576 bytes"
        );
    }

    #[test]
    fn a_value_is_not_shown() {
        let shown = format!("{:?}", Credential::new("a", b"tok3n".to_vec()));
        assert_eq!(shown, "Ok(Credential(a, 5 bytes))");
    }
}
