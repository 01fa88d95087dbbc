//! Resolves a redirect: its `Location` field, relative to the requested URL (RFC 9110 §10.2.2, RFC 3986 §5).
//!
//! Servers often write file names there unchanged, with spaces and non-ASCII letters. Characters that are not allowed
//! in a URL are encoded, as in browsers.

use std::fmt;
use std::fmt::Write;

/// Length limit. No server sends longer ones, and most clients do not accept them.
pub const MOST: usize = 8 << 10;

/// Why a `Location` is unusable, as the end of a sentence that starts with the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misled {
    /// It is too long; its length in bytes.
    Long(usize),
    /// The scheme is not supported.
    Scheme(String),
    /// There is a scheme but no host.
    NoHost(String),
    /// It contains a user name or a password.
    User,
}

impl fmt::Display for Misled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misled::Long(bytes) => write!(f, "a URL of {bytes} bytes, but at most {MOST} are allowed"),
            Misled::Scheme(scheme) => {
                write!(f, "a URL with the scheme \"{scheme}\", but only http and https can be fetched")
            }
            Misled::NoHost(url) => write!(f, "\"{url}\", which has no host"),
            Misled::User => f.write_str("a URL with a user name or password, which are never sent"),
        }
    }
}

impl std::error::Error for Misled {}

/// The target URL of a redirect. `base` is the requested absolute URL.
pub fn follow(base: &str, location: &[u8]) -> Result<String, Misled> {
    let text = encode(location.trim_ascii());
    let resolved = if text.len() > MOST { Err(Misled::Long(text.len())) } else { resolve(base, &text) };
    // A relative field gets the start of the base.
    resolved.and_then(|url| if url.len() > MOST { Err(Misled::Long(url.len())) } else { Ok(url) })
}

/// Resolves the field, in which all characters are allowed.
fn resolve(base: &str, text: &str) -> Result<String, Misled> {
    // The part after # is for viewers of the answer.
    let text = text.split('#').next().unwrap_or_default();
    let (base_scheme, base_rest) = base.split_once("://").unwrap_or(("http", base));
    let base_end = base_rest.find(['/', '?', '#']).unwrap_or(base_rest.len());
    let (base_host, base_tail) = base_rest.split_at_checked(base_end).unwrap_or((base_rest, ""));
    let base_tail = base_tail.split('#').next().unwrap_or_default();
    let (base_path, _) = split_query(base_tail);

    let (scheme, rest) = match scheme(text) {
        Some((scheme, rest)) => {
            let scheme = scheme.to_ascii_lowercase();
            if !["http", "https"].contains(&scheme.as_str()) {
                return Err(Misled::Scheme(scheme));
            }
            if !rest.starts_with("//") {
                return Err(Misled::NoHost(text.to_owned()));
            }
            (scheme, rest)
        }
        None => (base_scheme.to_ascii_lowercase(), text),
    };
    if let Some(rest) = rest.strip_prefix("//") {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if host.contains('@') {
            return Err(Misled::User);
        }
        if host.is_empty() || host.starts_with(':') {
            return Err(Misled::NoHost(text.to_owned()));
        }
        return Ok(format!("{scheme}://{host}{}", normal(tail)));
    }
    let tail = if rest.is_empty() {
        base_tail.to_owned()
    } else if rest.starts_with('?') {
        format!("{base_path}{rest}")
    } else if rest.starts_with('/') {
        normal(rest)
    } else {
        let folder = base_path.rsplit_once('/').map_or("", |(folder, _)| folder);
        normal(&format!("{folder}/{rest}"))
    };
    Ok(format!("{scheme}://{base_host}{tail}"))
}

/// A scheme and the text after its colon (RFC 3986 §3.1).
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    fits.then_some((scheme, rest))
}

fn split_query(tail: &str) -> (&str, &str) {
    tail.split_at_checked(tail.find('?').unwrap_or(tail.len())).unwrap_or((tail, ""))
}

/// A path without `.` and `..` (RFC 3986 §5.2.4), and its query.
fn normal(tail: &str) -> String {
    let (path, query) = split_query(tail);
    if path.is_empty() {
        return format!("/{query}");
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut is_folder = false;
    for part in path.split('/').skip(1) {
        is_folder = matches!(part, "." | "..");
        match part {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(part),
        }
    }
    let end = if is_folder && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}{query}", kept.join("/"))
}

/// Encodes each byte that is not allowed in a URL, and each `%` that does not start an escape (RFC 3986 §2.1).
fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for (index, &byte) in bytes.iter().enumerate() {
        let is_code = || {
            let digits = bytes.get(index + 1..index + 3).unwrap_or_default();
            digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit)
        };
        let fits = match byte {
            b'%' => is_code(),
            _ => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte),
        };
        if fits {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_where_a_browser_would_go() {
        const BASE: &str = "http://boot:8080/a/b/image?x=1#top";
        for (location, expected) in [
            // RFC 3986 §5.4's kinds.
            ("https://cdn/os", "https://cdn/os"),
            ("HTTPS://CDN/os", "https://CDN/os"),
            ("//cdn:81/os", "http://cdn:81/os"),
            ("/os", "http://boot:8080/os"),
            ("os", "http://boot:8080/a/b/os"),
            ("./os", "http://boot:8080/a/b/os"),
            ("../os", "http://boot:8080/a/os"),
            ("../../../os", "http://boot:8080/os"),
            ("/a/./b/../c", "http://boot:8080/a/c"),
            ("..", "http://boot:8080/a/"),
            ("?y=2", "http://boot:8080/a/b/image?y=2"),
            ("", "http://boot:8080/a/b/image?x=1"),
            ("#part", "http://boot:8080/a/b/image?x=1"),
            ("/os#part", "http://boot:8080/os"),
            ("https://cdn", "https://cdn/"),
            ("https://cdn?q", "https://cdn/?q"),
            ("https://[fe80::1]:8443/os", "https://[fe80::1]:8443/os"),
            // As servers write them.
            ("/my image.squashfs", "http://boot:8080/my%20image.squashfs"),
            ("/größe", "http://boot:8080/gr%C3%B6%C3%9Fe"),
            ("/100%", "http://boot:8080/100%25"),
            ("/a%20b", "http://boot:8080/a%20b"),
            ("/a|b\"c<d>{e}^`\\", "http://boot:8080/a%7Cb%22c%3Cd%3E%7Be%7D%5E%60%5C"),
            ("  /os \t", "http://boot:8080/os"),
            ("/x/http://other/os", "http://boot:8080/x/http://other/os"),
            ("/os?to=http://x/?a=b", "http://boot:8080/os?to=http://x/?a=b"),
        ] {
            assert_eq!(follow(BASE, location.as_bytes()), Ok(expected.to_owned()), "{location}");
        }
        assert_eq!(follow("http://boot", b"os"), Ok("http://boot/os".to_owned()));
        assert_eq!(follow("http://boot", b"/\xff"), Ok("http://boot/%FF".to_owned()), "not UTF-8");
    }

    #[test]
    fn what_leads_nowhere_is_told() {
        for (location, expected) in [
            ("ftp://boot/os", Misled::Scheme("ftp".to_owned())),
            ("javascript:x", Misled::Scheme("javascript".to_owned())),
            ("https:/os", Misled::NoHost("https:/os".to_owned())),
            ("http:///os", Misled::NoHost("http:///os".to_owned())),
            ("//:80/os", Misled::NoHost("//:80/os".to_owned())),
            ("https://me:secret@boot/os", Misled::User),
        ] {
            assert_eq!(follow("http://boot/", location.as_bytes()), Err(expected), "{location}");
        }
        let long = vec![b'/'; MOST + 1];
        assert_eq!(follow("http://boot/", &long), Err(Misled::Long(MOST + 1)));
    }
}
