//! HTTP(S) requests with time limits for every phase.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use crate::Family;

/// A request's method (RFC 9110 §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Follows redirects: 301, 302, 303, 307, 308.
    Get,
    /// Repeats the POST after a redirect, except after 303, which is the response itself. A server that redirects
    /// everything to https expects this (RFC 9110 §15.4 allows it for 301 and 302).
    Post,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// `http://` or `https://`.
    pub url: String,
    /// Additional headers, by name and value. They are also sent to the target of a redirect, so they must not contain
    /// a secret.
    pub headers: Vec<(&'static str, String)>,
    /// The request body.
    pub body: Vec<u8>,
    /// Skip this many bytes (RFC 9110 §14), only if the entity still has the tag.
    pub resume: Option<(u64, String)>,
    /// The time limits.
    pub limits: Limits,
    /// The certificate authorities for the server.
    pub authorities: Authorities,
    /// The client certificate, for a server that requires one. It is not sent to the target of a redirect.
    pub identity: Option<Identity>,
    /// The way to a server, if it is known. Other servers, such as the target of a redirect, are reached by the routes of all
    /// interfaces.
    pub via: Option<Via>,
}

/// The way by which a server was reached: the connections to it go through one interface, and its addresses of one IP version are
/// tried first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// The server's name or address, without brackets. All its ports are reached this way.
    pub host: String,
    /// The interface's index.
    pub interface: u32,
    /// The IP version.
    pub family: Family,
}

impl Via {
    /// Whether it is the way to this host, which may be in brackets.
    pub(crate) fn leads_to(&self, host: &str) -> bool {
        host.trim_matches(['[', ']']).eq_ignore_ascii_case(&self.host)
    }
}

impl Request {
    /// Makes a GET request.
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
            via: None,
        }
    }

    /// Makes a POST request with a body of this media type.
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

/// Time limits for the parts of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The total time for look-up, connection and TLS handshake, for each server including targets of redirects.
    pub connect: Duration,
    /// The longest time without data while the head or the body arrives. The head of the final response must be
    /// complete `connect` plus `stall` after the start, including redirects.
    pub stall: Duration,
    /// The minimum rate of the body in bytes per second, over twice `stall`. 0 means one byte in that time.
    pub floor: u64,
    /// The limit for the whole exchange with the body. Without it, a body may take any time while it makes progress.
    pub within: Option<Duration>,
}

impl Limits {
    /// A limit for the whole exchange and no others.
    pub fn within(time: Duration) -> Self {
        Self { connect: time, stall: time, floor: 0, within: Some(time) }
    }
}

/// The certificate authorities, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorities {
    /// From a file.
    File(PathBuf),
    /// These certificates.
    Pem(Vec<u8>),
}

impl fmt::Display for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Authorities::File(path) => path.display().fmt(f),
            Authorities::Pem(_) => f.write_str("the given certificates"),
        }
    }
}

/// The client certificate and its key. The key never appears in a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate and its chain, in PEM.
    pub certificates: Vec<u8>,
    /// The private key, in PEM: PKCS#8, PKCS#1 or SEC1.
    pub key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

/// The start of a response.
pub struct Response {
    /// 200, 206, 404 …
    pub status: u16,
    /// The reason phrase of the status line, as the server sent it or as in RFC 9110.
    pub reason: String,
    /// The length of the body in bytes.
    pub length: Option<u64>,
    /// For a later [`Request::resume`]: a strong ETag, or Last-Modified if there is no ETag.
    pub tag: Option<String>,
    /// The body. A read returns `ErrorKind::TimedOut` after a silence longer than the request's `stall` or at a rate
    /// below its `floor`, and `ErrorKind::UnexpectedEof` if the body ends before `length`.
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
