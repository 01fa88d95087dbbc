//! Whether a server can be reached through one interface: a TCP connection, see tcp(7).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use super::Tried;
use super::sockets::{bind_to_interface, wait_connected};
use super::targets::targets;
use crate::{Cause, Family, Reach, Result, SysError};

pub(super) fn reach(server: &Reach<'_>, index: u32, limit: Duration) -> Result<()> {
    let deadline = Instant::now() + limit;
    let mut failed = None;
    let all = targets(server.host, server.port, server.resolver, index, limit)?;
    for target in all.into_iter().filter(|target| Family::of(target.ip()) == server.family) {
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
