//! Options of router advertisements that the kernel gives to programs: `RTNLGRP_ND_USEROPT`, see net/ipv6/ndisc.c.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use dayfly_formats::nd::UserMessage;
use netlink_packet_core::NetlinkBuffer;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recvfrom, socket_with};

use super::Tried;
use super::sockets::wait_readable;
use crate::{NdPort, Result};

const SUBJECT: &str = "netlink of the options of router advertisements";
/// bind(2) takes the groups as a mask; group 1 is its lowest bit.
const GROUP: u32 = 1 << (libc::RTNLGRP_ND_USEROPT - 1);
/// An option has at most 255 units of 8 bytes.
const MESSAGE: usize = 4096;

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
