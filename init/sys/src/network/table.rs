//! Rows of the kernel's tables of addresses and routes.

use std::net::IpAddr;
use std::time::Duration;

/// An IP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// That of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkAddress {
    /// ifindex.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Bits of its network. If there is a peer, bits of the peer's network.
    pub prefix: u8,
    /// The address of the other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// It is valid on its link only (`RT_SCOPE_LINK`).
    pub scope_link: bool,
    /// Duplicate address detection has not ended, or has failed: no socket can use it (`IFA_F_TENTATIVE` without
    /// `IFA_F_OPTIMISTIC`, RFC 4429).
    pub tentative: bool,
    /// Duplicate address detection found another host with this address (`IFA_F_DADFAILED`). The kernel keeps such an address
    /// only if it was set without a lifetime.
    pub dad_failed: bool,
    /// It has a lifetime, such as one from DHCP or from a router advertisement (not `IFA_F_PERMANENT`).
    pub dynamic: bool,
    /// How long new connections may use it, in whole seconds from now; `None` is for ever.
    pub preferred: Option<Duration>,
    /// How long it is valid, in whole seconds from now; `None` is for ever.
    pub valid: Option<Duration>,
}

/// A unicast route of the main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRoute {
    /// Network and its bits; the default route is `0.0.0.0/0` or `::/0`.
    pub destination: (IpAddr, u8),
    /// The next hop; `None` is on the link. An IPv4 route may have an IPv6 next hop.
    pub gateway: Option<IpAddr>,
    /// ifindex.
    pub index: u32,
    /// Lower wins.
    pub metric: u32,
    /// Who it is from.
    pub origin: RouteOrigin,
    /// How long it is valid, from now; `None` is for ever.
    pub lifetime: Option<Duration>,
}

impl LinkRoute {
    /// Whether it is a default route.
    pub fn is_default(&self) -> bool {
        self.destination.1 == 0
    }
}

/// Where a route comes from (`rtm_protocol`). The kernel keeps it, and what manages the network later goes by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteOrigin {
    /// A DHCP server (`RTPROT_DHCP`).
    Dhcp,
    /// Somebody who configured it (`RTPROT_STATIC`).
    Static,
    /// A router advertisement (`RTPROT_RA`).
    RouterAdvertisement,
    /// The kernel, for the network of an address (`RTPROT_KERNEL`).
    Kernel,
    /// Another `RTPROT_` number, see rtnetlink(7) and `/etc/iproute2/rt_protos`.
    Other(u8),
}
