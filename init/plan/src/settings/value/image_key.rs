//! Keys that sign images.

use dayfly_formats::minisign::{MinisignError, PublicKey};

use super::{number, pattern, values};

values! {
    /// A public key of minisign.
    ImageKey(PublicKey) = "public key of minisign", pattern("^RW[A-Za-z0-9+/]{54}$"), key, ToString::to_string;
    /// A number of signatures.
    Signatures(u32) = "number", number(1, 100, "^0*([1-9][0-9]?|100)$"), signatures, ToString::to_string;
}

/// The text is not quoted: it may be a secret key.
fn key(text: &str) -> Result<PublicKey, String> {
    text.parse().map_err(|error: MinisignError| format!("the value {error}"))
}

fn signatures(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count @ 1..=100) if !text.starts_with('+') => Ok(count),
        _ => Err(format!("\"{text}\" is not a number from 1 to 100")),
    }
}
