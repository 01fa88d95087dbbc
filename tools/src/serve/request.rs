//! A request's head, as far as this server uses it (RFC 9112).

use httparse::{Error, Header, Status};

/// The largest head that is read.
pub const HEAD: usize = 8 << 10;

/// How many fields a head may have.
const FIELDS: usize = 64;

/// A request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD` …
    pub method: String,
    /// The path, percent-encoded as it came, without the query.
    pub path: String,
    /// The client wants no further request on this connection, or cannot have one.
    pub close: bool,
    /// The `Range` field; `None` if there are several.
    pub range: Option<String>,
    /// The `If-Range` field.
    pub if_range: Option<String>,
    /// The `If-Match` fields.
    pub if_match: Vec<String>,
    /// The `If-None-Match` fields.
    pub if_none_match: Vec<String>,
    /// The `User-Agent` field.
    pub agent: Option<String>,
}

/// Why a head is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status to answer with.
    pub status: u16,
    /// Why.
    pub reason: String,
}

fn refused<T>(status: u16, reason: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { status, reason: reason.into() })
}

/// The request at the beginning of `bytes` and the length of its head; `None` as long as the head has no end.
pub fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, Refused> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = httparse::Request::new(&mut fields);
    let length = match head.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() >= HEAD => {
            return refused(431, format!("the head of the request has more than {HEAD} bytes"));
        }
        Ok(Status::Partial) => return Ok(None),
        Err(Error::TooManyHeaders) => {
            return refused(431, format!("the request has more than {FIELDS} header fields"));
        }
        Err(Error::Version) => return refused(505, "only HTTP/1.0 and HTTP/1.1 are supported"),
        Err(error) => return refused(400, format!("the request is malformed: {error}")),
    };
    let is_old = head.version == Some(0);
    let mut request = Request {
        method: head.method.unwrap_or_default().to_owned(),
        path: path_of(head.path.unwrap_or_default()).to_owned(),
        close: is_old,
        ..Request::default()
    };
    let (mut hosts, mut ranges) = (0, 0);
    for Header { name, value } in head.headers.iter() {
        let text = || String::from_utf8_lossy(value).trim().to_owned();
        match name.to_ascii_lowercase().as_str() {
            "host" => hosts += 1,
            "connection" => request.close |= has_token(&text(), "close"),
            // The server reads no bodies, so it cannot find the next request after one.
            "transfer-encoding" => request.close = true,
            "content-length" => request.close |= text() != "0",
            "range" => {
                ranges += 1;
                request.range = (ranges == 1).then(text);
            }
            "if-range" => request.if_range = Some(text()),
            "if-match" => request.if_match.push(text()),
            "if-none-match" => request.if_none_match.push(text()),
            "user-agent" => request.agent = Some(text()),
            _ => {}
        }
    }
    // RFC 9112, section 3.2
    if hosts > 1 || hosts == 0 && !is_old {
        return refused(400, format!("the request has {hosts} Host fields, and one is expected"));
    }
    Ok(Some((request, length)))
}

/// The path of a request target, which is `/path?query` or `http://host/path?query` (RFC 9112, section 3.2).
fn path_of(target: &str) -> &str {
    let absolute = target.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://"));
    let path = match absolute.and_then(|scheme| target.get(scheme.len()..)) {
        Some(rest) => rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/"),
        None => target,
    };
    path.split(['?', '#']).next().unwrap_or_default()
}

fn has_token(list: &str, token: &str) -> bool {
    list.split(',').any(|item| item.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(target: &str, fields: &str) -> Result<Option<(Request, usize)>, Refused> {
        parse(format!("GET {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n").as_bytes())
    }

    #[test]
    fn targets() {
        for (target, path) in [
            ("/a", "/a"),
            ("/a?b=/c", "/a"),
            ("/a%3Fb", "/a%3Fb"),
            ("http://host:80/a/b?c", "/a/b"),
            ("HTTP://host", "/"),
            ("//a", "//a"),
            ("*", "*"),
        ] {
            let (request, _) = get(target, "").expect("well-formed").expect("whole");
            assert_eq!(request.path, path, "{target}");
        }
    }

    #[test]
    fn fields() {
        let text = "range:  bytes=1-2 \r\nIF-RANGE: \"x\"\r\nIf-None-Match: \"a\"\r\nIf-None-Match: *\r\nUser-Agent: iPXE/1\r\n";
        let (request, length) = get("/a", text).expect("well-formed").expect("whole");
        assert_eq!(length, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n".len() + text.len());
        assert_eq!(request.range.as_deref(), Some("bytes=1-2"));
        assert_eq!(request.if_range.as_deref(), Some("\"x\""));
        assert_eq!(request.if_none_match, ["\"a\"", "*"]);
        assert_eq!(request.agent.as_deref(), Some("iPXE/1"));
        assert!(!request.close);
        let close = |fields: &str| get("/a", fields).expect("well-formed").expect("whole").0.close;
        assert!(close("Connection: keep-alive, Close\r\n"));
        assert!(!close("Connection: keep-alive\r\n"));
        assert!(close("Content-Length: 5\r\n") && !close("Content-Length: 0\r\n"));
        assert!(close("Transfer-Encoding: chunked\r\n"));
        let two =
            get("/a", "Range: bytes=1-2\r\nRange: bytes=3-4\r\n").expect("well-formed").expect("whole").0;
        assert_eq!(two.range, None, "two ranges are ignored");
        let old = parse(b"GET /a HTTP/1.0\r\n\r\n").expect("well-formed").expect("whole").0;
        assert!(old.close);
    }

    #[test]
    fn what_is_refused() {
        let many = "A: b\r\n".repeat(FIELDS);
        let long = format!("GET /{}", "a".repeat(HEAD));
        let table: [(&[u8], u16); 8] = [
            (b"GET /a HTTP/1.1\r\n\r\n", 400),
            (b"GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            (b"GET /a HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            (b"GET\r\n\r\n", 400),
            (b"\x16\x03\x01\x02\x00\x01", 400),
            (b"GET /a HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400),
            (&[b"GET /a HTTP/1.1\r\nHost: a\r\n", many.as_bytes(), b"\r\n"].concat(), 431),
            (long.as_bytes(), 431),
        ];
        for (bytes, status) in table {
            let name = String::from_utf8_lossy(bytes).chars().take(60).collect::<String>();
            assert_eq!(parse(bytes).map_err(|refused| refused.status), Err(status), "{name:?}");
        }
        assert_eq!(parse(b"GET /a HTTP/1.1\r\nHo"), Ok(None));
        assert_eq!(parse(b""), Ok(None));
    }
}
