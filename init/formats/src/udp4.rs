//! IPv4 and UDP headers for a packet socket (`AF_PACKET`, `SOCK_DGRAM`), where the kernel only adds and removes the
//! link header. DHCP needs this on an interface without an address.
//!
//! Sources: RFC 791 (IPv4), RFC 768 (UDP), RFC 1071 (checksum), packet(7).
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const UDP: u8 = 17;
const TIME_TO_LIVE: u8 = 64;
/// "More fragments" and the fragment's offset.
const FRAGMENT: u16 = 0x3fff;

/// The largest payload that fits one packet.
pub const PAYLOAD_MAX: usize = 65_535 - IP_HEADER - UDP_HEADER;

/// Whether to verify the UDP checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// Verify it. Zero means that the sender did not compute it (RFC 768).
    Verify,
    /// Do not verify it: the packet socket reports `TP_STATUS_CSUMNOTREADY` (auxiliary data, packet(7)), because the
    /// packet comes from this machine or its hypervisor (veth, virtio-net) and its checksum was never computed.
    Trust,
}

/// A UDP datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// The source address.
    pub src: SocketAddrV4,
    /// The destination address.
    pub dst: SocketAddrV4,
    /// The payload.
    pub payload: &'a [u8],
}

/// Why a packet is not a usable datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketError {
    /// The packet is shorter than the header or its length fields say: actual bytes, needed bytes.
    Short(usize, usize),
    /// An IP version other than 4.
    Version(u8),
    /// An IP header of fewer than 20 bytes.
    HeaderLength(u8),
    /// The IP header's checksum is wrong.
    IpChecksum,
    /// A protocol other than UDP (17).
    Protocol(u8),
    /// A part of a larger packet.
    Fragment,
    /// The UDP length is less than its header or more than the rest of the packet: stated length, maximum.
    UdpLength(u16, usize),
    /// The UDP checksum is wrong.
    UdpChecksum,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PacketError::Short(has, needs) => write!(f, "packet has {has} bytes; expected {needs}"),
            PacketError::Version(version) => write!(f, "packet has IP version {version}; expected 4"),
            PacketError::HeaderLength(words) => {
                write!(f, "IP header has a length of {words} words; expected 5 to 15")
            }
            PacketError::IpChecksum => f.write_str("IP header has a wrong checksum"),
            PacketError::Protocol(protocol) => write!(f, "packet has protocol {protocol}; expected 17, UDP"),
            PacketError::Fragment => f.write_str("packet is a fragment, and fragments are not reassembled"),
            PacketError::UdpLength(stated, most) => {
                write!(f, "UDP header has a length of {stated} bytes; expected 8 to {most}")
            }
            PacketError::UdpChecksum => f.write_str("UDP datagram has a wrong checksum"),
        }
    }
}

impl std::error::Error for PacketError {}

/// The packet for a datagram, from the IP header, with both checksums. A payload over [`PAYLOAD_MAX`] is cut.
pub fn encode(src: SocketAddrV4, dst: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let payload = payload.get(..PAYLOAD_MAX).unwrap_or(payload);
    // Both fit, because the payload has at most PAYLOAD_MAX bytes.
    let udp_length = u16::try_from(payload.len().saturating_add(UDP_HEADER)).unwrap_or(u16::MAX);
    let length = udp_length.saturating_add(IP_HEADER as u16);

    let mut packet = Vec::with_capacity(usize::from(length));
    packet.extend_from_slice(&[0x45, 0]);
    packet.extend_from_slice(&length.to_be_bytes());
    // The identification is 0, because the packet is never fragmented (RFC 6864): "don't fragment" is set.
    packet.extend_from_slice(&[0, 0, 0x40, 0, TIME_TO_LIVE, UDP, 0, 0]);
    packet.extend_from_slice(&src.ip().octets());
    packet.extend_from_slice(&dst.ip().octets());
    let checksum = fold(sum(0, &packet));
    put(&mut packet, 10, checksum);

    packet.extend_from_slice(&src.port().to_be_bytes());
    packet.extend_from_slice(&dst.port().to_be_bytes());
    packet.extend_from_slice(&udp_length.to_be_bytes());
    packet.extend_from_slice(&[0, 0]);
    packet.extend_from_slice(payload);
    let udp = packet.get(IP_HEADER..).unwrap_or_default();
    // 0 means "none", so a checksum of 0 is sent as 0xffff, the other zero of one's complement (RFC 768).
    let checksum = match fold(sum(pseudo_header(*src.ip(), *dst.ip(), udp_length), udp)) {
        0 => 0xffff,
        checksum => checksum,
    };
    put(&mut packet, IP_HEADER + 6, checksum);
    packet
}

/// Reads a packet from its IP header. IP options are skipped. Bytes after the packet (a short Ethernet frame is padded)
/// are not part of the payload.
pub fn parse(packet: &[u8], checksum: Checksum) -> Result<Datagram<'_>, PacketError> {
    let short = |needs| PacketError::Short(packet.len(), needs);
    let (&first, _) = packet.split_first().ok_or(short(IP_HEADER))?;
    if first >> 4 != 4 {
        return Err(PacketError::Version(first >> 4));
    }
    let words = first & 15;
    let header_length = usize::from(words).saturating_mul(4);
    if header_length < IP_HEADER {
        return Err(PacketError::HeaderLength(words));
    }
    let (header, _) = packet.split_at_checked(header_length).ok_or(short(header_length))?;
    let (fixed, _) = header.split_first_chunk::<IP_HEADER>().ok_or(short(IP_HEADER))?;
    let [_, _, l1, l2, _, _, f1, f2, _, protocol, _, _, addresses @ ..] = fixed;
    if fold(sum(0, header)) != 0 {
        return Err(PacketError::IpChecksum);
    }
    let total = usize::from(u16::from_be_bytes([*l1, *l2]));
    let packet = packet.get(..total).ok_or(short(total))?;
    if u16::from_be_bytes([*f1, *f2]) & FRAGMENT != 0 {
        return Err(PacketError::Fragment);
    }
    if *protocol != UDP {
        return Err(PacketError::Protocol(*protocol));
    }
    let [s1, s2, s3, s4, d1, d2, d3, d4] = *addresses;
    let (src, dst) = (Ipv4Addr::new(s1, s2, s3, s4), Ipv4Addr::new(d1, d2, d3, d4));

    let udp = packet.get(header_length..).unwrap_or_default();
    let (ports, _) = udp
        .split_first_chunk::<UDP_HEADER>()
        .ok_or(PacketError::Short(packet.len(), header_length.saturating_add(UDP_HEADER)))?;
    let [p1, p2, q1, q2, u1, u2, c1, c2] = *ports;
    let stated = u16::from_be_bytes([u1, u2]);
    let bad_length = PacketError::UdpLength(stated, udp.len());
    let udp = udp.get(..usize::from(stated)).ok_or(bad_length)?;
    let payload = udp.get(UDP_HEADER..).ok_or(bad_length)?;
    let made = u16::from_be_bytes([c1, c2]) != 0;
    if checksum == Checksum::Verify && made && fold(sum(pseudo_header(src, dst, stated), udp)) != 0 {
        return Err(PacketError::UdpChecksum);
    }
    Ok(Datagram {
        src: SocketAddrV4::new(src, u16::from_be_bytes([p1, p2])),
        dst: SocketAddrV4::new(dst, u16::from_be_bytes([q1, q2])),
        payload,
    })
}

/// The addresses, protocol and length that the UDP checksum covers besides the datagram.
fn pseudo_header(src: Ipv4Addr, dst: Ipv4Addr, udp_length: u16) -> u64 {
    let sum = sum(sum(0, &src.octets()), &dst.octets());
    sum.saturating_add(u64::from(UDP)).saturating_add(u64::from(udp_length))
}

/// Adds 16-bit big-endian words. The last byte of an odd count is a high byte. 64 bits cannot overflow within a packet.
fn sum(start: u64, bytes: &[u8]) -> u64 {
    bytes.chunks(2).fold(start, |sum, word| {
        let word = match word {
            [high, low] => u16::from_be_bytes([*high, *low]),
            [high] => u16::from_be_bytes([*high, 0]),
            _ => 0,
        };
        sum.saturating_add(u64::from(word))
    })
}

/// The checksum of a sum: the carries are added and the result is inverted (RFC 1071).
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff).saturating_add(sum >> 16);
    }
    !(sum as u16)
}

fn put(packet: &mut [u8], at: usize, value: u16) {
    for (slot, byte) in packet.iter_mut().skip(at).zip(value.to_be_bytes()) {
        *slot = byte;
    }
}

#[cfg(test)]
mod tests;
