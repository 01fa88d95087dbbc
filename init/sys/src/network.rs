//! Types for interfaces, addresses, routes (rtnetlink(7)) and raw sockets (packet(7)).

use std::net::{IpAddr, SocketAddrV4};
use std::time::Duration;

use crate::Result;

/// The type of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKind {
    /// A real or virtual Ethernet NIC (ARPHRD_ETHER without rtnl link kind).
    Ethernet,
    /// `lo`.
    Loopback,
    /// A software device, with its rtnl kind (`veth`, `bridge`, `vlan` …) or empty.
    Virtual(String),
}

/// A network interface as the kernel reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// ifindex.
    pub index: u32,
    /// The current name.
    pub name: String,
    /// The type.
    pub kind: LinkKind,
    /// The hardware address, if it has 6 bytes.
    pub mac: Option<[u8; 6]>,
    /// `IFF_UP`.
    pub up: bool,
    /// `IFF_LOWER_UP`: the interface has a carrier.
    pub carrier: bool,
    /// Bytes.
    pub mtu: u32,
    /// The smallest MTU that the driver supports (`IFLA_MIN_MTU`); 0 if unknown.
    pub least_mtu: u32,
    /// The largest MTU (`IFLA_MAX_MTU`); 0 if unknown.
    pub most_mtu: u32,
    /// Alternative names (`IFLA_ALT_IFNAME`).
    pub other_names: Vec<String>,
}

impl Link {
    /// The MTU closest to `wanted` that the driver supports.
    pub fn nearest_mtu(&self, wanted: u32) -> u32 {
        let mtu = wanted.max(self.least_mtu);
        if self.most_mtu == 0 { mtu } else { mtu.min(self.most_mtu) }
    }
}

/// The origin of a route. The kernel stores it, and network managers use it later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteOrigin {
    /// A DHCP server (`RTPROT_DHCP`).
    Dhcp,
    /// A static configuration (`RTPROT_STATIC`).
    Static,
}

/// One change of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkChange {
    /// Sets `IFF_UP`.
    Up,
    /// Clears `IFF_UP`.
    Down,
    /// Bytes.
    Mtu(u32),
    /// Adds or refreshes an address.
    Address {
        /// The address.
        address: IpAddr,
        /// The prefix length.
        prefix: u8,
        /// The lifetime; `None` is infinite.
        valid: Option<Duration>,
    },
    /// Adds or replaces a route through this interface.
    Route {
        /// The network and its prefix length; `None` is the default route.
        destination: Option<(IpAddr, u8)>,
        /// The next hop; `None` if the destination is on the link.
        gateway: Option<IpAddr>,
        /// The metric; the lowest takes precedence.
        metric: u32,
        /// The next hop is on the link although no address of the interface covers it (`RTNH_F_ONLINK`).
        on_link: bool,
        /// The source address of packets on this route (`RTA_PREFSRC`); `None` lets the kernel choose.
        source: Option<IpAddr>,
        /// The origin.
        origin: RouteOrigin,
    },
    /// Removes all addresses and their routes.
    Flush,
}

/// A raw IPv4 socket on one interface: UDP datagrams before there is an address.
pub trait PacketPort: Send {
    /// Sends an IPv4 packet (header included) to the link's broadcast address.
    fn send(&mut self, packet: &[u8]) -> Result<()>;
    /// The next IPv4 packet (header included) to UDP port 68, or `None` after `limit`. The flag is true if the checksum
    /// is complete (not left to the NIC, `TP_STATUS_CSUMNOTREADY`).
    fn receive(&mut self, limit: Duration) -> Result<Option<(Vec<u8>, bool)>>;
}

/// The DHCP ports of RFC 2131: client 68, server 67.
pub const DHCP_CLIENT: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::UNSPECIFIED, 68);
/// The server's broadcast address.
pub const DHCP_SERVER: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::BROADCAST, 67);
