//! HTTP(S) with ureq. Each request to a server is one connection; redirects are followed under the same time limits.

mod answers;
mod body;
mod lookup;
mod names;
mod over_tcp;
mod watch;
mod wire;
mod words;

use std::sync::Arc;

use dayfly_formats::location;
use dayfly_formats::scoped;
use ureq::config::Config;
use ureq::http::{HeaderMap, Uri, header};
use ureq::unversioned::transport::Connector;
use ureq::{Agent, Body as Answered};

use self::answers::Answers;
use self::body::Body;
pub(super) use self::lookup::{Scope, look_up};
use self::names::{Names, Peer};
use self::watch::Watch;
use self::wire::Tcp;
use crate::{Cause, Method, Request, Response, Result, SysError};

const REDIRECTS: u32 = 5;
/// Values of Content-Encoding that mean unencoded bytes. Object stores return the value given at upload, which is often
/// not an encoding of HTTP.
const NO_ENCODING: [&str; 10] =
    ["", "identity", "binary", "none", "null", "aws-chunked", "utf-8", "utf8", "us-ascii", "iso-8859-1"];

pub(super) fn send(request: &Request, clock: u64) -> Result<Response> {
    let exchange = Exchange::start(request, clock);
    let answer = exchange.follow()?;
    exchange.watch.has_head();

    let refuse = |words| Err(SysError::new("open", &*request.url, Cause::Protocol, words));
    let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let status = answer.status();
    if let Err(words) = check_range(status.as_u16(), text(header::CONTENT_RANGE), request.resume.as_ref()) {
        return refuse(words);
    }
    if request.method == Method::Get
        && let Some(encoding) = encoding(answer.headers())
    {
        return refuse(format!(
            "the server sent it with Content-Encoding: {encoding}, which was not requested; disable that on the server"
        ));
    }
    let tag = match text(header::ETAG) {
        Some(tag) => (!tag.starts_with("W/")).then_some(tag),
        // A file that was modified in the same second as the response may change again within that second (RFC 9110
        // section 13.1.5).
        None => text(header::LAST_MODIFIED).filter(|modified| text(header::DATE) != Some(modified)),
    };
    let tag = tag.map(str::to_owned);
    let reason = status.canonical_reason().unwrap_or("no reason given").to_owned();
    let body = answer.into_body();
    let length = body.content_length();
    let body = Body {
        inner: body.into_reader(),
        peer: exchange.peer.name(),
        watch: exchange.watch,
        received: 0,
        length,
    };
    Ok(Response { status: status.as_u16(), reason, length, tag, body: Box::new(body) })
}

/// A request, and the clock for all of its parts.
struct Exchange<'a> {
    request: &'a Request,
    watch: Arc<Watch>,
    peer: Peer,
    clock: u64,
}

type Answer = ureq::http::Response<Answered>;

impl<'a> Exchange<'a> {
    fn start(request: &'a Request, clock: u64) -> Self {
        Self { request, watch: Arc::new(Watch::start(request.limits)), peer: Peer::default(), clock }
    }

    /// Returns the response after all redirects. Each server gets its own connection under the rules of its own URL.
    /// The body of a redirect is not read, and the library's own handling of `Location` is not used.
    fn follow(&self) -> Result<Answer> {
        let mut url = self.request.url.clone();
        let mut interface = None;
        for _ in 0..=REDIRECTS {
            let answer = self.ask(&url, &mut interface)?;
            let status = answer.status().as_u16();
            let is_redirect = match self.request.method {
                Method::Get => matches!(status, 301 | 302 | 303 | 307 | 308),
                Method::Post => matches!(status, 301 | 302 | 307 | 308),
            };
            if !is_redirect {
                return Ok(answer);
            }
            url = self.next(&url, status, answer.headers())?;
            self.watch.next_server();
        }
        Err(self
            .refuse(Cause::Protocol, format!("{} redirects more than {REDIRECTS} times", self.peer.name())))
    }

    /// Sends the request to a URL's server. A link-local server is reached by the interface in the URL's zone, which the server does not
    /// get (RFC 6874 4). A redirect to a link-local address stays on the same link; the server cannot choose another one.
    fn ask(&self, url: &str, interface: &mut Option<String>) -> Result<Answer> {
        if url == self.request.url
            && let Some((_, zone, _)) = scoped::split_url(url)
        {
            *interface = Some(zone.to_owned());
        }
        let uri: Uri = scoped::without_zone(url).parse().map_err(|error| {
            let shown = if url == self.request.url { String::new() } else { format!("{url}: ") };
            self.refuse(Cause::Unsupported, format!("{shown}{error}; expected http://host[:port]/path"))
        })?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_link_local = host.parse().is_ok_and(scoped::is_link_local);
        let interface = interface.clone().filter(|_| is_link_local);
        let via = self.request.via.clone();
        let names = Names { peer: self.peer.clone(), watch: Arc::clone(&self.watch), interface, via };
        let connector = ().chain(Tcp { watch: Arc::clone(&self.watch), via: self.request.via.clone() });
        #[cfg(feature = "https")]
        let connector = connector.chain(ureq::unversioned::transport::RustlsConnector::default());
        let connector = connector.chain(Answers(Arc::clone(&self.watch)));
        let agent = Agent::with_parts(self.config(url, &uri)?, connector, names);
        self.request_of(&agent, uri)
            .map_err(|error| words::failed(self.request, &self.watch, &self.peer.name(), &error, self.clock))
    }

    fn request_of(&self, agent: &Agent, uri: Uri) -> std::result::Result<Answer, ureq::Error> {
        match self.request.method {
            Method::Get => {
                let mut get = agent.get(uri).header(header::ACCEPT_ENCODING, "identity");
                if let Some((offset, tag)) = &self.request.resume {
                    get = get.header(header::RANGE, format!("bytes={offset}-")).header(header::IF_RANGE, tag);
                }
                self.with_headers(get).call()
            }
            Method::Post => self.with_headers(agent.post(uri)).send(&*self.request.body),
        }
    }

    fn with_headers<B>(&self, builder: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        self.request.headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, value))
    }

    /// The target of a redirect.
    fn next(&self, url: &str, status: u16, headers: &HeaderMap) -> Result<String> {
        let peer = self.peer.name();
        let Some(location) = headers.get_all(header::LOCATION).into_iter().next_back() else {
            return Err(
                self.refuse(Cause::Protocol, format!("{peer} redirects ({status}) without a Location"))
            );
        };
        let next = location::follow(url, location.as_bytes())
            .map_err(|misled| self.refuse(Cause::Protocol, format!("{peer} redirects to {misled}")))?;
        let is_secure =
            |url: &str| url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
        // A redirect must not change from https to http.
        if is_secure(url) && !is_secure(&next) {
            let words = format!("{peer} redirects from https to {next}, which is not protected");
            return Err(self.refuse(Cause::Tls, words));
        }
        Ok(next)
    }

    fn config(&self, url: &str, uri: &Uri) -> Result<Config> {
        let builder = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Do not use proxy variables: the environment of process 1 comes from the kernel command line.
            .proxy(None)
            // Connections are not reused.
            .max_idle_connections(0)
            .user_agent(concat!("dayfly/", env!("CARGO_PKG_VERSION")));
        if uri.scheme_str() != Some("https") {
            return Ok(builder.build());
        }
        #[cfg(feature = "https")]
        {
            // The client certificate is only for the server of the URL.
            let named: Option<Uri> = scoped::without_zone(&self.request.url).parse().ok();
            let is_named = named.is_some_and(|named| named.authority() == uri.authority());
            let _ = url;
            Ok(builder.tls_config(super::trust::config(self.request, is_named)?).build())
        }
        #[cfg(not(feature = "https"))]
        {
            let from = if url == self.request.url {
                String::new()
            } else {
                format!("it is redirected to {url}, and ")
            };
            let words = format!(
                "{from}this build of dayfly has no HTTPS (--no-default-features); use the build that has it, which is the default, or http:// with a pinned sha256"
            );
            Err(self.refuse(Cause::Unsupported, words))
        }
    }

    fn refuse(&self, cause: Cause, words: String) -> SysError {
        SysError::new("open", &*self.request.url, cause, words)
    }
}

/// The first encoding that changes the bytes.
fn encoding(headers: &HeaderMap) -> Option<String> {
    headers.get_all(header::CONTENT_ENCODING).into_iter().find_map(|value| {
        let names = String::from_utf8_lossy(value.as_bytes());
        let changes = |name: &str| !NO_ENCODING.iter().any(|none| none.eq_ignore_ascii_case(name));
        names.split(',').map(str::trim).find(|name| changes(name)).map(str::to_owned)
    })
}

/// Checks that a 206 is the requested part (RFC 9110 §15.3.7).
fn check_range(
    status: u16,
    content_range: Option<&str>,
    resume: Option<&(u64, String)>,
) -> std::result::Result<(), String> {
    if status != 206 {
        return Ok(());
    }
    let Some((offset, _)) = resume else {
        return Err("the server sent a part (206), but the whole file was requested".to_owned());
    };
    let shown = content_range.unwrap_or("(none)");
    let start = content_range
        .and_then(|range| range.trim().strip_prefix("bytes"))
        .and_then(|range| range.trim_start().split('-').next()?.parse::<u64>().ok());
    if start == Some(*offset) {
        Ok(())
    } else {
        Err(format!("the server sent a part other than bytes {offset}-: Content-Range: {shown}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Authorities, Limits};

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

    #[test]
    fn encodings_that_change_nothing_are_told_from_compressions() {
        for (values, expected) in [
            (&[][..], None),
            (&[""], None),
            (&["identity"], None),
            (&["Identity"], None),
            (&["binary"], None),
            (&["aws-chunked"], None),
            (&["aws-chunked,"], None),
            (&["UTF-8"], None),
            (&["gzip"], Some("gzip")),
            (&["aws-chunked, gzip"], Some("gzip")),
            (&["identity", "zstd"], Some("zstd")),
            (&["br"], Some("br")),
            (&["something-new"], Some("something-new")),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_ENCODING, value.parse().unwrap());
            }
            assert_eq!(encoding(&headers).as_deref(), expected, "{values:?}");
        }
    }

    fn open_error(url: &str) -> SysError {
        let five = Duration::from_secs(5);
        let limits = Limits { connect: five, stall: five, floor: 0, within: None };
        let request = Request::get(url, limits, Authorities::File("/nowhere/ca.pem".into()));
        send(&request, 0).unwrap_err()
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
