//! Join tokens of k0s: a bootstrap kubeconfig, compressed with gzip (RFC 1952) and encoded in base64 (k0s's
//! pkg/token/joinencode.go).

use base64::Engine;
use miniz_oxide::inflate::decompress_to_vec_with_limit;

use crate::pem::BASE64;

/// A kubeconfig has a few KiB. A token that decompresses to more than this is invalid.
const LIMIT: usize = 1 << 20;

/// The kubeconfig in a token. `None` if the token is invalid.
pub fn decode(token: &str) -> Option<String> {
    let compact: String = token.split_whitespace().collect();
    let bytes = BASE64.decode(compact).ok()?;
    let inflated = decompress_to_vec_with_limit(deflated(&bytes)?, LIMIT).ok()?;
    String::from_utf8(inflated).ok()
}

/// The data after gzip's header. The checksum and the length at the end are not verified.
fn deflated(bytes: &[u8]) -> Option<&[u8]> {
    /// Flags of RFC 1952 §2.3.1 for optional fields in the header.
    const CRC: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let [0x1f, 0x8b, 8, flags, _, _, _, _, _, _, rest @ ..] = bytes else { return None };
    let mut rest = rest;
    if flags & EXTRA != 0 {
        let [low, high, after @ ..] = rest else { return None };
        rest = after.get(usize::from(u16::from_le_bytes([*low, *high]))..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & CRC != 0 { rest.get(2..) } else { Some(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf 'apiVersion: v1\n' | gzip -9n | base64`
    const PLAIN: &str = "H4sIAAAAAAACA0ssyAxLLSrOzM+zUigz5AIA3Y27Ow8AAAA=";

    #[test]
    fn a_token_is_a_kubeconfig() {
        assert_eq!(decode(PLAIN).as_deref(), Some("apiVersion: v1\n"));
        assert_eq!(decode(&format!(" {PLAIN}\n")).as_deref(), Some("apiVersion: v1\n"));
    }

    #[test]
    fn what_may_be_in_the_header_is_passed_over() {
        let bytes = BASE64.decode(PLAIN).unwrap();
        let body = &bytes[10..];
        for (flags, more) in [
            (8, &b"name\0"[..]),
            (16, b"comment\0"),
            (4, b"\x02\0xy"),
            (2, b"cc"),
            (4 + 8 + 16 + 2, b"\x01\0xname\0comment\0cc"),
        ] {
            let whole = [&[0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3], more, body].concat();
            assert_eq!(decode(&BASE64.encode(whole)).as_deref(), Some("apiVersion: v1\n"), "{flags}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        let bytes = BASE64.decode(PLAIN).unwrap();
        for len in 0..bytes.len() - 8 {
            assert_eq!(decode(&BASE64.encode(&bytes[..len])), None, "{len} bytes");
        }
        for text in ["", "# overwritten", "abcdef.0123456789abcdef", "K10abc::server:xyz"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
