//! Whether a server can be reached through one interface: a TCP connection, see tcp(7).

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use super::Tried;
use super::sockets::{bind_to_interface, wait_connected};
use super::urls::look_up;
use crate::{Cause, Family, Reach, Result, SysError};

pub(super) fn reach(server: &Reach<'_>, index: u32, limit: Duration) -> Result<()> {
    let deadline = Instant::now() + limit;
    let mut failed = None;
    for address in addresses(server, index, limit)? {
        let target = match address {
            // A link-local address is one of the interface's link.
            IpAddr::V6(v6) if v6.is_unicast_link_local() => {
                SocketAddrV6::new(v6, server.port, 0, index).into()
            }
            _ => SocketAddr::new(address, server.port),
        };
        match open(target, index, deadline) {
            Ok(()) => return Ok(()),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| {
        let family = match server.family {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        };
        SysError::new("connect to", server.host, Cause::Connect, format!("it has no {family} address"))
    }))
}

/// The server's addresses of this IP version.
fn addresses(server: &Reach<'_>, index: u32, limit: Duration) -> Result<Vec<IpAddr>> {
    let all = match server.host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => look_up(server.host, server.resolver, Some(index), limit)
            .map_err(|words| SysError::new("resolve", server.host, Cause::Connect, words))?,
    };
    Ok(all.into_iter().filter(|address| Family::of(*address) == server.family).collect())
}

fn open(target: SocketAddr, index: u32, deadline: Instant) -> Result<()> {
    let (operation, subject) = ("connect to", target.to_string());
    let started = Instant::now();
    let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None).tried(operation, &subject)?;
    bind_to_interface(&socket, index).tried(operation, &subject)?;
    match connect(&socket, &target) {
        // The kernel continues an interrupted connect(2) in the background.
        Err(Errno::INPROGRESS | Errno::INTR) => {}
        result => return result.tried(operation, &subject),
    }
    if wait_connected(&socket, deadline).tried(operation, &subject)? {
        return sockopt::socket_error(&socket).and_then(|outcome| outcome).tried(operation, &subject);
    }
    let words = format!("no answer within {:.1} s", started.elapsed().as_secs_f64());
    Err(SysError::new(operation, subject, Cause::TimedOut, words))
}
