use std::net::SocketAddr;
use std::time::Duration;

use dayfly_formats::resolv_conf::ResolvConf;

/// A datagram (UDP) that a server is to answer.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The server's name or address; an IPv6 address has no brackets.
    pub host: &'a str,
    /// Its UDP port.
    pub port: u16,
    /// How a name is resolved; `/etc/hosts` comes first.
    pub resolver: &'a ResolvConf,
    /// The payload.
    pub payload: &'a [u8],
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its payload.
    pub payload: Vec<u8>,
    /// The address that was asked and has answered.
    pub from: SocketAddr,
    /// The time from the question to the answer.
    pub took: Duration,
}
