//! Lists of domain names in DNS form (RFC 1035 3.1), as search lists have them: option 119 of DHCPv4 (RFC 3397), option 24 of
//! DHCPv6 (RFC 3646) and DNSSL of router advertisements (RFC 8106).
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

/// Most names taken: what glibc searches (`resolv.conf(5)` had 6 for long, and musl has 256 bytes in all).
const MOST_NAMES: usize = 32;
/// The longest name, in text (RFC 1035).
const LONGEST: usize = 253;

/// Whether a name may end in a pointer to an earlier one (RFC 1035 4.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// It may: DHCPv4 (RFC 3397 section 2).
    Allowed,
    /// It must not: DHCPv6 (RFC 8415 section 10) and router advertisements (RFC 8106 5.2).
    Forbidden,
}

/// The names, or why there are none. Every pointer has to lead backwards, to before the piece it ends, so no chain of
/// pointers is endless; a name over 253 bytes is refused.
pub(crate) fn decode(bytes: &[u8], compression: Compression) -> Result<Vec<String>, &'static str> {
    let mut names = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if names.len() == MOST_NAMES {
            return Err("has more than 32 names");
        }
        let (name, next) = name(bytes, at, compression)?;
        names.push(name);
        at = next;
    }
    Ok(names)
}

/// The name at `start`, and where the bytes after it begin.
fn name(bytes: &[u8], start: usize, compression: Compression) -> Result<(String, usize), &'static str> {
    const CUT: &str = "is cut off within a name";
    let mut name = String::new();
    // Where the piece being read began: a pointer has to lead to before it.
    let mut piece = start;
    let mut at = start;
    let mut after = None;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let (&length, rest) = rest.split_first().ok_or(CUT)?;
        let next = at.saturating_add(1);
        match length {
            0 => return Ok((name, after.unwrap_or(next))),
            1..=63 => {
                let label = rest.get(..usize::from(length)).ok_or(CUT)?;
                if !name.is_empty() {
                    name.push('.');
                }
                name.extend(
                    label.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' }),
                );
                if name.len() > LONGEST {
                    return Err("has a name of more than 253 bytes");
                }
                at = next.saturating_add(usize::from(length));
            }
            0xc0.. if compression == Compression::Forbidden => {
                return Err("has a compression pointer, which this list must not have");
            }
            0xc0.. => {
                let low = rest.first().ok_or(CUT)?;
                let target = usize::from(u16::from_be_bytes([length & 0x3f, *low]));
                if target >= piece {
                    return Err("has a compression pointer that does not lead backwards");
                }
                after = after.or(Some(next.saturating_add(1)));
                piece = target;
                at = target;
            }
            _ => return Err("has a label of an unknown kind"),
        }
    }
}

/// The labels of a name that passes [`crate::hostname::check_domain`], without the root's empty label at the end: a name
/// with all its labels is followed by a zero byte (RFC 1035 3.1), one without its domain is not (RFC 4704 4.2).
pub(crate) fn encode(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        // The name was checked: a label has 63 bytes at most.
        bytes.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        // The example of RFC 3397 section 3: eng.apple.com. and marketing.apple.com., sharing apple.com.
        let rfc = b"\x03eng\x05apple\x03com\x00\x09marketing\xc0\x04";
        let mut long = Vec::new();
        for _ in 0..5 {
            long.push(60);
            long.extend([b'a'; 60]);
        }
        long.push(0);
        for (bytes, expected) in [
            (&b""[..], Ok(vec![])),
            (rfc, Ok(vec!["eng.apple.com", "marketing.apple.com"])),
            (b"\x01a\x00", Ok(vec!["a"])),
            (b"\x00", Ok(vec![""])),
            (b"\x02a\n\x00", Ok(vec!["a?"])),
            (b"\x01a\x00\xc0\x00\xc0\x03", Ok(vec!["a", "a", "a"])),
            (b"\x01", Err("is cut off within a name")),
            (b"\x01a", Err("is cut off within a name")),
            (b"\x01a\xc0", Err("is cut off within a name")),
            (b"\xc0\x00", Err("has a compression pointer that does not lead backwards")),
            (b"\x01a\xc0\x00", Err("has a compression pointer that does not lead backwards")),
            (b"\x01a\x00\x01b\xc0\x03", Err("has a compression pointer that does not lead backwards")),
            (b"\xc0\x09", Err("has a compression pointer that does not lead backwards")),
            (b"\x41a\x00", Err("has a label of an unknown kind")),
            (&long, Err("has a name of more than 253 bytes")),
            (&[0; 33], Err("has more than 32 names")),
        ] {
            let expected = expected.map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(decode(bytes, Compression::Allowed), expected, "{bytes:?}");
            // Without pointers, both kinds of list say the same.
            if !bytes.contains(&0xc0) {
                assert_eq!(decode(bytes, Compression::Forbidden), expected, "{bytes:?}");
            }
        }
        assert_eq!(
            decode(rfc, Compression::Forbidden),
            Err("has a compression pointer, which this list must not have")
        );
    }

    #[test]
    fn names_are_written_as_they_are_read() {
        for name in ["a", "node1.example.org"] {
            let mut bytes = encode(name);
            bytes.push(0);
            assert_eq!(decode(&bytes, Compression::Forbidden), Ok(vec![name.to_owned()]));
        }
        assert_eq!(encode("node1"), b"\x05node1");
    }
}
