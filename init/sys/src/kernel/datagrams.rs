//! UDP ports of DHCPv6, from the link-local address of an interface.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::{Duration, Instant};

use super::Tried;
use super::links;
use super::sockets::receive_datagram;
use crate::{Cause, DHCP6_SERVERS, DatagramPort, LinkAddress, Result, SysError};

/// The largest payload of a UDP datagram.
const PAYLOAD: usize = 65_527;

pub(super) struct Port {
    socket: UdpSocket,
    servers: SocketAddrV6,
    subject: String,
    buffer: Vec<u8>,
}

impl Port {
    pub(super) fn open(index: u32, port: u16) -> Result<Self> {
        let subject = format!("interface {index}");
        let operation = format!("open UDP port {port} on");
        let address = link_local(&links::addresses()?, index).map_err(|words| {
            SysError::new(&*operation, &*subject, Cause::Errno(libc::EADDRNOTAVAIL), words)
        })?;
        // The scope id of a link-local address binds the socket to that interface, as SO_BINDTODEVICE does.
        let socket =
            UdpSocket::bind(SocketAddrV6::new(address, port, 0, index)).tried(&operation, &subject)?;
        socket.set_nonblocking(true).tried(&operation, &subject)?;
        let mut servers = DHCP6_SERVERS;
        servers.set_scope_id(index);
        Ok(Self { socket, servers, subject, buffer: vec![0; PAYLOAD] })
    }
}

impl DatagramPort for Port {
    fn send(&mut self, payload: &[u8]) -> Result<()> {
        self.socket.send_to(payload, self.servers).map(drop).tried("send a datagram on", &self.subject)
    }

    fn receive(&mut self, limit: Duration) -> Result<Option<(Vec<u8>, SocketAddrV6)>> {
        let deadline = Instant::now() + limit;
        loop {
            match receive_datagram(&self.socket, &mut self.buffer, deadline, &self.subject)? {
                Some((payload, SocketAddr::V6(source))) => return Ok(Some((payload, source))),
                // The socket is bound to an IPv6 address and never receives this.
                Some((_, SocketAddr::V4(_))) => {}
                None => return Ok(None),
            }
        }
    }
}

/// The link-local address of an interface, or why there is none to use.
fn link_local(addresses: &[LinkAddress], index: u32) -> std::result::Result<Ipv6Addr, &'static str> {
    let mut words = "it has no IPv6 link-local address";
    for one in addresses.iter().filter(|one| one.index == index) {
        match one.address {
            std::net::IpAddr::V6(address) if address.is_unicast_link_local() => {
                if one.dad_failed {
                    words = "another host has its IPv6 link-local address";
                } else if one.tentative {
                    words =
                        "its IPv6 link-local address is tentative: duplicate address detection has not ended";
                } else {
                    return Ok(address);
                }
            }
            _ => {}
        }
    }
    Err(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_link_local_address_that_is_the_interfaces_own_is_used() {
        let one = |index, address: &str, tentative, dad_failed| LinkAddress {
            index,
            address: address.parse().unwrap(),
            prefix: 64,
            peer: None,
            scope_link: address.starts_with("fe80"),
            tentative,
            dad_failed,
            dynamic: false,
            preferred: None,
            valid: None,
        };
        let (good, other) = (one(2, "fe80::2", false, false), one(3, "fe80::3", false, false));
        let (global, ipv4) = (one(2, "2001:db8::2", false, false), one(2, "169.254.0.2", false, false));
        let (tentative, failed) = (one(2, "fe80::9", true, false), one(2, "fe80::8", true, true));
        let none = "it has no IPv6 link-local address";
        let waits = "its IPv6 link-local address is tentative: duplicate address detection has not ended";
        for (addresses, expected) in [
            (vec![], Err(none)),
            (vec![&other, &global, &ipv4], Err(none)),
            (vec![&tentative], Err(waits)),
            (vec![&failed], Err("another host has its IPv6 link-local address")),
            (vec![&failed, &tentative, &good, &other], Ok("fe80::2".parse().unwrap())),
        ] {
            let addresses: Vec<LinkAddress> = addresses.into_iter().cloned().collect();
            assert_eq!(link_local(&addresses, 2), expected, "{addresses:?}");
        }
    }
}
