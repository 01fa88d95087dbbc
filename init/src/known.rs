//! What the boot has found out so far. Each step gets a copy and returns only new facts, so no data is shared between
//! threads.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use dayfly_formats::dhcp4::Lease;
use dayfly_formats::dhcp6::{Config6, Lease6, TimeServer as TimeServer6};
use dayfly_formats::last_boot::LastBoot;
use dayfly_formats::mac::Mac;
use dayfly_formats::scoped::ScopedAddr;
use dayfly_plan::Fact;
use dayfly_plan::network::{AddressSource, Link, Route, Server};
use dayfly_plan::settings::value::{HostName, TimeServer};
use dayfly_sys::Backing;

use crate::services::Manager;
use crate::steps::image::verify::Decided;

/// The network as it is configured.
#[derive(Debug, Clone)]
pub struct NetworkUp {
    /// The address by which the boot reaches its server.
    pub first: AddressUp,
    /// The server that answered over it.
    pub reached: Option<Server>,
    /// The other addresses, in the order in which they were configured.
    pub others: Vec<AddressUp>,
    /// The links that the boot created.
    pub made: Vec<Link>,
    /// Static routes that the parameters ask for.
    pub wanted_routes: Vec<Route>,
    /// Those that were added, each with its interface.
    pub routes: Vec<(String, Route)>,
    /// Name servers of the settings.
    pub wanted_dns: Vec<ScopedAddr>,
    /// Name servers, best first.
    pub dns: Vec<ScopedAddr>,
    /// Time servers of the settings.
    pub ntp: Vec<TimeServer>,
    /// The node's domain, of the first address that has one.
    pub domain: Option<String>,
    /// Search domains of all addresses.
    pub search: Vec<String>,
    /// Whether name servers that the network gives are used.
    pub peer_dns: bool,
    /// The name that the network or an `ip=` parameter gives this node, of the first address that has one.
    pub hostname: Option<HostName>,
    /// The firmware's UUID of the machine, by which DHCPv6 servers know it.
    pub uuid: Option<[u8; 16]>,
}

/// One address of a link, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressUp {
    /// The name of the interface.
    pub iface: String,
    /// Its MAC address.
    pub mac: Option<Mac>,
    /// The address.
    pub address: IpAddr,
    /// Bits of its network.
    pub prefix: u8,
    /// The other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// The default router.
    pub gateway: Option<IpAddr>,
    /// The metric of its routes; lower wins.
    pub metric: u32,
    /// The MTU that the parameters ask for, whatever a lease says.
    pub mtu: Option<u32>,
    /// Name servers that the parameters name for it.
    pub dns: Vec<ScopedAddr>,
    /// Time servers that the parameters name for it.
    pub ntp: Vec<TimeServer>,
    /// The name that it gives this node.
    pub hostname: Option<HostName>,
    /// All address sources of its interface's configuration.
    pub sources: Vec<AddressSource>,
    /// Name servers that the network gives with it.
    pub given_dns: Vec<ScopedAddr>,
    /// Time servers that the network gives with it.
    pub given_ntp: Vec<TimeServer>,
    /// The node's domain that a DHCP server gives with it.
    pub domain: Option<String>,
    /// Search domains that the network gives with it.
    pub search: Vec<String>,
    /// Where it comes from.
    pub origin: AddressOrigin,
}

/// Where an address comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressOrigin {
    /// The parameters or settings.
    Static,
    /// A DHCPv4 server, and when it gave or last extended the lease on the machine's clock.
    Dhcp4(Box<Lease>, Duration),
    /// Router advertisements.
    RouterAdvertisement,
    /// A DHCPv6 server.
    Dhcp6(Box<Lease6>),
    /// The interface itself (RFC 4291 2.5.6).
    LinkLocal,
    /// A DHCPv4 server, whose lease is lost: the interface does not have the address any more.
    Withdrawn,
}

impl fmt::Display for AddressOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddressOrigin::Static => "static",
            AddressOrigin::Dhcp4(..) => "dhcp4",
            AddressOrigin::RouterAdvertisement => "slaac",
            AddressOrigin::Dhcp6(_) => "dhcp6",
            AddressOrigin::LinkLocal => "link-local",
            AddressOrigin::Withdrawn => "withdrawn",
        })
    }
}

/// What router advertisements and DHCPv6 gave an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Autoconf {
    /// The address.
    pub address: Ipv6Addr,
    /// Bits of its network; 128 for an address of a DHCPv6 server.
    pub prefix: u8,
    /// The default router.
    pub gateway: Option<Ipv6Addr>,
    /// Name servers, best first.
    pub dns: Vec<IpAddr>,
    /// Time servers, best first.
    pub ntp: Vec<TimeServer>,
    /// Search domains.
    pub search: Vec<String>,
    /// The host name that a DHCPv6 server gives.
    pub hostname: Option<String>,
    /// The lease, if a DHCPv6 server gave the address.
    pub lease: Option<Lease6>,
}

impl Autoconf {
    /// Adds what a DHCPv6 server says besides addresses. What the routers say comes first.
    pub fn merge(&mut self, config: &Config6) {
        let servers = config.dns.iter().copied().map(IpAddr::V6);
        self.dns.extend(servers.filter(|server| !self.dns.contains(server)).collect::<Vec<_>>());
        for server in &config.ntp {
            let server = match server {
                TimeServer6::Address(address) => TimeServer::from(*address),
                TimeServer6::Name(name) => TimeServer::Name(name.clone()),
                // Its servers send the time at intervals of minutes.
                TimeServer6::Multicast(_) => continue,
            };
            if !self.ntp.contains(&server) {
                self.ntp.push(server);
            }
        }
        let domains = config.search.iter().filter(|domain| !self.search.contains(domain));
        self.search.extend(domains.cloned().collect::<Vec<_>>());
        self.hostname = self.hostname.take().or_else(|| config.hostname.clone());
    }
}

impl fmt::Display for Autoconf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)?;
        match &self.lease {
            Some(lease) => write!(f, " from the DHCPv6 server {}", lease.server),
            None if self.address.is_unicast_link_local() => f.write_str(", its link-local address"),
            None => f.write_str(" from router advertisements"),
        }
    }
}

impl AddressUp {
    /// The DHCPv4 lease, if the address is of one.
    pub fn lease(&self) -> Option<&Lease> {
        match &self.origin {
            AddressOrigin::Dhcp4(lease, _) => Some(lease),
            _ => None,
        }
    }

    /// When a DHCPv4 server gave or last extended the lease, on the machine's clock.
    pub fn granted(&self) -> Option<Duration> {
        match &self.origin {
            AddressOrigin::Dhcp4(_, granted) => Some(*granted),
            _ => None,
        }
    }

    /// How long the address is valid, in seconds from when it was given; `None` is for ever.
    pub fn lifetime(&self) -> Option<u32> {
        match &self.origin {
            AddressOrigin::Dhcp4(lease, _) => lease.lease_seconds,
            AddressOrigin::Dhcp6(lease) => lease.lifetime(),
            AddressOrigin::Withdrawn => Some(0),
            AddressOrigin::Static | AddressOrigin::RouterAdvertisement | AddressOrigin::LinkLocal => None,
        }
    }

    /// Whether the interface has lost the address.
    pub fn is_withdrawn(&self) -> bool {
        self.origin == AddressOrigin::Withdrawn
    }
}

impl NetworkUp {
    /// Every address, the first one first.
    pub fn addresses(&self) -> impl Iterator<Item = &AddressUp> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The addresses by their interfaces.
    pub fn interfaces(&self) -> Vec<(&str, Vec<&AddressUp>)> {
        let mut interfaces: Vec<(&str, Vec<&AddressUp>)> = Vec::new();
        for up in self.addresses() {
            match interfaces.iter_mut().find(|(iface, _)| *iface == up.iface) {
                Some((_, addresses)) => addresses.push(up),
                None => interfaces.push((&up.iface, vec![up])),
            }
        }
        interfaces
    }
}

#[cfg(test)]
impl NetworkUp {
    /// eth0 with one address.
    pub fn of(address: &str, prefix: u8) -> Self {
        let first = AddressUp {
            iface: "eth0".to_owned(),
            mac: Some(Mac([0x52, 0x54, 0, 0x77, 0, 1])),
            address: address.parse().unwrap_or(IpAddr::from([0; 4])),
            prefix,
            peer: None,
            gateway: None,
            metric: 1024,
            mtu: None,
            dns: Vec::new(),
            ntp: Vec::new(),
            hostname: None,
            sources: Vec::new(),
            given_dns: Vec::new(),
            given_ntp: Vec::new(),
            domain: None,
            search: Vec::new(),
            origin: AddressOrigin::Static,
        };
        Self {
            first,
            others: Vec::new(),
            made: Vec::new(),
            reached: None,
            routes: Vec::new(),
            wanted_routes: Vec::new(),
            wanted_dns: Vec::new(),
            dns: Vec::new(),
            ntp: Vec::new(),
            domain: None,
            search: Vec::new(),
            peer_dns: true,
            hostname: None,
            uuid: None,
        }
    }
}

/// A layer of the OS image, found on a disk or fetched.
#[derive(Debug, Clone)]
pub struct LayerFile {
    /// Where the bytes are stored.
    pub backing: Backing,
    /// The number of bytes.
    pub bytes: u64,
    /// The SHA-256, if it was computed while the bytes were written to memory.
    pub sha256: Option<[u8; 32]>,
    /// The source, for messages.
    pub origin: String,
}

/// The init of the OS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsInit {
    /// The program.
    pub program: String,
    /// Its service manager, if Dayfly knows it.
    pub manager: Option<Manager>,
}

/// The root that was mounted before Dayfly started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountedRoot {
    /// Mount points of other file systems below it, for example `/usr`. An overlay of the root does not show them.
    pub below: Vec<String>,
}

/// The mounted state disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDisk {
    /// Its device.
    pub device: String,
    /// True if the settings name it, so that the node must not run without persistent state. False if it was found by
    /// the default label.
    pub is_wanted: bool,
}

/// All facts known so far.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// What the node remembers of its last boot.
    pub last_boot: LastBoot,
    /// The network, once it is up.
    pub network: Option<NetworkUp>,
    /// The layers of the image that are available, by their index in the plan.
    pub layers: BTreeMap<usize, LayerFile>,
    /// The layers that were verified.
    pub decided: BTreeMap<usize, Decided>,
    /// The mounted root, if it is used as the image.
    pub mounted_root: Option<MountedRoot>,
    /// The image keeps its /etc in /usr/etc.
    pub etc_in_usr: bool,
    /// The state disk, once it is mounted.
    pub state: Option<StateDisk>,
    /// The init of the image.
    pub init: Option<OsInit>,
    /// The node's name, once it has one.
    pub name: Option<HostName>,
}

/// A fact that a step found out.
#[derive(Debug, Clone)]
pub enum Learned {
    /// What the node remembers of its last boot.
    LastBoot(LastBoot),
    /// The network is up.
    Network(Box<NetworkUp>),
    /// A layer of the image is available.
    Layer(usize, LayerFile),
    /// A layer of the image was verified.
    Decided(usize, Decided),
    /// The mounted root is the image.
    MountedRoot(MountedRoot),
    /// The image keeps its /etc in /usr/etc.
    EtcInUsr,
    /// The state disk is mounted.
    State(StateDisk),
    /// The init of the OS.
    Init(OsInit),
    /// The node's name.
    Name(HostName),
    /// A fact that changes the plan of the rest of the boot.
    Fact(Fact),
}

impl Known {
    /// The node's host name; empty while it has none.
    pub fn hostname(&self) -> &str {
        self.name.as_ref().map_or("", HostName::as_str)
    }

    /// Adds a fact that a step found out.
    pub fn learn(&mut self, learned: Learned) {
        match learned {
            Learned::LastBoot(record) => self.last_boot = record,
            Learned::Network(network) => self.network = Some(*network),
            // A new file for this layer was not verified yet.
            Learned::Layer(place, file) => {
                self.layers.insert(place, file);
                self.decided.remove(&place);
            }
            Learned::Decided(place, decided) => drop(self.decided.insert(place, decided)),
            Learned::MountedRoot(root) => self.mounted_root = Some(root),
            Learned::EtcInUsr => self.etc_in_usr = true,
            Learned::State(disk) => self.state = Some(disk),
            Learned::Init(init) => self.init = Some(init),
            Learned::Name(name) => self.name = Some(name),
            // The runner handles these, because they change the plan: see `Runner::run`.
            Learned::Fact(_) => {}
        }
    }
}
