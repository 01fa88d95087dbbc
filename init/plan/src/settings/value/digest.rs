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
            return Err(format!("\"{text}\" has {} hexadecimal digits, but a SHA-256 has 64", text.len()));
        }
        let mut bytes = [0; 32];
        base16ct::mixed::decode(text, &mut bytes).map_err(|error| error.to_string())?;
        Ok(Sha256(bytes))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

own_values! { Sha256 = "64 hexadecimal digits", pattern("^[0-9A-Fa-f]{64}$"); }
