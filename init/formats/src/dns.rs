//! The part of DNS that is needed to resolve a name to an address (RFC 1035, RFC 3596): queries and answers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest name in an answer, without the final dot (RFC 1035 §2.3.4).
const NAME_MAX: usize = 253;
/// Limit for an answer over UDP. Without EDNS it should be smaller (RFC 1035 §2.3.4), but some servers send more.
pub const UDP_MAX: usize = 4096;
/// Limit for followed aliases.
const ALIASES: usize = 16;
const HEADER: usize = 12;

/// The requested record type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// A records.
    V4,
    /// AAAA records.
    V6,
}

impl Family {
    const fn number(self) -> u16 {
        match self {
            Family::V4 => 1,
            Family::V6 => 28,
        }
    }
}

/// The content of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The name has these addresses, at least one.
    Addresses(Vec<IpAddr>),
    /// The name exists but has no address of this family.
    Nothing,
    /// The name does not exist (NXDOMAIN).
    NoName,
    /// The server did not answer the question: SERVFAIL, REFUSED, FORMERR and others, by their number.
    Refused(u8),
    /// The answer is truncated. TCP gives the complete one.
    Cut,
}

/// Why a message is unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// It is truncated, or a pointer is invalid.
    Broken,
    /// It does not answer this question.
    Other,
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Odd::Broken => "the message is broken",
            Odd::Other => "the message does not answer the question",
        })
    }
}

impl std::error::Error for Odd {}

/// The name of an answer's code (RFC 1035 §4.1.1).
pub fn code_name(code: u8) -> String {
    match code {
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        other => format!("code {other}"),
    }
}

/// A query for a name without its final dot. `None` if the name is invalid.
pub fn query(id: u16, name: &str, family: Family) -> Option<Vec<u8>> {
    let mut message = Vec::with_capacity(HEADER + name.len() + 6);
    message.extend(id.to_be_bytes());
    // A standard query, recursion desired; one question.
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    message.extend(encode(name)?);
    message.extend(family.number().to_be_bytes());
    message.extend([0, 1]);
    Some(message)
}

fn encode(name: &str) -> Option<Vec<u8>> {
    if name.is_empty() || name.len() > NAME_MAX {
        return None;
    }
    let mut bytes = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    Some(bytes)
}

/// Reads the answer to this question.
pub fn parse(message: &[u8], id: u16, name: &str, family: Family) -> Result<Said, Odd> {
    let half = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
    let head = || Some((half(0)?, half(2)?, half(4)?, half(6)?));
    let (answers_to, flags, questions, answers) = head().ok_or(Odd::Broken)?;
    if message.len() < HEADER {
        return Err(Odd::Broken);
    }
    let is_answer = flags & 0xf800 == 0x8000;
    if answers_to != id || !is_answer {
        return Err(Odd::Other);
    }
    let code = u8::try_from(flags & 15).unwrap_or_default();
    // A server that cannot read a question need not repeat it (FORMERR, and other codes of servers that refuse all
    // clients).
    if questions == 0 && !matches!(code, 0 | 3) {
        return Ok(Said::Refused(code));
    }
    let mut at = HEADER;
    let asked = read_name(message, &mut at)?;
    let (kind, class) = (half(at).ok_or(Odd::Broken)?, half(at + 2).ok_or(Odd::Broken)?);
    at += 4;
    if questions != 1 || !asked.eq_ignore_ascii_case(name) || (kind, class) != (family.number(), 1) {
        return Err(Odd::Other);
    }
    match code {
        0 => {}
        3 => return Ok(Said::NoName),
        other => return Ok(Said::Refused(other)),
    }
    if flags & 0x0200 != 0 {
        return Ok(Said::Cut);
    }
    let mut aliases: Vec<(String, String)> = Vec::new();
    let mut records: Vec<(String, IpAddr)> = Vec::new();
    for _ in 0..answers {
        let owner = read_name(message, &mut at)?;
        let (kind, class) = (half(at).ok_or(Odd::Broken)?, half(at + 2).ok_or(Odd::Broken)?);
        let length = usize::from(half(at + 8).ok_or(Odd::Broken)?);
        let data = at + 10;
        let bytes = message.get(data..data + length).ok_or(Odd::Broken)?;
        match (kind, class) {
            (5, 1) => {
                let mut place = data;
                aliases.push((owner, read_name(message, &mut place)?));
            }
            (1, 1) if family == Family::V4 => {
                let bytes = <[u8; 4]>::try_from(bytes).map_err(|_| Odd::Broken)?;
                records.push((owner, IpAddr::V4(Ipv4Addr::from(bytes))));
            }
            (28, 1) if family == Family::V6 => {
                let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| Odd::Broken)?;
                records.push((owner, IpAddr::V6(Ipv6Addr::from(bytes))));
            }
            _ => {}
        }
        at = data + length;
    }
    // Aliases can be in any order. The limit also ends a loop of them.
    let mut wanted = name.to_owned();
    for _ in 0..ALIASES {
        match aliases.iter().find(|(owner, _)| owner.eq_ignore_ascii_case(&wanted)) {
            Some((_, target)) => wanted.clone_from(target),
            None => break,
        }
    }
    let found: Vec<IpAddr> = records
        .into_iter()
        .filter(|(owner, _)| owner.eq_ignore_ascii_case(&wanted))
        .map(|(_, address)| address)
        .collect();
    Ok(if found.is_empty() { Said::Nothing } else { Said::Addresses(found) })
}

/// Reads the name at an offset and moves the offset behind it. A pointer must lead to an earlier offset (RFC 1035
/// §4.1.4), so the loop ends.
fn read_name(message: &[u8], at: &mut usize) -> Result<String, Odd> {
    let mut name = Vec::new();
    let mut place = *at;
    let mut end = None;
    let mut before = place;
    loop {
        let length = usize::from(*message.get(place).ok_or(Odd::Broken)?);
        match length {
            0 => break,
            1..=63 => {
                let label = message.get(place + 1..place + 1 + length).ok_or(Odd::Broken)?;
                if !name.is_empty() {
                    name.push(b'.');
                }
                name.extend_from_slice(label);
                if name.len() > NAME_MAX {
                    return Err(Odd::Broken);
                }
                place += 1 + length;
            }
            _ if length & 0xc0 == 0xc0 => {
                let low = usize::from(*message.get(place + 1).ok_or(Odd::Broken)?);
                end = end.or(Some(place + 2));
                place = (length & 0x3f) << 8 | low;
                if place >= before {
                    return Err(Odd::Broken);
                }
                before = place;
            }
            _ => return Err(Odd::Broken),
        }
    }
    *at = end.unwrap_or(place + 1);
    // The name is only compared. A name with other bytes cannot equal the requested one.
    Ok(String::from_utf8_lossy(&name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "boot.example.com";

    /// An answer with this code and these records: owner, kind, data.
    fn answer(code: u8, records: &[(&str, u16, Vec<u8>)]) -> Vec<u8> {
        let mut message = query(7, NAME, Family::V4).unwrap();
        message[2] = 0x81;
        message[3] = 0x80 | code;
        message[7] = records.len() as u8;
        for (owner, kind, data) in records {
            // The requested name is a pointer, as servers write it.
            message.extend(if *owner == NAME { vec![0xc0, 12] } else { encode(owner).unwrap() });
            message.extend(kind.to_be_bytes());
            message.extend([0, 1, 0, 0, 0, 60]);
            message.extend((data.len() as u16).to_be_bytes());
            message.extend(data);
        }
        message
    }

    #[test]
    fn answers_say_what_they_say() {
        let v4 = |last| vec![10, 0, 0, last];
        let address = |last| IpAddr::from([10, 0, 0, last]);
        let alias = |to: &str| encode(to).unwrap();
        for (what, message, expected) in [
            ("one", answer(0, &[(NAME, 1, v4(1))]), Said::Addresses(vec![address(1)])),
            (
                "two",
                answer(0, &[(NAME, 1, v4(1)), (NAME, 1, v4(2))]),
                Said::Addresses(vec![address(1), address(2)]),
            ),
            ("another's", answer(0, &[("evil.example.com", 1, v4(1))]), Said::Nothing),
            (
                "other letters",
                answer(0, &[("BOOT.example.COM", 1, v4(1))]),
                Said::Addresses(vec![address(1)]),
            ),
            (
                "an alias",
                answer(0, &[(NAME, 5, alias("a.b")), ("a.b", 1, v4(1))]),
                Said::Addresses(vec![address(1)]),
            ),
            (
                "an alias behind",
                answer(0, &[("a.b", 1, v4(1)), (NAME, 5, alias("a.b"))]),
                Said::Addresses(vec![address(1)]),
            ),
            ("a ring", answer(0, &[(NAME, 5, alias("a.b")), ("a.b", 5, alias(NAME))]), Said::Nothing),
            ("an alias alone", answer(0, &[(NAME, 5, alias("a.b"))]), Said::Nothing),
            ("another kind", answer(0, &[(NAME, 16, v4(1))]), Said::Nothing),
            ("nothing", answer(0, &[]), Said::Nothing),
            ("no name", answer(3, &[]), Said::NoName),
            ("SERVFAIL", answer(2, &[]), Said::Refused(2)),
            ("REFUSED with records", answer(5, &[(NAME, 1, v4(1))]), Said::Refused(5)),
        ] {
            assert_eq!(parse(&message, 7, NAME, Family::V4), Ok(expected), "{what}");
        }
        let mut cut = answer(0, &[]);
        cut[2] |= 2;
        assert_eq!(parse(&cut, 7, NAME, Family::V4), Ok(Said::Cut));
        assert_eq!(
            parse(&[0, 7, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0], 7, NAME, Family::V4),
            Ok(Said::Refused(1))
        );
    }

    #[test]
    fn what_is_no_answer_is_not_taken() {
        let good = answer(0, &[(NAME, 1, vec![10, 0, 0, 1])]);
        assert!(parse(&good, 7, NAME, Family::V4).is_ok());
        assert_eq!(parse(&good, 8, NAME, Family::V4), Err(Odd::Other), "id");
        assert_eq!(parse(&good, 7, "other.example.com", Family::V4), Err(Odd::Other), "name");
        assert_eq!(parse(&good, 7, NAME, Family::V6), Err(Odd::Other), "family");
        assert_eq!(
            parse(&query(7, NAME, Family::V4).unwrap(), 7, NAME, Family::V4),
            Err(Odd::Other),
            "a query"
        );
        for length in 0..good.len() {
            assert_eq!(parse(&good[..length], 7, NAME, Family::V4), Err(Odd::Broken), "{length} bytes");
        }
        let mut ring = good.clone();
        let owner = query(7, NAME, Family::V4).unwrap().len();
        ring[owner + 1] = owner as u8;
        assert_eq!(parse(&ring, 7, NAME, Family::V4), Err(Odd::Broken), "a pointer to itself");
        assert_eq!(
            parse(&answer(0, &[(NAME, 1, vec![10, 0, 0])]), 7, NAME, Family::V4),
            Err(Odd::Broken),
            "three bytes"
        );
    }

    #[test]
    fn only_names_are_asked_for() {
        for name in ["", ".", "a..b", ".a", &"a".repeat(64), &"a.".repeat(127)] {
            assert_eq!(query(1, name, Family::V4), None, "{name}");
        }
        assert_eq!(
            query(1, "a", Family::V6).unwrap(),
            [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 28, 0, 1]
        );
    }
}
