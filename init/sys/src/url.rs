//! HTTP(S) requests with time-outs on every phase.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// A request's method (RFC 9110 §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Redirects are followed: 301, 302, 303, 307, 308.
    Get,
    /// Redirects are sent the same again, but for 303, which is an answer: a server that moves everything to https means
    /// that (RFC 9110 §15.4 allows it for 301 and 302).
    Post,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is done.
    pub method: Method,
    /// `http://` or `https://`.
    pub url: String,
    /// More headers, by name and value. A server that a redirect leads to gets them as well: they hold no secret.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent with it.
    pub body: Vec<u8>,
    /// Skip this many bytes (RFC 9110 §14), only if the entity still has the tag.
    pub resume: Option<(u64, String)>,
    /// How long it may take.
    pub limits: Limits,
    /// Who signs servers.
    pub authorities: Authorities,
    /// Who asks, for a server that wants a certificate; a server that a redirect leads to does not see it.
    pub identity: Option<Identity>,
}

impl Request {
    /// A GET.
    pub fn get(url: impl Into<String>, limits: Limits, authorities: Authorities) -> Self {
        Self {
            method: Method::Get,
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            resume: None,
            limits,
            authorities,
            identity: None,
        }
    }

    /// A POST of a body of this media type.
    pub fn post(
        url: impl Into<String>,
        media_type: &str,
        body: Vec<u8>,
        limits: Limits,
        authorities: Authorities,
    ) -> Self {
        let headers = vec![("content-type", media_type.to_owned())];
        Self { method: Method::Post, headers, body, ..Self::get(url, limits, authorities) }
    }
}

/// How long the parts of an exchange may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For look-up, connection and TLS handshake, in sum, with each server that a redirect leads to.
    pub connect: Duration,
    /// The longest silence while the head or the body comes. The head of the last answer has to be there `connect` and
    /// `stall` after the start, redirects included.
    pub stall: Duration,
    /// The least rate of the body in bytes a second, over twice `stall`. Without one (0) it is a byte in that time.
    pub floor: u64,
    /// For all of it, with the body; a body may take as long as it moves where there is none.
    pub within: Option<Duration>,
}

impl Limits {
    /// All of it within this time, and no other limit.
    pub fn within(time: Duration) -> Self {
        Self { connect: time, stall: time, floor: 0, within: Some(time) }
    }
}

/// Certificates that sign servers, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorities {
    /// Of a file.
    File(PathBuf),
    /// These.
    Pem(Vec<u8>),
}

impl fmt::Display for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Authorities::File(path) => path.display().fmt(f),
            Authorities::Pem(_) => f.write_str("the certificates that were given"),
        }
    }
}

/// The certificate that a client shows, and its key. The key is in no message.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate and those that sign it, in PEM.
    pub certificates: Vec<u8>,
    /// The private key, in PEM: PKCS#8, PKCS#1 or SEC1.
    pub key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

/// The start of an answer.
pub struct Response {
    /// 200, 206, 404 …
    pub status: u16,
    /// The status line's words, as the server sent them or as RFC 9110 names them.
    pub reason: String,
    /// Bytes that the body will have.
    pub length: Option<u64>,
    /// For a later [`Request::resume`]: a strong ETag; where there is no ETag, Last-Modified.
    pub tag: Option<String>,
    /// The body; a silence longer than the request's `stall`, or less than its `floor`, is `ErrorKind::TimedOut`, an end before `length` is
    /// `ErrorKind::UnexpectedEof`.
    pub body: Box<dyn Read + Send>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("length", &self.length)
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}
