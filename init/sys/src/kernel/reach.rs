//! Whether a server can be reached through one interface: a TCP connection, see tcp(7).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use super::Tried;
use super::sockets::{bind_to_interface, wait_connected};
use crate::{Cause, Result, SysError};

pub(super) fn reach(target: SocketAddr, index: u32, limit: Duration) -> Result<()> {
    let operation = "connect to";
    let subject = format!("{target} through interface {index}");
    let deadline = Instant::now() + limit;
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
    let words = format!("no answer within {} ms", limit.as_millis());
    Err(SysError::new(operation, subject, Cause::TimedOut, words))
}
