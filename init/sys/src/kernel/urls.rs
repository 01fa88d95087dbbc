//! HTTP(S) over ureq.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::config::Config;
use ureq::http::{Uri, header};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Timeout};

use crate::{Cause, Post, Request, Response, Result, SysError};

const REDIRECTS: u32 = 5;
/// ureq's limit of addresses per host.
const ADDRESSES: usize = 16;

/// The host and port that is talked to now: after a redirect, it is not the one of the URL.
type Peer = Arc<Mutex<String>>;

fn peer_name(peer: &Peer) -> String {
    peer.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

pub(super) fn open(request: &Request, clock: u64) -> Result<Response> {
    let uri: Uri = request.url.parse().map_err(|error| {
        let words = format!("{error}; expected http://host[:port]/path");
        SysError::new("open", &*request.url, Cause::Unsupported, words)
    })?;
    let peer = Peer::default();
    let agent = Agent::with_parts(
        config(request, &uri)?,
        DefaultConnector::new(),
        Names { peer: Arc::clone(&peer), limit: request.connect },
    );
    let mut get = agent.get(uri).header(header::ACCEPT_ENCODING, "identity");
    if let Some((offset, tag)) = &request.resume {
        get = get.header(header::RANGE, format!("bytes={offset}-")).header(header::IF_RANGE, tag);
    }
    let answer = get.call().map_err(|error| failed(request, &peer_name(&peer), &error, clock))?;

    let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let status = answer.status();
    if let Err(words) = check_range(status.as_u16(), text(header::CONTENT_RANGE), request.resume.as_ref()) {
        return Err(SysError::new("open", &*request.url, Cause::Protocol, words));
    }
    if let Some(encoding) = text(header::CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
        let words = format!(
            "the server sent it with Content-Encoding: {encoding}, which was not asked for; switch that off"
        );
        return Err(SysError::new("open", &*request.url, Cause::Protocol, words));
    }
    let tag = text(header::ETAG)
        .filter(|tag| !tag.starts_with("W/"))
        .or_else(|| text(header::LAST_MODIFIED))
        .map(str::to_owned);
    let reason = status.canonical_reason().unwrap_or("no reason given").to_owned();
    let body = answer.into_body();
    let length = body.content_length();
    let body =
        Body { inner: body.into_reader(), peer: peer_name(&peer), stall: request.stall, received: 0, length };
    Ok(Response { status: status.as_u16(), reason, length, tag, body: Box::new(body) })
}

/// Sends a POST.
pub(super) fn post(post: &Post, clock: u64) -> Result<u16> {
    // The bounds of each phase are those of the whole.
    let request = Request {
        url: post.url.clone(),
        resume: None,
        connect: post.within,
        stall: post.within,
        ca_bundle: post.ca_bundle.clone(),
    };
    let uri: Uri = post.url.parse().map_err(|error| {
        let words = format!("{error}; expected http://host[:port]/path");
        SysError::new("post to", &*post.url, Cause::Unsupported, words)
    })?;
    let peer = Peer::default();
    let names = Names { peer: Arc::clone(&peer), limit: post.within };
    let agent = Agent::with_parts(config(&request, &uri)?, DefaultConnector::new(), names);
    let answer = agent
        .post(uri)
        .config()
        .timeout_global(Some(post.within))
        // RFC 9110 §15.4: a redirected POST may become a GET on the way; the sender is told instead.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .build()
        .content_type(post.content_type)
        .send(&*post.body)
        .map_err(|error| failed(&request, &peer_name(&peer), &error, clock))?;
    Ok(answer.status().as_u16())
}

fn config(request: &Request, uri: &Uri) -> Result<Config> {
    let secure = uri.scheme_str() == Some("https");
    let builder = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(REDIRECTS)
        // A redirect may not take the protection away.
        .https_only(secure)
        // The environment of process 1 is the kernel command line's left-overs.
        .proxy(None)
        .user_agent(concat!("dayfly/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(request.connect))
        .timeout_connect(Some(request.connect))
        .timeout_send_request(Some(request.stall))
        // The stall detector: for each read of the socket, in the head and in the body, where recv_response and
        // recv_body are for the whole of it (ureq 3.5, timings.rs).
        .timeout_per_read(Some(request.stall))
        .timeout_per_write(Some(request.stall));
    #[cfg(feature = "https")]
    if secure {
        return Ok(builder.tls_config(super::trust::config(request)?).build());
    }
    #[cfg(not(feature = "https"))]
    if secure {
        let words =
            "this build of dayfly has no HTTPS; use http:// with a pinned sha256, or the build with HTTPS";
        return Err(SysError::new("open", &*request.url, Cause::Unsupported, words));
    }
    Ok(builder.build())
}

/// Whether a 206 is the part that was asked for (RFC 9110 §15.3.7).
fn check_range(
    status: u16,
    content_range: Option<&str>,
    resume: Option<&(u64, String)>,
) -> std::result::Result<(), String> {
    if status != 206 {
        return Ok(());
    }
    let Some((offset, _)) = resume else {
        return Err("the server sent a part (206) where the whole was asked for".to_owned());
    };
    let shown = content_range.unwrap_or("(none)");
    let start = content_range
        .and_then(|range| range.trim().strip_prefix("bytes"))
        .and_then(|range| range.trim_start().split('-').next()?.parse::<u64>().ok());
    if start == Some(*offset) {
        Ok(())
    } else {
        Err(format!("the server sent another part than bytes {offset}-: Content-Range: {shown}"))
    }
}

fn failed(request: &Request, peer: &str, error: &ureq::Error, clock: u64) -> SysError {
    let seconds = |time: Duration| {
        format!("{:.3}", time.as_secs_f64()).trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let (connect, stall) = (seconds(request.connect), seconds(request.stall));
    let (cause, words) = match error {
        ureq::Error::Timeout(Timeout::Resolve) => {
            (Cause::Resolve, format!("no name server answered about {peer} in {connect} s"))
        }
        ureq::Error::Timeout(Timeout::Connect) => {
            (Cause::Connect, format!("no connection to {peer} in {connect} s"))
        }
        ureq::Error::Timeout(_) => (Cause::TimedOut, format!("nothing came from {peer} for {stall} s")),
        ureq::Error::HostNotFound => (Cause::Resolve, format!("{peer} has no address")),
        ureq::Error::Other(inner) if inner.is::<Unresolved>() => (Cause::Resolve, format!("{peer}: {inner}")),
        ureq::Error::Io(inner) => io_failed(request, peer, inner, clock),
        #[cfg(feature = "https")]
        ureq::Error::Rustls(inner) => (Cause::Tls, super::trust::words(request, peer, inner, clock)),
        ureq::Error::Tls(words) => (Cause::Tls, format!("{peer}: {words}")),
        ureq::Error::RequireHttpsOnly(url) => {
            (Cause::Tls, format!("{peer} redirects from https to {url}, which is not protected"))
        }
        ureq::Error::TooManyRedirects => {
            (Cause::Protocol, format!("{peer} redirects more than {REDIRECTS} times"))
        }
        ureq::Error::BadUri(words) => {
            (Cause::Unsupported, format!("{words}; expected http://host[:port]/path or https://…"))
        }
        other => (Cause::Protocol, format!("{peer}: {other}")),
    };
    SysError::new("open", &*request.url, cause, words)
}

#[cfg_attr(not(feature = "https"), allow(unused_variables))]
fn io_failed(request: &Request, peer: &str, error: &io::Error, clock: u64) -> (Cause, String) {
    #[cfg(feature = "https")]
    if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return (Cause::Tls, super::trust::words(request, peer, inner, clock));
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            (Cause::Protocol, format!("{peer} closed the connection before its answer was complete"))
        }
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::PermissionDenied => (Cause::Connect, format!("{peer}: {error}")),
        _ => (Cause::Protocol, format!("{peer}: {error}")),
    }
}

/// The resolver's words.
#[derive(Debug)]
struct Unresolved(String);

impl std::fmt::Display for Unresolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unresolved {}

/// Looks names up with getaddrinfo(3), in a thread that is left behind when it takes too long; addresses need neither.
#[derive(Debug)]
struct Names {
    peer: Peer,
    limit: Duration,
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> std::result::Result<ResolvedSocketAddrs, ureq::Error> {
        let default = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            other => {
                return Err(ureq::Error::BadUri(format!("unknown scheme {}", other.unwrap_or("(none)"))));
            }
        };
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| ureq::Error::BadUri("no host".to_owned()))?;
        let name = format!("{host}:{}", uri.port_u16().unwrap_or(default));
        self.peer.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&name);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, uri.port_u16().unwrap_or(default))],
            Err(_) => self.look_up(name)?,
        };
        let mut addresses = self.empty();
        for address in found.into_iter().take(ADDRESSES) {
            addresses.push(address);
        }
        if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addresses) }
    }
}

impl Names {
    fn look_up(&self, name: String) -> std::result::Result<Vec<SocketAddr>, ureq::Error> {
        let (tell, hear) = sync_channel(1);
        let look = move || {
            let found = name.to_socket_addrs().map(Iterator::collect);
            // Nobody listens any more when the time is over.
            drop(tell.send(found));
        };
        std::thread::Builder::new().name("resolver".to_owned()).spawn(look)?;
        match hear.recv_timeout(self.limit) {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(ureq::Error::Other(Box::new(Unresolved(error.to_string())))),
            Err(RecvTimeoutError::Timeout) => Err(ureq::Error::Timeout(Timeout::Resolve)),
            Err(RecvTimeoutError::Disconnected) => Err(ureq::Error::Other(Box::new(Unresolved(
                "the look-up ended without an answer".to_owned(),
            )))),
        }
    }
}

/// A body whose read errors say what happened in the terms of [`Response::body`].
struct Body {
    inner: ureq::BodyReader<'static>,
    peer: String,
    stall: Duration,
    received: u64,
    length: Option<u64>,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            // ureq checks the length; this is for the day that it does not.
            Ok(0) if !buffer.is_empty() && self.length.is_some_and(|length| self.received < length) => {
                Err(self.ended_early())
            }
            Ok(count) => {
                self.received += count as u64;
                Ok(count)
            }
            Err(error) => Err(self.told(error)),
        }
    }
}

impl Body {
    fn ended_early(&self) -> io::Error {
        let of = self.length.map_or_else(String::new, |length| format!(" of {length}"));
        let words = format!("{} closed the connection after {}{of} bytes", self.peer, self.received);
        io::Error::new(io::ErrorKind::UnexpectedEof, words)
    }

    fn told(&self, error: io::Error) -> io::Error {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
        let timed_out = matches!(inner, Some(ureq::Error::Timeout(_)))
            || matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock);
        if timed_out {
            let words = format!(
                "nothing came from {} for {:.1} s, after {} bytes",
                self.peer,
                self.stall.as_secs_f64(),
                self.received
            );
            return io::Error::new(io::ErrorKind::TimedOut, words);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted => self.ended_early(),
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_that_was_asked_for_is_taken() {
        let resume = Some((100, "\"tag\"".to_owned()));
        for (status, range, resume, ok) in [
            (200, None, None, true),
            (200, None, resume.as_ref(), true),
            (206, Some("bytes 100-199/200"), resume.as_ref(), true),
            (206, Some("bytes 100-199/*"), resume.as_ref(), true),
            (206, Some("bytes 0-199/200"), resume.as_ref(), false),
            (206, Some("bytes 1000-1999/2000"), resume.as_ref(), false),
            (206, Some("lines 100-199/200"), resume.as_ref(), false),
            (206, None, resume.as_ref(), false),
            (206, Some("bytes 100-199/200"), None, false),
        ] {
            assert_eq!(check_range(status, range, resume).is_ok(), ok, "{status} {range:?}");
        }
    }

    fn open_error(url: &str) -> SysError {
        let request = Request {
            url: url.to_owned(),
            resume: None,
            connect: Duration::from_secs(5),
            stall: Duration::from_secs(5),
            ca_bundle: "/nowhere/ca.pem".into(),
        };
        open(&request, 0).unwrap_err()
    }

    #[test]
    fn a_wrong_url_is_told_from_a_wrong_server() {
        for (url, cause, words) in [
            ("ftp://127.0.0.1/x", Cause::Unsupported, "unknown scheme"),
            ("/path/only", Cause::Unsupported, "expected http://host"),
            ("http://", Cause::Unsupported, "expected http://host"),
            ("http://127.0.0.1:1/x", Cause::Connect, "127.0.0.1:1: "),
            ("http://[::1]:1/x", Cause::Connect, "[::1]:1: "),
        ] {
            let error = open_error(url);
            assert_eq!(error.cause, cause, "{url}: {error}");
            assert!(error.words.contains(words), "{url}: {error}");
        }
    }

    #[cfg(feature = "https")]
    #[test]
    fn a_missing_ca_bundle_is_named() {
        let error = open_error("https://127.0.0.1:1/x");
        assert_eq!(error.cause, Cause::Tls);
        assert!(error.words.contains("/nowhere/ca.pem"), "{error}");
    }

    #[cfg(not(feature = "https"))]
    #[test]
    fn a_build_without_https_says_so() {
        assert_eq!(open_error("https://127.0.0.1:1/x").cause, Cause::Unsupported);
    }
}
