//! The resolver that ureq calls.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use dayfly_formats::scoped::ScopedAddr;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::lookup::{Scope, look_up, resolver};
use super::watch::Watch;
use crate::Via;
use crate::kernel::sockets::scoped;

/// ureq's limit of addresses per host.
const ADDRESSES: usize = 16;

/// The host and port of the current server, which after a redirect is not that of the URL.
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

/// An error message of the resolver.
#[derive(Debug)]
pub(super) struct Unresolved(String);

impl std::fmt::Display for Unresolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unresolved {}

/// Resolves names. Addresses are used as they are.
#[derive(Debug)]
pub(super) struct Names {
    pub peer: Peer,
    pub watch: Arc<Watch>,
    /// The interface of a server with a link-local address.
    pub interface: Option<String>,
    /// The way to a server.
    pub via: Option<Via>,
}

impl Names {
    /// The addresses of a name: the ones that name servers give over the way to the server, if it is known. In another network, the name
    /// may not exist or have another address.
    fn look_up(&self, name: &str) -> std::result::Result<Vec<IpAddr>, String> {
        let (resolver, limit) = (resolver(), self.watch.wait().unwrap_or_default());
        if let Some(via) = self.via.as_ref().filter(|via| via.leads_to(name)) {
            let scope = Scope { interface: Some(via.interface), family: Some(via.family) };
            let found = look_up(name, &resolver, scope, limit / 2).unwrap_or_default();
            if !found.is_empty() {
                return Ok(found);
            }
        }
        look_up(name, &resolver, Scope::default(), self.watch.wait().unwrap_or_default())
    }
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
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(default);
        let host = match &self.interface {
            Some(interface) => format!("[{bare}%{interface}]"),
            None => host.to_owned(),
        };
        self.peer.set(&format!("{host}:{port}"));
        let unresolved = |words| ureq::Error::Other(Box::new(Unresolved(words)));
        let found: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
            Ok(address) => {
                let interface = self.interface.clone();
                vec![scoped(&ScopedAddr { address, interface }, port).map_err(unresolved)?]
            }
            Err(_) => self
                .look_up(bare)
                .map_err(unresolved)?
                .into_iter()
                .map(|address| SocketAddr::new(address, port))
                .collect(),
        };
        let mut addresses = self.empty();
        for address in found.into_iter().take(ADDRESSES) {
            addresses.push(address);
        }
        if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addresses) }
    }
}
