//! A text that may contain secrets.

use std::fmt;

/// A text that may contain secrets. `Debug` and `Display` show only its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Document(pub String);

impl Document {
    /// Size limit. A settings file has a few KiB; a larger file is something else.
    pub const MOST: usize = 1 << 20;

    /// Checks the length of a settings file. Returns the reason if it is too long.
    pub fn check_length(bytes: u64) -> Result<(), String> {
        if bytes > Self::MOST as u64 {
            return Err(format!("it has more than {} bytes, the limit for a settings file", Self::MOST));
        }
        Ok(())
    }

    /// A settings file from its bytes, or the reason why they are not one.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, String> {
        Self::check_length(bytes.len() as u64)?;
        String::from_utf8(bytes)
            .map(Self)
            .map_err(|error| format!("it is not UTF-8 text, at byte {}", error.utf8_error().valid_up_to()))
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} bytes)", self.0.len())
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} bytes)", self.0.len())
    }
}
