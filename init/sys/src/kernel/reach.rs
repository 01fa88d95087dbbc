//! Whether a server can be reached through one interface: a TCP connection, see tcp(7).

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Tried;
use super::sockets::connect_through;
use super::targets::targets;
use crate::{Cause, Family, Reach, Result, SysError};

pub(super) fn reach(server: &Reach<'_>, index: u32, limit: Duration) -> Result<()> {
    let deadline = Instant::now() + limit;
    let mut failed = None;
    let all = targets(server.host, server.port, server.resolver, index, Some(server.family), limit)?;
    for (at, target) in all.iter().copied().enumerate() {
        // Each may take half of the time that is left, the last one all of it.
        let left = deadline.saturating_duration_since(Instant::now());
        let share = if at + 1 == all.len() { left } else { left / 2 };
        match open(index, target, Instant::now() + share) {
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

fn open(index: u32, target: SocketAddr, deadline: Instant) -> Result<()> {
    let (operation, subject) = ("connect to", target.to_string());
    let started = Instant::now();
    match connect_through(index, target, deadline) {
        Err(error) if error.kind() == ErrorKind::TimedOut => {
            let words = format!("no answer within {:.1} s", started.elapsed().as_secs_f64());
            Err(SysError::new(operation, subject, Cause::TimedOut, words))
        }
        connected => connected.map(drop).tried(operation, subject),
    }
}
