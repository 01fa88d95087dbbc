//! A text that may hold secrets.

use std::fmt;

/// A text that may hold secrets: how long it is is all that it shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Document(pub String);

impl Document {
    /// A settings file is text of a few KiB; what is larger is something else.
    pub const MOST: usize = 1 << 20;

    /// A settings file by its bytes, or what is wrong with them.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, String> {
        if bytes.len() > Self::MOST {
            return Err(format!("it has more than {} bytes", Self::MOST));
        }
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
