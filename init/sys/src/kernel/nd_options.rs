//! Options of router advertisements that the kernel gives to programs: `RTNLGRP_ND_USEROPT`, see net/ipv6/ndisc.c. And the question for
//! an advertisement.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use dayfly_formats::nd::UserMessage;
use netlink_packet_core::NetlinkBuffer;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::set_ipv6_multicast_hops;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, ipproto, recvfrom, sendto,
    socket_with,
};

use super::Tried;
use super::sockets::wait_readable;
use crate::{NdPort, Result};

const SUBJECT: &str = "netlink of the options of router advertisements";
/// bind(2) takes the groups as a mask; group 1 is its lowest bit.
const GROUP: u32 = 1 << (libc::RTNLGRP_ND_USEROPT - 1);
/// An option has at most 255 units of 8 bytes.
const MESSAGE: usize = 4096;

/// All routers of a link (RFC 4291 2.7.1).
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// A Router Solicitation (RFC 4861 4.1) without options. The kernel computes the checksum (RFC 3542 3.1).
const SOLICITATION: [u8; 8] = [133, 0, 0, 0, 0, 0, 0, 0];

/// Sends a Router Solicitation on an interface.
pub(super) fn solicit(index: u32) -> Result<()> {
    let subject = format!("interface {index}");
    let tried = "ask for a router advertisement on";
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET6, SocketType::RAW, flags, Some(ipproto::ICMPV6));
    let socket = socket.tried(tried, &subject)?;
    // RFC 4861 6.1.1: a packet that may have been forwarded is ignored.
    set_ipv6_multicast_hops(&socket, 255).tried(tried, &subject)?;
    let to = SocketAddrV6::new(ALL_ROUTERS, 0, 0, index);
    sendto(&socket, &SOLICITATION, SendFlags::empty(), &to).map(drop).tried(tried, &subject)
}

pub(super) struct Port {
    socket: OwnedFd,
}

impl Port {
    pub(super) fn open() -> Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // Protocol 0 is NETLINK_ROUTE.
        let socket =
            socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None).tried("open", SUBJECT)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUP)).tried("subscribe to", SUBJECT)?;
        Ok(Self { socket })
    }
}

impl NdPort for Port {
    fn receive(&mut self, limit: Duration) -> Result<Option<(u32, Vec<u8>)>> {
        let deadline = Instant::now() + limit;
        let mut buffer = [0; MESSAGE];
        loop {
            match recvfrom(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((count, _, sender)) => {
                    // Port 0 is the kernel; other processes can send to this socket too.
                    let from_kernel = sender
                        .and_then(|address| SocketAddrNetlink::try_from(address).ok())
                        .is_some_and(|address| address.pid() == 0);
                    let found = options(buffer.get(..count).unwrap_or_default()).filter(|_| from_kernel);
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Err(Errno::AGAIN) => {
                    if !wait_readable(&self.socket, deadline).tried("wait for", SUBJECT)? {
                        return Ok(None);
                    }
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno).tried("read", SUBJECT),
            }
        }
    }
}

/// The ifindex and the options of an `RTM_NEWNDUSEROPT` message about a router advertisement.
fn options(message: &[u8]) -> Option<(u32, Vec<u8>)> {
    let message = NetlinkBuffer::new_checked(message).ok()?;
    if message.message_type() != libc::RTM_NEWNDUSEROPT {
        return None;
    }
    let found = UserMessage::parse(message.payload()).ok()?;
    Some((found.interface, found.options.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message as the kernel builds it in ndisc_ra_useropt().
    fn message(kind: u16, icmp: u8, length: u16, option: &[u8]) -> Vec<u8> {
        let mut body = vec![libc::AF_INET6 as u8, 0];
        body.extend(length.to_ne_bytes());
        body.extend(7_i32.to_ne_bytes());
        body.extend([icmp, 0, 0, 0, 0, 0, 0, 0]);
        body.extend(option);
        // NDUSEROPT_SRCADDR.
        body.extend([20, 0, 1, 0]);
        body.extend(std::net::Ipv6Addr::LOCALHOST.octets());
        let mut message = (16 + body.len() as u32).to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(body);
        message
    }

    #[test]
    fn the_options_of_router_advertisements_are_taken() {
        let rdnss = [25, 1, 0, 0, 0, 0, 14, 16];
        let good = message(libc::RTM_NEWNDUSEROPT, 134, 8, &rdnss);
        assert_eq!(options(&good), Some((7, rdnss.to_vec())));
        assert_eq!(options(&message(libc::RTM_NEWNDUSEROPT, 136, 8, &rdnss)), None, "a neighbour's");
        assert_eq!(options(&message(libc::RTM_NEWLINK, 134, 8, &rdnss)), None, "another message");
        assert_eq!(
            options(&message(libc::RTM_NEWNDUSEROPT, 134, 99, &rdnss)),
            None,
            "longer than the message"
        );
        for end in 0..good.len() {
            assert_eq!(options(&good[..end]), None, "cut at {end}");
        }
    }
}
