//! HTTP(S) GET and POST with time-outs on every phase.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// A GET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `http://` or `https://`.
    pub url: String,
    /// Skip this many bytes (RFC 9110 §14), only if the entity still has the tag.
    pub resume: Option<(u64, String)>,
    /// For resolving, connecting and the TLS handshake, in sum, with each server that a redirect leads to.
    pub connect: Duration,
    /// The longest silence while the head or the body comes. The head of the last answer has to be there `connect` and
    /// `stall` after the start, redirects included.
    pub stall: Duration,
    /// The least rate of the body in bytes a second, over twice `stall`. Without one (0) it is a byte in that time.
    pub floor: u64,
    /// For all of it, with the body; a body may take as long as it moves where there is none.
    pub within: Option<Duration>,
    /// PEM certificates that sign servers.
    pub ca_bundle: PathBuf,
}

/// A POST (RFC 9110 §9.3.3) whose answer's body nobody reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// `http://` or `https://`.
    pub url: String,
    /// The body's media type.
    pub content_type: &'static str,
    /// What is sent.
    pub body: Vec<u8>,
    /// For all of it, from the look-up of the name to the answer's status.
    pub within: Duration,
    /// PEM certificates that sign servers.
    pub ca_bundle: PathBuf,
}

/// The start of an answer.
pub struct Response {
    /// 200, 206, 404 …
    pub status: u16,
    /// The status line's words, as the server sent them or as RFC 9110 names them.
    pub reason: String,
    /// Bytes that the body will have.
    pub length: Option<u64>,
    /// For a later [`Request::resume`]: a strong ETag, or Last-Modified.
    pub tag: Option<String>,
    /// The body; a silence longer than the request's `stall`, or less than its `floor`, is `ErrorKind::TimedOut`, an end before `length` is
    /// `ErrorKind::UnexpectedEof`.
    pub body: Box<dyn Read + Send>,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("length", &self.length)
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}
