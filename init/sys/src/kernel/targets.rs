//! The socket addresses of a server that is reached through one interface.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use dayfly_formats::resolv_conf::ResolvConf;

use super::urls::{Scope, look_up};
use crate::{Cause, Family, Result, SysError};

/// The addresses of a host, with the port; only those of one IP version, if one is wanted. A name is resolved through the interface as
/// well, for `limit` at most.
pub(super) fn targets(
    host: &str,
    port: u16,
    resolver: &ResolvConf,
    index: u32,
    family: Option<Family>,
    limit: Duration,
) -> Result<Vec<SocketAddr>> {
    let scope = Scope { interface: Some(index), family };
    let all = match host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => look_up(host, resolver, scope, limit)
            .map_err(|words| SysError::new("resolve", host, Cause::Connect, words))?,
    };
    let target = |address| match address {
        // A link-local address is one of the interface's link.
        IpAddr::V6(v6) if v6.is_unicast_link_local() => SocketAddrV6::new(v6, port, 0, index).into(),
        _ => SocketAddr::new(address, port),
    };
    Ok(all.into_iter().filter(|address| scope.has(*address)).map(target).collect())
}
