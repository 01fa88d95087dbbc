//! Status codes (RFC 8415 21.13): how a server says that it refuses.

use std::fmt;

use super::code;
use super::options::Options;
use crate::field::quoted;

/// What a status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusCode {
    /// Granted (0).
    Success,
    /// Refused for a reason without a code (1).
    UnspecFail,
    /// The server has no address left (2).
    NoAddrsAvail,
    /// The server knows no lease of this client (3).
    NoBinding,
    /// The address does not fit the link (4).
    NotOnLink,
    /// The client has to send to the group of all servers, as it does here (5).
    UseMulticast,
    /// The server has no prefix left (6).
    NoPrefixAvail,
    /// A code of another RFC.
    Other(u16),
}

impl StatusCode {
    const NAMED: [(StatusCode, &'static str); 7] = [
        (StatusCode::Success, "Success"),
        (StatusCode::UnspecFail, "UnspecFail"),
        (StatusCode::NoAddrsAvail, "NoAddrsAvail"),
        (StatusCode::NoBinding, "NoBinding"),
        (StatusCode::NotOnLink, "NotOnLink"),
        (StatusCode::UseMulticast, "UseMulticast"),
        (StatusCode::NoPrefixAvail, "NoPrefixAvail"),
    ];

    /// The code of a number.
    pub fn from_number(number: u16) -> StatusCode {
        StatusCode::NAMED.get(usize::from(number)).map_or(StatusCode::Other(number), |(code, _)| *code)
    }

    /// The number in the option.
    pub fn number(self) -> u16 {
        match self {
            StatusCode::Other(number) => number,
            named => (0..).zip(StatusCode::NAMED).find(|(_, (code, _))| *code == named).map_or(0, |(n, _)| n),
        }
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match StatusCode::NAMED.iter().find(|(code, _)| code == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "status {}", self.number()),
        }
    }
}

/// A status with the server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The code.
    pub code: StatusCode,
    /// The words as they came; may be empty.
    pub words: String,
}

impl Status {
    /// The status among some options. `Ok(None)` when there is none, which means success; `Err` when the option is too short
    /// for a code, which means nothing.
    pub fn of(options: &Options) -> Result<Option<Status>, &'static str> {
        let Some(bytes) = options.get(code::STATUS_CODE) else { return Ok(None) };
        let Some((number, words)) = bytes.split_first_chunk() else {
            return Err("has a status without a code");
        };
        let code = StatusCode::from_number(u16::from_be_bytes(*number));
        let words = String::from_utf8_lossy(words).trim_end_matches('\0').to_owned();
        Ok(Some(Status { code, words }))
    }

    /// Adds the status to some options.
    pub fn add_to(&self, options: &mut Options) {
        let mut bytes = self.code.number().to_be_bytes().to_vec();
        bytes.extend_from_slice(self.words.as_bytes());
        options.add(code::STATUS_CODE, bytes);
    }

    /// Whether it refuses.
    pub fn is_error(&self) -> bool {
        self.code != StatusCode::Success
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if self.words.is_empty() { Ok(()) } else { write!(f, " ({})", quoted(&self.words)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        for (bytes, shown) in [
            (&b"\x00\x00"[..], "Success"),
            (b"\x00\x02no more leases\x00", "NoAddrsAvail (\"no more leases\")"),
            (b"\x00\x05\x1b[2J", "UseMulticast (\"\\u{1b}[2J\")"),
            (b"\x01\x00", "status 256"),
        ] {
            let mut options = Options::new();
            options.add(13, bytes);
            let status = Status::of(&options).unwrap().unwrap();
            assert_eq!(status.to_string(), shown);
            assert_eq!(status.is_error(), shown != "Success");
            let mut again = Options::new();
            status.add_to(&mut again);
            assert_eq!(Status::of(&again), Ok(Some(status)));
        }
        assert_eq!(Status::of(&Options::new()), Ok(None));
        let mut short = Options::new();
        short.add(13, [0]);
        assert_eq!(Status::of(&short), Err("has a status without a code"));
    }

    #[test]
    fn every_number_is_kept() {
        for number in 0..=u16::MAX {
            assert_eq!(StatusCode::from_number(number).number(), number);
        }
    }
}
