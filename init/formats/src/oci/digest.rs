//! Digests (image-spec, descriptor.md#digests).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::printable;

/// A SHA-256, written `sha256:` and 64 hexadecimal digits in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestError {
    /// It has another algorithm.
    Algorithm(String),
    /// It does not have 64 hexadecimal digits in lower case.
    Digits,
}

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DigestError::Algorithm(found) => {
                write!(f, "the digest algorithm \"{}\" is not sha256", printable(found))
            }
            DigestError::Digits => f.write_str("a sha256 digest has 64 hexadecimal digits in lower case"),
        }
    }
}

impl std::error::Error for DigestError {}

impl Digest {
    const ALGORITHM: &'static str = "sha256";

    /// The 64 digits.
    pub fn hex(&self) -> String {
        base16ct::lower::encode_string(&self.0)
    }

    /// The path of the file with this digest in an image layout (image-spec, image-layout.md).
    pub fn blob_path(&self) -> String {
        format!("blobs/{}/{}", Self::ALGORITHM, self.hex())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Self::ALGORITHM, self.hex())
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, digits) = text.split_once(':').unwrap_or(("", text));
        if algorithm != Self::ALGORITHM {
            return Err(DigestError::Algorithm(algorithm.to_owned()));
        }
        let mut bytes = [0; 32];
        match base16ct::lower::decode(digits, &mut bytes) {
            Ok(decoded) if decoded.len() == 32 => Ok(Digest(bytes)),
            Ok(_) | Err(_) => Err(DigestError::Digits),
        }
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lower_case_sha256_is_a_digest() {
        let digits = "0123456789abcdef".repeat(4);
        let good: Digest = format!("sha256:{digits}").parse().unwrap();
        assert_eq!(good.to_string(), format!("sha256:{digits}"));
        assert_eq!(good.blob_path(), format!("blobs/sha256/{digits}"));
        let upper = digits.to_uppercase();
        for (bad, wrong) in [
            (String::new(), DigestError::Algorithm(String::new())),
            (digits.clone(), DigestError::Algorithm(String::new())),
            (format!("sha512:{digits}{digits}"), DigestError::Algorithm("sha512".to_owned())),
            (format!("SHA256:{digits}"), DigestError::Algorithm("SHA256".to_owned())),
            ("sha256:".to_owned(), DigestError::Digits),
            (format!("sha256:{upper}"), DigestError::Digits),
            (format!("sha256:{digits}00"), DigestError::Digits),
            (format!("sha256:{}", &digits[2..]), DigestError::Digits),
            (format!("sha256:../../../etc/passwd{}", &digits[22..]), DigestError::Digits),
        ] {
            assert_eq!(bad.parse::<Digest>(), Err(wrong), "{bad}");
        }
    }
}
