//! The network as it is wanted: links, their addresses, routes and name servers. `ip=` and the other parameters of dracut and the
//! settings compile into it ([`crate::plan`]); the step `network` applies it. Nothing after the planner knows the parameters.

mod limits;
mod tree;
mod words;

use std::net::IpAddr;
use std::time::Duration;

use dayfly_formats::bond::PORT_OPTIONS;
use dayfly_formats::mac::Mac;
use dayfly_formats::scoped::ScopedAddr;

pub use self::limits::Limits;
use crate::settings::value::{HostName, TimeServer};

/// The network as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Names for interfaces (`ifname=`).
    pub names: Vec<Name>,
    /// The links that are named, in the order of their parameters. Each of them is configured.
    pub links: Vec<Link>,
    /// The configuration of every other interface, of which the first that leads to the server is used; `None` leaves them alone.
    pub others: Option<Config>,
    /// The interface that is tried before the others.
    pub preferred: Option<Preferred>,
    /// Routes besides those of the links (`rd.route=`).
    pub routes: Vec<Route>,
    /// Name servers from the settings, asked before those from the network.
    pub dns: Vec<ScopedAddr>,
    /// Name servers from the network are used (`rd.peerdns=`).
    pub peer_dns: bool,
    /// Time servers from the settings. Without any, those of the links and of the network are used.
    pub ntp: Vec<TimeServer>,
    /// When it is ready.
    pub ready: Ready,
    /// The host name to send to DHCP servers.
    pub hostname: Option<HostName>,
    /// The firmware's UUID of the machine, by which a DHCPv6 server knows it (RFC 6355).
    pub uuid: Option<[u8; 16]>,
    /// The vendor class for DHCPv4 servers, if it is not `dayfly`.
    pub vendor_class: Option<String>,
    /// A server or name server of the settings has an IPv4 address, so that no interface can do without IPv4 (RFC 8925).
    pub needs_ipv4: bool,
    /// How long an interface may take to appear (`rd.net.timeout.iflink=`).
    pub link_wait: Option<Duration>,
}

/// When the network is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
    /// When an interface has an address.
    Address,
    /// When this server accepts a TCP connection over an interface. It is the first one that the boot needs.
    Server(Server),
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name or address; an IPv6 address has no brackets.
    pub host: String,
    /// The interface, if the address is a link-local one.
    pub interface: Option<String>,
    /// Its TCP port.
    pub port: u16,
}

/// A name for the interface with this MAC address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The name, as the kernel takes one: at most 15 bytes.
    pub name: String,
    /// The interface's permanent MAC address.
    pub mac: Mac,
}

/// The interface that is tried before the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preferred {
    /// The one that the firmware booted from (`BOOTIF=`).
    Mac(Mac),
    /// The one of this name (`bootdev=`).
    Name(String),
}

/// A link that is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The interface's name: the kernel's, an alternative one, or the one that systemd gives it in the OS.
    pub name: String,
    /// What it is, and what it needs.
    pub kind: Kind,
    /// How it is configured; `None` leaves it alone.
    pub config: Option<Config>,
}

/// What a link is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An interface that a driver brings.
    Physical,
    /// A VLAN (IEEE 802.1Q) of another link.
    Vlan {
        /// 1 to 4094.
        id: u16,
        /// The other link's name.
        parent: String,
    },
    /// A bond of other links (the kernel's Documentation/networking/bonding.rst).
    Bond {
        /// Their names.
        ports: Vec<String>,
        /// Options by their names in /sys/class/net/BOND/bonding.
        options: Vec<(String, String)>,
    },
    /// A bridge of other links.
    Bridge {
        /// Their names.
        ports: Vec<String>,
    },
}

impl Kind {
    /// The links below it, which have no addresses of their own unless a parameter gives them one.
    pub fn below(&self) -> &[String] {
        match self {
            Kind::Physical => &[],
            Kind::Vlan { parent, .. } => std::slice::from_ref(parent),
            Kind::Bond { ports, .. } | Kind::Bridge { ports } => ports,
        }
    }

    /// The links that become its ports, and can have no addresses.
    pub fn ports(&self) -> &[String] {
        match self {
            Kind::Physical | Kind::Vlan { .. } => &[],
            Kind::Bond { ports, .. } | Kind::Bridge { ports } => ports,
        }
    }
}

/// How a link is configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Where its addresses come from; without one, it is only set up.
    pub addresses: Vec<AddressSource>,
    /// The MAC address that it gets.
    pub mac: Option<Mac>,
    /// MTU in bytes, whatever a DHCP server says.
    pub mtu: Option<u32>,
    /// Name servers that are reached by it, before those from the network. A link-local one is on its link.
    pub dns: Vec<IpAddr>,
    /// Time servers that are reached by it.
    pub ntp: Vec<IpAddr>,
    /// The name that it gives to the node.
    pub hostname: Option<HostName>,
    /// How long its parts may take.
    pub limits: Limits,
}

/// Where the addresses of a link come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressSource {
    /// A DHCPv4 server (RFC 2131).
    Dhcp4,
    /// The parameters or settings.
    Static(StaticAddress),
    /// Router advertisements (RFC 4862), and a DHCPv6 server as far as they refer to one.
    RouterAdvertisement,
    /// A DHCPv6 server (RFC 8415), whatever router advertisements say.
    Dhcp6,
    /// No server: the IPv6 link-local address alone.
    LinkLocal,
}

impl AddressSource {
    /// Whether the kernel, routers or a DHCPv6 server give its addresses.
    pub fn is_autoconf(&self) -> bool {
        matches!(self, Self::RouterAdvertisement | Self::Dhcp6 | Self::LinkLocal)
    }

    /// Whether its addresses are of IPv6.
    pub fn is_v6(&self) -> bool {
        match self {
            AddressSource::Dhcp4 => false,
            AddressSource::Static(address) => address.address.is_ipv6(),
            AddressSource::RouterAdvertisement | AddressSource::Dhcp6 | AddressSource::LinkLocal => true,
        }
    }
}

/// An address that is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaticAddress {
    /// The address.
    pub address: IpAddr,
    /// Bits of its network.
    pub prefix: u8,
    /// The other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// The default router.
    pub gateway: Option<IpAddr>,
}

/// A static route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The network.
    pub destination: IpAddr,
    /// Bits of the network; 0 is the default route.
    pub prefix: u8,
    /// The next hop; `None` is on the link.
    pub gateway: Option<IpAddr>,
    /// The link; else the one whose network has the next hop.
    pub interface: Option<String>,
}

impl Config {
    /// The configuration of an interface that no parameter is for.
    pub fn automatic() -> Self {
        let addresses = vec![AddressSource::Dhcp4, AddressSource::RouterAdvertisement];
        Self { addresses, ..Self::default() }
    }

    /// The address that is given, if one is.
    pub fn static_address(&self) -> Option<&StaticAddress> {
        self.addresses.iter().find_map(|source| match source {
            AddressSource::Static(address) => Some(address),
            _ => None,
        })
    }
}

impl Network {
    /// The configuration of an interface: its own, or that of every other one.
    pub fn config(&self, interface: &str) -> Option<&Config> {
        match self.link(interface) {
            Some(link) => link.config.as_ref(),
            None => self.others.as_ref().filter(|_| !self.is_below(interface)),
        }
    }

    /// Whether a time server is named, or the network may name one.
    pub fn may_know_time_server(&self) -> bool {
        use AddressSource::{Dhcp4, Dhcp6, RouterAdvertisement};
        let mut configs = self.links.iter().filter_map(|link| link.config.as_ref()).chain(&self.others);
        let may_name = |config: &Config| {
            let asks = |source| matches!(source, &Dhcp4 | &Dhcp6 | &RouterAdvertisement);
            !config.ntp.is_empty() || config.addresses.iter().any(asks)
        };
        !self.ntp.is_empty() || configs.any(may_name)
    }

    /// Whether an interface may get its address from a DHCPv4 server.
    pub fn uses_dhcp4(&self) -> bool {
        let mut configs = self.links.iter().filter_map(|link| link.config.as_ref()).chain(&self.others);
        configs.any(|config| config.addresses.contains(&AddressSource::Dhcp4))
    }

    /// Whether the parameters limit how long an interface is waited for.
    pub fn has_limits(&self) -> bool {
        let mut configs = self.links.iter().filter_map(|link| link.config.as_ref()).chain(&self.others);
        self.link_wait.is_some() || configs.any(|config| config.limits.given().next().is_some())
    }

    /// Every name of an interface that a driver brings, to be replaced by its name of now.
    pub fn interfaces_mut(&mut self) -> Vec<&mut String> {
        let made: Vec<String> = self.made().map(|link| link.name.clone()).collect();
        let preferred = self.preferred.iter_mut().filter_map(|preferred| match preferred {
            Preferred::Name(name) => Some(name),
            Preferred::Mac(_) => None,
        });
        let servers = self.dns.iter_mut().filter_map(|server| server.interface.as_mut());
        let ready = match &mut self.ready {
            Ready::Server(server) => server.interface.as_mut(),
            Ready::Address => None,
        };
        let routes = self.routes.iter_mut().filter_map(|route| route.interface.as_mut());
        let links = self.links.iter_mut().flat_map(|link| {
            let (below, options): (&mut [String], &mut [(String, String)]) = match &mut link.kind {
                Kind::Physical => (&mut [], &mut []),
                Kind::Vlan { parent, .. } => (std::slice::from_mut(parent), &mut []),
                Kind::Bond { ports, options } => (ports, options),
                Kind::Bridge { ports } => (ports, &mut []),
            };
            let of_ports = options.iter_mut().filter(|(name, _)| PORT_OPTIONS.contains(&name.as_str()));
            std::iter::once(&mut link.name).chain(below).chain(of_ports.map(|(_, port)| port))
        });
        let others = preferred.chain(routes).chain(servers).chain(ready);
        links.chain(others).filter(|name| !made.contains(name)).collect()
    }

    /// The links that the boot makes, those below first.
    pub fn made(&self) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(|link| link.kind != Kind::Physical)
    }

    /// Whether other links are made of an interface.
    fn is_below(&self, interface: &str) -> bool {
        self.links.iter().any(|link| link.kind.below().iter().any(|name| name == interface))
    }

    /// The link of this name.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }
}

/// Whether a route by this router needs the flag `onlink` of ip-route(8): the router is outside of the network of the interface's
/// address. Every IPv6 interface reaches link-local routers.
pub fn needs_onlink(address: IpAddr, prefix: u8, router: IpAddr) -> bool {
    match router {
        IpAddr::V6(router) if router.is_unicast_link_local() => address.is_ipv4(),
        router => network_of(address, prefix) != network_of(router, prefix),
    }
}

/// The network part of an address, with its family, so that addresses of two families are never in one network.
fn network_of(address: IpAddr, prefix: u8) -> (bool, u128) {
    let (v6, bits, number) = match address {
        IpAddr::V4(address) => (false, 32_u32, u128::from(address.to_bits())),
        IpAddr::V6(address) => (true, 128, address.to_bits()),
    };
    (v6, number.checked_shr(bits.saturating_sub(prefix.into())).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_outside_of_the_network_needs_onlink() {
        for (address, prefix, router, onlink) in [
            ("10.0.0.2", 24, "10.0.0.1", false),
            ("10.0.0.2", 24, "10.0.1.1", true),
            ("10.0.0.2", 32, "10.0.0.1", true),
            ("10.0.0.2", 0, "192.168.0.1", false),
            ("10.0.0.2", 0, "2001:db8::1", true),
            ("10.0.0.2", 24, "fe80::1", true),
            ("2001:db8::2", 64, "fe80::1", false),
            ("2001:db8::2", 64, "2001:db8::1", false),
            ("2001:db8::2", 64, "2001:db9::1", true),
            ("2001:db8::2", 128, "2001:db8::1", true),
        ] {
            let found = needs_onlink(address.parse().unwrap(), prefix, router.parse().unwrap());
            assert_eq!(found, onlink, "{address}/{prefix} by {router}");
        }
    }
}
