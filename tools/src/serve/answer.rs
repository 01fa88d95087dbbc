//! The answer to a request (RFC 9110).

use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use super::files::{Folder, Found, Refusal};
use super::range::{Part, part};
use super::request::{Refused, Request};

/// An answer, without the header fields that every answer has.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Header fields.
    pub fields: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
    /// An addition to the log line.
    pub note: String,
}

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// No body and no Content-Length: 304.
    None,
    /// A line of text for a person.
    Text(String),
    /// This many bytes of a file, from its current position.
    File(File, u64),
}

impl Body {
    /// How many bytes it has.
    pub fn length(&self) -> Option<u64> {
        match self {
            Body::None => None,
            Body::Text(text) => Some(text.len() as u64),
            Body::File(_, count) => Some(*count),
        }
    }
}

impl Answer {
    fn text(status: u16, text: &str, note: impl Into<String>) -> Self {
        Self { status, fields: Vec::new(), body: Body::Text(format!("{text}\n")), note: note.into() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// The answer to a request whose head is refused.
    pub fn refused(refused: &Refused) -> Self {
        Self::text(refused.status, &refused.reason, &refused.reason)
    }

    /// The answer to a client above the limit.
    pub fn busy() -> Self {
        Self::text(503, "too many clients, try again", "too many clients").with("Retry-After", "5")
    }
}

/// The answer to a request.
pub fn answer(request: &Request, folder: &Folder) -> Answer {
    if !["GET", "HEAD"].contains(&request.method.as_str()) {
        return Answer::text(405, "only GET and HEAD are answered here", "").with("Allow", "GET, HEAD");
    }
    match folder.find(&request.path) {
        Ok(found) => file(request, found).unwrap_or_else(|error| failed(&error)),
        Err(Refusal::Malformed) => Answer::text(400, "the path has .. or a zero byte", ""),
        Err(Refusal::Missing) => Answer::text(404, "there is no such file", ""),
        Err(Refusal::Forbidden) => {
            Answer::text(403, "this file cannot be read", "the kernel refuses to open it")
        }
        Err(Refusal::Outside) => Answer::text(
            403,
            "this file is outside of the folder",
            "a symbolic link is absolute or leads out of the folder; --follow-links allows that",
        ),
        Err(Refusal::Failed(error)) => failed(&error),
    }
}

fn failed(error: &io::Error) -> Answer {
    Answer::text(500, "the server cannot read this file", format!("cannot read it: {error}"))
}

fn file(request: &Request, found: Found) -> io::Result<Answer> {
    let Found { mut file, length, etag } = found;
    // In the order of RFC 9110, section 13.2.2. The server sends no Last-Modified and compares no dates (section 13.1.3 to 13.1.5).
    if !request.if_match.is_empty() && !has_tag(&request.if_match, &etag, Compare::Strong) {
        return Ok(Answer::text(412, "the file has changed", ""));
    }
    if has_tag(&request.if_none_match, &etag, Compare::Weak) {
        let unchanged = Answer { status: 304, fields: Vec::new(), body: Body::None, note: String::new() };
        return Ok(unchanged.with("ETag", etag));
    }
    // The client would join a part of the changed file to parts of the old one.
    let is_same = request.if_range.as_ref().is_none_or(|wanted| *wanted == etag);
    let range = request.range.as_deref().filter(|_| is_same && request.method == "GET");
    let (status, first, count, content_range) = match range.map_or(Part::Whole, |range| part(range, length)) {
        Part::Whole => (200, 0, length, None),
        Part::Bytes { first, last } => {
            (206, first, last - first + 1, Some(format!("bytes {first}-{last}/{length}")))
        }
        Part::Unsatisfiable => {
            let text = format!("the file has {length} bytes");
            return Ok(Answer::text(416, &text, "").with("Content-Range", format!("bytes */{length}")));
        }
    };
    file.seek(SeekFrom::Start(first))?;
    let note = content_range.clone().unwrap_or_default();
    let answer = Answer { status, fields: Vec::new(), body: Body::File(file, count), note };
    let answer = answer
        .with("Content-Type", "application/octet-stream")
        .with("Accept-Ranges", "bytes")
        .with("ETag", etag);
    Ok(match content_range {
        Some(range) => answer.with("Content-Range", range),
        None => answer,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Compare {
    Strong,
    Weak,
}

/// Whether one of the lists has the tag (RFC 9110, section 8.8.3.2), which has no comma in it.
fn has_tag(lists: &[String], etag: &str, compare: Compare) -> bool {
    lists.iter().flat_map(|list| list.split(',')).map(str::trim).any(|tag| {
        let tag = if compare == Compare::Weak { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
        tag == "*" || tag == etag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(answer: &Answer) -> (u16, Option<u64>, String) {
        let range = answer.fields.iter().find(|(name, _)| *name == "Content-Range");
        (answer.status, answer.body.length(), range.map(|(_, value)| value.clone()).unwrap_or_default())
    }

    #[test]
    fn conditions_and_ranges() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("a"), "0123456789").expect("a file");
        let folder = Folder::open(dir.path(), false).expect("opens");
        let etag = folder.find("/a").expect("is there").etag;
        let other = "\"other\"".to_owned();
        let weak = format!("W/{etag}");
        let some = |text: &str| Some(text.to_owned());
        let get = Request { method: "GET".into(), path: "/a".into(), ..Request::default() };
        let head = Request { method: "HEAD".into(), ..get.clone() };
        let ranged = Request { range: some("bytes=2-4"), ..get.clone() };
        let none = String::new;
        let table = [
            (get.clone(), (200, Some(10), none())),
            (head.clone(), (200, Some(10), none())),
            (ranged.clone(), (206, Some(3), "bytes 2-4/10".into())),
            // a range is for GET alone
            (Request { method: "HEAD".into(), ..ranged.clone() }, (200, Some(10), none())),
            (Request { range: some("bytes=10-"), ..get.clone() }, (416, Some(22), "bytes */10".into())),
            (Request { range: some("bytes=0-1,3-4"), ..get.clone() }, (200, Some(10), none())),
            (Request { if_range: some(&etag), ..ranged.clone() }, (206, Some(3), "bytes 2-4/10".into())),
            (Request { if_range: some(&other), ..ranged.clone() }, (200, Some(10), none())),
            (Request { if_range: some(&weak), ..ranged.clone() }, (200, Some(10), none())),
            (
                Request { if_range: some("Wed, 21 Oct 2015 07:28:00 GMT"), ..ranged.clone() },
                (200, Some(10), none()),
            ),
            (Request { if_match: vec![etag.clone()], ..get.clone() }, (200, Some(10), none())),
            (Request { if_match: vec!["*".into()], ..get.clone() }, (200, Some(10), none())),
            (Request { if_match: vec![other.clone()], ..get.clone() }, (412, Some(21), none())),
            (Request { if_match: vec![weak.clone()], ..get.clone() }, (412, Some(21), none())),
            (Request { if_none_match: vec![other.clone()], ..get.clone() }, (200, Some(10), none())),
            (Request { if_none_match: vec![format!("{other}, {weak}")], ..get.clone() }, (304, None, none())),
            (Request { if_none_match: vec![other, "*".into()], ..head }, (304, None, none())),
            (Request { method: "POST".into(), ..get.clone() }, (405, Some(36), none())),
            (Request { path: "/b".into(), ..get.clone() }, (404, Some(22), none())),
            (Request { path: "*".into(), ..get }, (404, Some(22), none())),
        ];
        for (request, expected) in table {
            assert_eq!(shown(&answer(&request, &folder)), expected, "{request:?}");
        }
    }
}
