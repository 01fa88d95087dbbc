//! A text that may hold secrets.

use std::fmt;

/// A text that may hold secrets: how long it is is all that it shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Document(pub String);

impl Document {
    /// A settings file is text of a few KiB; what is larger is something else.
    pub const MOST: usize = 1 << 20;

    /// What is wrong with a settings file of this length, if something is.
    pub fn check_length(bytes: u64) -> Result<(), String> {
        if bytes > Self::MOST as u64 {
            return Err(format!(
                "it has more than {} bytes, the most that a settings file may have",
                Self::MOST
            ));
        }
        Ok(())
    }

    /// A settings file by its bytes, or what is wrong with them.
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
