//! The domain search list (RFC 3397): names in DNS form with compression pointers, over the joined bytes of option 119.

/// Limit for names: what glibc searches (it was 6 for a long time, see `resolv.conf(5)`; musl has 256 bytes in total).
const MOST_NAMES: usize = 32;
/// The longest name in text form (RFC 1035).
const LONGEST: usize = 253;

/// The names, or why the list is invalid. Every pointer must lead backwards, to before the piece that it ends, so no
/// chain of pointers is endless. A name over 253 bytes is refused.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<String>, &'static str> {
    let mut names = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if names.len() == MOST_NAMES {
            return Err("has more than 32 names");
        }
        let (name, next) = name(bytes, at)?;
        names.push(name);
        at = next;
    }
    Ok(names)
}

/// The name at `start`, and the offset after it.
fn name(bytes: &[u8], start: usize) -> Result<(String, usize), &'static str> {
    const CUT: &str = "is cut off within a name";
    let mut name = String::new();
    // The start of the current piece: a pointer must lead to before it.
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
            assert_eq!(decode(bytes), expected, "{bytes:?}");
        }
    }
}
