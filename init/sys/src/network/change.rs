//! Changes of an interface.

use std::net::IpAddr;
use std::time::Duration;

use super::{Family, RouteOrigin};

/// One change of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkChange {
    /// Sets `IFF_UP`.
    Up,
    /// Clears `IFF_UP`.
    Down,
    /// Bytes.
    Mtu(u32),
    /// Sets the hardware address. Some drivers refuse it while the interface is up (`EBUSY`).
    Mac([u8; 6]),
    /// Renames the interface: 1 to 15 bytes. `EEXIST` if another interface has this name; before Linux 6.2, `EBUSY` while the
    /// interface is up.
    Name(String),
    /// Makes the interface a port of the bond or bridge with this ifindex; `None` releases it. A bond refuses an interface
    /// that is up (`EPERM`), and sets its ports up itself.
    Port(Option<u32>),
    /// Adds or refreshes an address. The kernel first looks for a duplicate of a new IPv6 address: no socket can use it while
    /// [`LinkAddress::tentative`](super::LinkAddress::tentative) is set.
    Address {
        /// The address.
        address: IpAddr,
        /// Bits of its network. If there is a peer, bits of the peer's network.
        prefix: u8,
        /// How long it is valid; `None` is for ever.
        valid: Option<Duration>,
        /// The address of the other end of a point-to-point link (`IFA_ADDRESS`); it has the same IP version.
        peer: Option<IpAddr>,
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
    /// Removes a route through this interface, if there is one.
    RouteGone {
        /// Network and its bits; `None` is the default route.
        destination: Option<(IpAddr, u8)>,
        /// The next hop; `None` is on the link.
        gateway: Option<IpAddr>,
        /// Its metric.
        metric: u32,
    },
    /// Takes all addresses away, and with them their routes; those of one IP version, or of both.
    Flush(Option<Family>),
}
