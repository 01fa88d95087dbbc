//! Digests.

use std::fmt;
use std::str::FromStr;

use super::{own_values, pattern};

/// A SHA-256 (FIPS 180-4), 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The first 12 digits, for a table.
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl FromStr for Sha256 {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("\"{text}\" has the character {odd:?}, which is not a hexadecimal digit"));
        }
        if text.len() != 64 {
            return Err(format!("\"{text}\" has {} hexadecimal digits, a SHA-256 has 64", text.len()));
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(index * 2..index * 2 + 2).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
        }
        Ok(Sha256(bytes))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

own_values! { Sha256 = "64 hexadecimal digits", pattern("^[0-9A-Fa-f]{64}$"); }
