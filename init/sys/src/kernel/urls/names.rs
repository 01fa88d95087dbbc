//! Looks the names of servers up.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::watch::Watch;

/// ureq's limit of addresses per host.
const ADDRESSES: usize = 16;

/// The host and port that is talked to now: after a redirect, it is not the one of the URL.
#[derive(Debug, Clone, Default)]
pub(super) struct Peer(Arc<Mutex<String>>);

impl Peer {
    pub fn name(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, name: &str) {
        name.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The resolver's words.
#[derive(Debug)]
pub(super) struct Unresolved(String);

impl std::fmt::Display for Unresolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unresolved {}

/// Looks names up with getaddrinfo(3), in a thread that is left behind when it takes too long; addresses need neither.
#[derive(Debug)]
pub(super) struct Names {
    pub peer: Peer,
    pub watch: Arc<Watch>,
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
        self.peer.set(&name);
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
        let unresolved = |words: String| ureq::Error::Other(Box::new(Unresolved(words)));
        let limit = self.watch.wait().unwrap_or_default();
        let (tell, hear) = sync_channel(1);
        let look = move || {
            let found = name.to_socket_addrs().map(Iterator::collect);
            // Nobody listens any more when the time is over.
            drop(tell.send(found));
        };
        std::thread::Builder::new().name("resolver".to_owned()).spawn(look)?;
        match hear.recv_timeout(limit) {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(unresolved(error.to_string())),
            Err(RecvTimeoutError::Timeout) => {
                Err(unresolved(format!("no name server answered in {:.0} s", limit.as_secs_f64())))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(unresolved("the look-up ended without an answer".to_owned()))
            }
        }
    }
}
