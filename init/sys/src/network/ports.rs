//! Ports for DHCP, DHCPv6 and router advertisements.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use crate::Result;

/// A raw port on one interface: IPv4 packets to UDP port 68, before there is an address, or ARP packets.
pub trait PacketPort: Send {
    /// Sends a packet, from its IPv4 or ARP header on, to the link's broadcast address.
    fn send(&mut self, packet: &[u8]) -> Result<()>;
    /// The next packet, from its IPv4 or ARP header on, or `None` when `limit` has passed.
    /// The flag is true when its checksum is complete (not left to the NIC, `TP_STATUS_CSUMNOTREADY`).
    fn receive(&mut self, limit: Duration) -> Result<Option<(Vec<u8>, bool)>>;
}

/// The options of router advertisements that the kernel leaves to programs, such as DNS servers and search domains. Newer
/// kernels also give the prefixes, which they use themselves.
pub trait NdPort: Send {
    /// The ifindex of an interface that received a router advertisement, and options of it (RFC 4861 4.6: type, length in
    /// units of 8 bytes, value); `None` when `limit` has passed. The kernel gives the options of an advertisement one by one,
    /// and has checked their lengths. `ENOBUFS` if the socket's buffer was full and options were lost; the port works on.
    fn receive(&mut self, limit: Duration) -> Result<Option<(u32, Vec<u8>)>>;
}

/// A UDP port of DHCPv6 on one interface.
pub trait DatagramPort: Send {
    /// Sends a payload to all DHCPv6 servers and relays of the link, [`DHCP6_SERVERS`].
    fn send(&mut self, payload: &[u8]) -> Result<()>;
    /// The next payload and its sender; `None` when `limit` has passed.
    fn receive(&mut self, limit: Duration) -> Result<Option<(Vec<u8>, SocketAddrV6)>>;
}

/// A UDP port on an interface that has an IPv4 address.
pub trait UdpPort: Send {
    /// Sends a payload to a server, or to all hosts of the link (255.255.255.255).
    fn send(&mut self, payload: &[u8], to: SocketAddrV4) -> Result<()>;
    /// The next payload; `None` when `limit` has passed.
    fn receive(&mut self, limit: Duration) -> Result<Option<Vec<u8>>>;
}

/// The DHCP ports of RFC 2131: client 68, server 67.
pub const DHCP_CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68);
/// The server's broadcast address.
pub const DHCP_SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::BROADCAST, 67);

/// The port of DHCPv6 clients (RFC 8415 7.2).
pub const DHCP6_CLIENT_PORT: u16 = 546;
/// The multicast address and port of all DHCPv6 servers and relays of a link (RFC 8415 7.1, 7.2), without the link's scope id.
pub const DHCP6_SERVERS: SocketAddrV6 =
    SocketAddrV6::new(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2), 547, 0, 0);
