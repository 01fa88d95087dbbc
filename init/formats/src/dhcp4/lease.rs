//! The content of an OFFER or ACK, completely checked.

mod field;
mod routes;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::Ipv4Addr;

use super::{Message, Options, code};
use crate::domain_names::{self, Compression};
use crate::field::{Notes, host_name, name, names};
pub(crate) use field::address_fault;
use field::{mask_prefix, usable};
use routes::Own;

/// A lease whose values can be used directly: strings are printable ASCII, names are valid DNS names, addresses are
/// valid for hosts. Unusable values from the server are left out and reported in `notes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// This host's address.
    pub address: Ipv4Addr,
    /// Prefix length of the network, 1 to 32. Without a usable mask (option 1) it is that of the address's class (A 8,
    /// B 16, C 24): a network that is too large still contains its router, but a guessed /24 may not.
    pub prefix: u8,
    /// Default routers (3), best first; empty when there are classless routes, which replace them (RFC 3442).
    pub routers: Vec<Ipv4Addr>,
    /// Classless routes (121), the default route among them as 0.0.0.0/0.
    pub routes: Vec<Route>,
    /// Name servers (6), best first.
    pub dns: Vec<Ipv4Addr>,
    /// Time servers (42), best first.
    pub ntp: Vec<Ipv4Addr>,
    /// Domain (15).
    pub domain: Option<String>,
    /// Domains to search (119).
    pub search: Vec<String>,
    /// Name of this host (12), with or without domain, adapted by [`crate::hostname::given`].
    pub hostname: Option<String>,
    /// MTU in bytes (26), at least 576.
    pub mtu: Option<u16>,
    /// The DHCP server (54).
    pub server: Ipv4Addr,
    /// Duration of the lease in seconds (51). `None`: forever.
    pub lease_seconds: Option<u32>,
    /// Seconds until the lease must be renewed, T1 (58, else half of the lease). `None` if the lease is valid forever.
    pub renew_seconds: Option<u32>,
    /// Seconds until any server may renew it, T2 (59, else 7/8 of the lease). `None` if the lease is valid forever.
    pub rebind_seconds: Option<u32>,
    /// The values that were left out or assumed, with the reason, one sentence each.
    pub notes: Vec<String>,
    /// The message as the server sent it, for the DHCP client of the OS. Only [`super::client::Client`] has it.
    pub message: Vec<u8>,
}

/// A route of option 121.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The network, with host bits zero.
    pub destination: Ipv4Addr,
    /// Length of its prefix, 0 to 32.
    pub prefix: u8,
    /// The router; 0.0.0.0 if the network is on the link itself.
    pub gateway: Ipv4Addr,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.destination, self.prefix)?;
        if self.gateway.is_unspecified() {
            f.write_str(" on the link")
        } else {
            write!(f, " via {}", self.gateway)
        }
    }
}

/// Why an answer is unusable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseError {
    /// There is no server identifier (54), which a REQUEST must repeat.
    NoServer,
    /// The server identifier is not the address of a host.
    Server(Ipv4Addr, &'static str),
    /// The given address is not valid for a host.
    Address(Ipv4Addr, &'static str),
    /// The given address is the network or broadcast address of its network.
    EndOfNet(Ipv4Addr, u8, &'static str),
    /// The lease time is zero.
    NoTime,
}

impl fmt::Display for LeaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LeaseError::NoServer => f.write_str("the server gives no server identifier (option 54)"),
            LeaseError::Server(address, fault) => write!(f, "the server identifier {address} {fault}"),
            LeaseError::Address(address, fault) => write!(f, "the address given, {address}, {fault}"),
            LeaseError::EndOfNet(address, prefix, what) => {
                write!(f, "the address given, {address}, is the {what} address of its own /{prefix}")
            }
            LeaseError::NoTime => f.write_str("the lease time is 0 seconds"),
        }
    }
}

impl std::error::Error for LeaseError {}

impl Lease {
    /// Reads the lease from an OFFER or ACK. It does not check the message type, xid or chaddr.
    #[allow(clippy::similar_names)] // routes and routers are the RFC's words
    pub fn from_message(message: &Message) -> Result<Lease, LeaseError> {
        let options = &message.options;
        let mut notes = Notes::default();
        let server = options.address(code::SERVER_ID).ok_or(LeaseError::NoServer)?;
        if let Some(fault) = address_fault(server) {
            return Err(LeaseError::Server(server, fault));
        }
        let address = message.yiaddr;
        if let Some(fault) = address_fault(address) {
            return Err(LeaseError::Address(address, fault));
        }
        if address == server {
            return Err(LeaseError::Address(address, "is the server's own"));
        }
        let prefix = net(address, options, &mut notes)?;
        let own = Own { address, prefix };
        let (lease_seconds, renew_seconds, rebind_seconds) = times(options, &mut notes)?;
        let routes = routes::classless(options, own, &mut notes);
        let mut routers = usable(options, code::ROUTER, "router", &mut notes);
        if !routes.is_empty() {
            routers.clear();
        }
        routers.retain(|router| match own.router_fault(*router) {
            Some(fault) => {
                notes.add(format!("router {router} {fault}, ignored"));
                false
            }
            None => true,
        });
        let mut told = Vec::new();
        for router in routes.iter().map(|route| route.gateway).chain(routers.first().copied()) {
            if own.is_far(router, &routes) && !told.contains(&router) {
                notes.add(format!(
                    "router {router} is outside the network {address}/{prefix}, assumed to be on the link"
                ));
                told.push(router);
            }
        }
        let search = options.get(code::DOMAIN_SEARCH).unwrap_or_default();
        Ok(Lease {
            address,
            prefix,
            routers,
            routes,
            dns: usable(options, code::DOMAIN_NAME_SERVER, "name server", &mut notes),
            ntp: usable(options, code::NTP_SERVERS, "time server", &mut notes),
            domain: name("domain", options.get(code::DOMAIN_NAME), &mut notes, crate::hostname::check_domain),
            search: names(domain_names::decode(search, Compression::Allowed), &mut notes),
            hostname: host_name(options.get(code::HOST_NAME), &mut notes),
            mtu: mtu(options, &mut notes),
            server,
            lease_seconds,
            renew_seconds,
            rebind_seconds,
            notes: notes.list,
            message: Vec::new(),
        })
    }

    /// Every route of the lease besides the network of its own address: the classless routes, or else the default route
    /// through the first router.
    pub fn effective_routes(&self) -> Vec<Route> {
        let default =
            |gateway: &Ipv4Addr| Route { destination: Ipv4Addr::UNSPECIFIED, prefix: 0, gateway: *gateway };
        if self.routes.is_empty() {
            self.routers.iter().take(1).map(default).collect()
        } else {
            self.routes.clone()
        }
    }
}

/// The prefix length. For a missing or invalid mask, that of the address class.
fn net(address: Ipv4Addr, options: &Options, notes: &mut Notes) -> Result<u8, LeaseError> {
    let [first, ..] = address.octets();
    let class = match first {
        0..128 => 8,
        128..192 => 16,
        192.. => 24,
    };
    let sent = options.get(code::SUBNET_MASK);
    let Some(prefix) = options.address(code::SUBNET_MASK).and_then(mask_prefix) else {
        notes.add(match sent {
            None => format!("no subnet mask, /{class} assumed for the class of {address}"),
            Some(sent) => {
                format!("subnet mask {sent:?} is invalid, /{class} assumed for the class of {address}")
            }
        });
        return Ok(class);
    };
    match routes::end_of_net(address, prefix) {
        Some(what) => Err(LeaseError::EndOfNet(address, prefix, what)),
        None => Ok(prefix),
    }
}

type Times = (Option<u32>, Option<u32>, Option<u32>);

/// The shortest T1 in seconds, unless the lease itself is short: a server cannot make the client ask all the time.
const LEAST_RENEWAL: u32 = 10;

/// Lease, T1 and T2 in seconds (RFC 2131 4.4.5). If T1 < T2 < lease does not hold, the defaults are used.
fn times(options: &Options, notes: &mut Notes) -> Result<Times, LeaseError> {
    let lease = match options.number(code::LEASE_TIME) {
        None => {
            let sent = options.get(code::LEASE_TIME);
            let wrong =
                if sent.is_some() { "lease time is not a number of 4 bytes" } else { "no lease time" };
            notes.add(format!("{wrong}, assumed to be forever"));
            return Ok((None, None, None));
        }
        Some(u32::MAX) => return Ok((None, None, None)),
        Some(0) => return Err(LeaseError::NoTime),
        Some(lease) => lease,
    };
    let half = lease >> 1;
    let seven_eighths = lease.saturating_sub(lease >> 3);
    // A renewal at once, and again after each answer, is no time.
    let renew = options.number(code::RENEWAL_TIME).filter(|seconds| *seconds > 0).unwrap_or(half);
    let renew = renew.max(LEAST_RENEWAL.min(half));
    let rebind = options.number(code::REBINDING_TIME).unwrap_or(seven_eighths);
    if renew <= rebind && rebind <= lease {
        return Ok((Some(lease), Some(renew), Some(rebind)));
    }
    notes.add(format!(
        "renewal after {renew} s and rebinding after {rebind} s do not fit a lease of {lease} s, using {half} s \
         and {seven_eighths} s"
    ));
    Ok((Some(lease), Some(half), Some(seven_eighths)))
}

/// RFC 2132 allows an MTU from 68. Below 576, which every host must accept (RFC 1122 3.3.2), a boot cannot work.
fn mtu(options: &Options, notes: &mut Notes) -> Option<u16> {
    options.get(code::INTERFACE_MTU)?;
    let mtu = options.short(code::INTERFACE_MTU);
    if mtu.is_none_or(|mtu| mtu < 576) {
        notes.add(match mtu {
            Some(mtu) => format!("MTU {mtu} is below 576, ignored"),
            None => "MTU is not a number of 2 bytes, ignored".to_owned(),
        });
        return None;
    }
    if let Some(mtu) = mtu.filter(|mtu| *mtu < 1280) {
        notes.add(format!("MTU {mtu} is below 1280, which IPv6 requires: this interface only supports IPv4"));
    }
    mtu
}
