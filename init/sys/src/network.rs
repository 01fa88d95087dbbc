//! Interfaces, addresses, routes (rtnetlink(7)) and raw ports (packet(7)).

use std::net::{IpAddr, SocketAddrV4};
use std::time::Duration;

use crate::Result;

/// What an interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKind {
    /// A real or virtual Ethernet NIC (ARPHRD_ETHER without rtnl link kind).
    Ethernet,
    /// `lo`.
    Loopback,
    /// A software device; its rtnl kind (`veth`, `bridge`, `vlan` …) or empty.
    Virtual(String),
}

/// A network interface as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// ifindex.
    pub index: u32,
    /// Its name now.
    pub name: String,
    /// What it is.
    pub kind: LinkKind,
    /// Its hardware address, where it has a 6-byte one.
    pub mac: Option<[u8; 6]>,
    /// `IFF_UP`.
    pub up: bool,
    /// `IFF_LOWER_UP`: a cable with somebody at the other end.
    pub carrier: bool,
    /// Bytes.
    pub mtu: u32,
    /// The least MTU that its driver takes (`IFLA_MIN_MTU`); 0 where the kernel does not say.
    pub least_mtu: u32,
    /// The largest (`IFLA_MAX_MTU`); 0 where the kernel does not say.
    pub most_mtu: u32,
    /// Other names by which it is known (`IFLA_ALT_IFNAME`).
    pub other_names: Vec<String>,
}

impl Link {
    /// The MTU closest to this one that its driver takes.
    pub fn nearest_mtu(&self, wanted: u32) -> u32 {
        let mtu = wanted.max(self.least_mtu);
        if self.most_mtu == 0 { mtu } else { mtu.min(self.most_mtu) }
    }
}

/// Where a route comes from. The kernel keeps it, and what manages the network later goes by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteOrigin {
    /// A DHCP server (`RTPROT_DHCP`).
    Dhcp,
    /// Somebody who configured it (`RTPROT_STATIC`).
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
        /// Bits of its network.
        prefix: u8,
        /// How long it is valid; `None` is for ever.
        valid: Option<Duration>,
    },
    /// Adds or replaces a route through this interface.
    Route {
        /// Network and its bits; `None` is the default route.
        destination: Option<(IpAddr, u8)>,
        /// The next hop; `None` is on the link.
        gateway: Option<IpAddr>,
        /// Lower wins.
        metric: u32,
        /// The next hop is on the link though no address says so (`RTNH_F_ONLINK`).
        on_link: bool,
        /// The address that packets by this route leave from (`RTA_PREFSRC`), where the kernel is not to choose.
        source: Option<IpAddr>,
        /// Who it is from.
        origin: RouteOrigin,
    },
    /// Takes all addresses away, and with them their routes.
    Flush,
}

/// A raw IPv4 port on one interface: UDP datagrams before there is an address.
pub trait PacketPort: Send {
    /// Sends an IPv4 packet (header included) to the link's broadcast address.
    fn send(&mut self, packet: &[u8]) -> Result<()>;
    /// The next IPv4 packet (header included) to UDP port 68, or `None` when `limit` has passed.
    /// The flag is true when its checksum is complete (not left to the NIC, `TP_STATUS_CSUMNOTREADY`).
    fn receive(&mut self, limit: Duration) -> Result<Option<(Vec<u8>, bool)>>;
}

/// The DHCP ports of RFC 2131: client 68, server 67.
pub const DHCP_CLIENT: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::UNSPECIFIED, 68);
/// The server's broadcast address.
pub const DHCP_SERVER: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::BROADCAST, 67);
