//! PEM (RFC 7468): certificates and keys as text.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The content between a BEGIN and an END line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// `CERTIFICATE`, `EC PRIVATE KEY` …
    pub label: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Why a text is not PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PemError {
    /// The text ends inside a block.
    Unfinished(String),
    /// The content of a block is not base64.
    NotBase64(String),
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PemError::Unfinished(label) => write!(f, "the block {label} has no end: the text was truncated"),
            PemError::NotBase64(label) => write!(f, "the block {label} is not base64"),
        }
    }
}

/// base64 as OpenSSL, Go and Kubernetes write it, with or without padding.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// All blocks of a text, in order. Text outside of blocks is ignored (RFC 7468 §2, "explanatory text").
pub fn blocks(text: &str) -> Result<Vec<Block>, PemError> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) else {
            continue;
        };
        let end = format!("-----END {label}-----");
        let mut base64 = String::new();
        loop {
            match lines.next() {
                Some(line) if line == end => break,
                // A header of an old encrypted key. It is ignored.
                Some(line) if line.contains(':') => {}
                Some(line) => base64.extend(line.split_whitespace()),
                None => return Err(PemError::Unfinished(label.to_owned())),
            }
        }
        let bytes = BASE64.decode(base64).map_err(|_| PemError::NotBase64(label.to_owned()))?;
        found.push(Block { label: label.to_owned(), bytes });
    }
    Ok(found)
}

/// The certificates of a text, in DER.
pub fn certificates(text: &str) -> Result<Vec<Vec<u8>>, PemError> {
    let certificates = blocks(text)?.into_iter().filter(|block| block.label == "CERTIFICATE");
    Ok(certificates.map(|block| block.bytes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_between_other_text() {
        let text = "a comment\r\n-----BEGIN CERTIFICATE-----\r\nAQID\r\nBA==\r\n-----END CERTIFICATE-----\r\nsubject=x\n\
                    -----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nBQ\n-----END EC PRIVATE KEY-----\n";
        let found = blocks(text).unwrap();
        let shown: Vec<(&str, &[u8])> =
            found.iter().map(|block| (block.label.as_str(), block.bytes.as_slice())).collect();
        assert_eq!(shown, [("CERTIFICATE", &[1, 2, 3, 4][..]), ("EC PRIVATE KEY", &[5])]);
        assert_eq!(certificates(text).unwrap(), [[1, 2, 3, 4]]);
    }

    #[test]
    fn a_broken_block_is_named() {
        for (text, error) in [
            ("-----BEGIN X-----\nAQID\n", PemError::Unfinished("X".to_owned())),
            ("-----BEGIN X-----\nAQID\n-----END Y-----\n", PemError::Unfinished("X".to_owned())),
            ("-----BEGIN X-----\nA*\n-----END X-----\n", PemError::NotBase64("X".to_owned())),
        ] {
            assert_eq!(blocks(text), Err(error), "{text}");
        }
        assert_eq!(blocks("").unwrap(), []);
        assert_eq!(blocks("-----BEGIN X\nAQID").unwrap(), []);
    }
}
