//! ARP packets on Ethernet, to find out whether another host has an address.
//!
//! Sources: RFC 826 (ARP), RFC 5227 (IPv4 address conflict detection).
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use std::fmt;
use std::net::Ipv4Addr;

use crate::mac::Mac;

/// Hardware type Ethernet, protocol IPv4, addresses of 6 and 4 bytes.
const HEADER: [u8; 6] = [0, 1, 8, 0, 6, 4];
const LENGTH: usize = 28;

/// An ARP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// Whether it answers a request.
    pub is_reply: bool,
    /// The hardware address of the sender.
    pub sender_mac: Mac,
    /// The address of the sender; 0.0.0.0 in a probe.
    pub sender: Ipv4Addr,
    /// The hardware address of the target; zero in a request.
    pub target_mac: Mac,
    /// The address that is asked for, or that of the host that asked.
    pub target: Ipv4Addr,
}

/// Why bytes are not an ARP packet for IPv4 on Ethernet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArpError {
    /// The number of bytes is too small.
    Short(usize),
    /// Other hardware, protocol or lengths of addresses.
    Header([u8; 6]),
    /// Neither a request nor a reply.
    Operation(u16),
}

impl fmt::Display for ArpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArpError::Short(bytes) => {
                write!(f, "ARP packet has {bytes} bytes; expected at least {LENGTH}")
            }
            ArpError::Header(header) => {
                write!(f, "ARP packet begins with {header:?}; expected {HEADER:?}, IPv4 on Ethernet")
            }
            ArpError::Operation(operation) => {
                write!(f, "ARP packet has the operation {operation}; expected 1 or 2")
            }
        }
    }
}

impl std::error::Error for ArpError {}

impl Arp {
    /// The question whether another host has an address (RFC 5227 2.1.1). It does not change the ARP caches of others.
    pub fn probe(mac: Mac, address: Ipv4Addr) -> Arp {
        Arp {
            is_reply: false,
            sender_mac: mac,
            sender: Ipv4Addr::UNSPECIFIED,
            target_mac: Mac([0; 6]),
            target: address,
        }
    }

    /// Reads a packet without its Ethernet header. Bytes after it are the frame's padding.
    pub fn parse(packet: &[u8]) -> Result<Arp, ArpError> {
        let short = ArpError::Short(packet.len());
        let mut rest = packet;
        let header = take(&mut rest).ok_or(short)?;
        if header != HEADER {
            return Err(ArpError::Header(header));
        }
        let is_reply = match take(&mut rest).map(u16::from_be_bytes).ok_or(short)? {
            1 => false,
            2 => true,
            other => return Err(ArpError::Operation(other)),
        };
        Ok(Arp {
            is_reply,
            sender_mac: Mac(take(&mut rest).ok_or(short)?),
            sender: take::<4>(&mut rest).ok_or(short)?.into(),
            target_mac: Mac(take(&mut rest).ok_or(short)?),
            target: take::<4>(&mut rest).ok_or(short)?.into(),
        })
    }

    /// Writes the packet without its Ethernet header.
    pub fn encode(&self) -> Vec<u8> {
        let operation = if self.is_reply { 2_u16 } else { 1 };
        let mut out = HEADER.to_vec();
        out.extend(operation.to_be_bytes());
        out.extend(self.sender_mac.0);
        out.extend(self.sender.octets());
        out.extend(self.target_mac.0);
        out.extend(self.target.octets());
        out
    }

    /// The other host that has `address`, if this packet says so (RFC 5227 2.1.1). `mac` is the own hardware address: a switch or
    /// a bond may send a host its own packets. A probe of another host is no sign: the address is in use here by then, and
    /// switches that track hosts send such probes for the addresses that they know.
    pub fn conflict(&self, mac: Mac, address: Ipv4Addr) -> Option<Mac> {
        (self.sender_mac != mac && self.sender == address).then_some(self.sender_mac)
    }
}

/// The next field of fixed size.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (field, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*field)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const OTHER: Mac = Mac([2, 0, 0, 0, 0, 9]);
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);

    #[test]
    fn a_probe_on_the_wire() {
        // RFC 826: hardware, protocol, lengths, operation, then sender and target.
        let bytes = [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 50];
        assert_eq!(Arp::probe(OWN, ADDRESS).encode(), bytes);
        let mut padded = bytes.to_vec();
        padded.resize(46, 0);
        assert_eq!(Arp::parse(&padded), Ok(Arp::probe(OWN, ADDRESS)));
    }

    #[test]
    fn who_has_the_address() {
        let router = Ipv4Addr::new(10, 0, 0, 1);
        let packet = |is_reply, sender_mac, sender, target| Arp {
            is_reply,
            sender_mac,
            sender,
            target_mac: Mac([0; 6]),
            target,
        };
        for (what, packet, expected) in [
            ("an answer", packet(true, OTHER, ADDRESS, Ipv4Addr::UNSPECIFIED), Some(OTHER)),
            ("an announcement", packet(false, OTHER, ADDRESS, ADDRESS), Some(OTHER)),
            ("a request of the other host", packet(false, OTHER, ADDRESS, router), Some(OTHER)),
            ("a probe, as switches send them", Arp::probe(OTHER, ADDRESS), None),
            ("its own probe", Arp::probe(OWN, ADDRESS), None),
            ("its own announcement", packet(false, OWN, ADDRESS, ADDRESS), None),
            ("the router asks for it", packet(false, OTHER, router, ADDRESS), None),
            ("the router answers it", packet(true, OTHER, router, ADDRESS), None),
            ("an answer from nowhere", packet(true, OTHER, Ipv4Addr::UNSPECIFIED, ADDRESS), None),
            ("a probe for another address", Arp::probe(OTHER, router), None),
        ] {
            assert_eq!(packet.conflict(OWN, ADDRESS), expected, "{what}");
            assert_eq!(Arp::parse(&packet.encode()), Ok(packet), "{what}");
        }
    }

    #[test]
    fn other_packets_are_named() {
        let good = Arp::probe(OWN, ADDRESS).encode();
        let edit = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        for (bytes, error) in [
            (vec![], "ARP packet has 0 bytes; expected at least 28"),
            (good[..27].to_vec(), "ARP packet has 27 bytes; expected at least 28"),
            (
                edit(1, 32),
                "ARP packet begins with [0, 32, 8, 0, 6, 4]; expected [0, 1, 8, 0, 6, 4], IPv4 on Ethernet",
            ),
            (edit(7, 8), "ARP packet has the operation 8; expected 1 or 2"),
        ] {
            assert_eq!(Arp::parse(&bytes).unwrap_err().to_string(), error);
        }
    }
}
