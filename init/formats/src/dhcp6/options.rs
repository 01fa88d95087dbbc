//! Options as code and bytes, and the readers for their types.

use std::fmt;
use std::net::Ipv6Addr;

/// The options of a message or of another option, in their order. An option that appears twice is two options: they are
/// never joined (RFC 8415 section 21).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    entries: Vec<(u16, Vec<u8>)>,
}

/// An option says it is longer than what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncated {
    /// The option's code; `None` when the bytes end before code and length.
    pub code: Option<u16>,
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "option {code} is cut off"),
            None => f.write_str("the header of an option is cut off"),
        }
    }
}

impl std::error::Error for Truncated {}

impl Options {
    /// No options.
    pub fn new() -> Options {
        Options::default()
    }

    /// Reads options up to the end of the bytes. A single option that is cut off is an error for all of them: after one wrong
    /// length, the other lengths can't be trusted either.
    pub fn parse(bytes: &[u8]) -> Result<Options, Truncated> {
        let mut options = Options::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some((&[code_high, code_low, high, low], after)) = rest.split_first_chunk() else {
                return Err(Truncated { code: None });
            };
            let code = u16::from_be_bytes([code_high, code_low]);
            let length = usize::from(u16::from_be_bytes([high, low]));
            let (bytes, after) = after.split_at_checked(length).ok_or(Truncated { code: Some(code) })?;
            options.add(code, bytes);
            rest = after;
        }
        Ok(options)
    }

    /// Adds an option at the end. Bytes beyond 65535 are cut off: a length has no room for more.
    pub fn add(&mut self, code: u16, bytes: impl Into<Vec<u8>>) {
        let mut bytes = bytes.into();
        bytes.truncate(usize::from(u16::MAX));
        self.entries.push((code, bytes));
    }

    /// Writes the options as [`Options::parse`] reads them.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (code, bytes) in self.iter() {
            out.extend_from_slice(&code.to_be_bytes());
            // No option is longer, see `add`.
            out.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.extend_from_slice(bytes);
        }
        out
    }

    /// The bytes of the first option with this code.
    pub fn get(&self, code: u16) -> Option<&[u8]> {
        self.all(code).next()
    }

    /// The bytes of each option with this code.
    pub fn all(&self, code: u16) -> impl Iterator<Item = &[u8]> {
        self.iter().filter(move |(other, _)| *other == code).map(|(_, bytes)| bytes)
    }

    /// Every option as code and bytes.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &[u8])> {
        self.entries.iter().map(|(code, bytes)| (*code, bytes.as_slice()))
    }

    /// The addresses of the first option with this code; `None` when it is absent, empty or has a length that is no
    /// multiple of 16.
    pub fn addresses(&self, code: u16) -> Option<Vec<Ipv6Addr>> {
        match self.get(code)?.as_chunks::<16>() {
            (chunks, []) if !chunks.is_empty() => {
                Some(chunks.iter().map(|bytes| Ipv6Addr::from(*bytes)).collect())
            }
            _ => None,
        }
    }

    /// An option of one 32-bit number.
    pub fn number(&self, code: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.get(code)?.try_into().ok()?))
    }

    /// An option of one byte.
    pub fn byte(&self, code: u16) -> Option<u8> {
        match self.get(code)? {
            [byte] => Some(*byte),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_back() {
        let bytes = [0, 7, 0, 1, 255, 0, 14, 0, 0, 0, 82, 0, 4, 0, 0, 0, 60, 0, 7, 0, 1, 3];
        let options = Options::parse(&bytes).unwrap();
        assert_eq!(options.iter().map(|(code, _)| code).collect::<Vec<_>>(), [7, 14, 82, 7]);
        assert_eq!(options.byte(7), Some(255), "the first of two");
        assert_eq!(options.all(7).collect::<Vec<_>>(), [[255], [3]]);
        assert_eq!(options.get(14), Some(&[][..]));
        assert_eq!(options.number(82), Some(60));
        assert_eq!(options.encode(), bytes);
        assert_eq!(Options::parse(&[]), Ok(Options::new()));
    }

    #[test]
    fn cut_off() {
        for (bytes, code) in
            [(&[0][..], None), (&[0, 7, 0], None), (&[0, 7, 0, 1], Some(7)), (&[0, 14, 0, 0, 9], None)]
        {
            assert_eq!(Options::parse(bytes), Err(Truncated { code }), "{bytes:?}");
        }
    }

    #[test]
    fn wrong_lengths() {
        let mut options = Options::new();
        for (code, length) in [(1, 0), (2, 15), (3, 17), (4, 32)] {
            options.add(code, vec![1; length]);
        }
        assert_eq!([1, 2, 3].map(|code| options.addresses(code)), [None, None, None]);
        assert_eq!(options.addresses(4), Some(vec![Ipv6Addr::from([1; 16]); 2]));
        assert_eq!((options.number(1), options.byte(1), options.byte(2)), (None, None, None));
        options.add(5, vec![0; 70_000]);
        assert_eq!(Options::parse(&options.encode()).as_ref(), Ok(&options));
    }
}
