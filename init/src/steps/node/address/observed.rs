//! What the files of several network services need to know of the observed network.

use std::fmt::{Display, Write};

use dayfly_formats::scoped::ScopedAddr;
use dayfly_plan::network::{Kind, Link as Wanted};
use dayfly_sys::{Files, Platform};

use super::owned;
use crate::steps::network::{METRIC, names};
use crate::{AddressUp, NetworkUp};

/// Lines of a file with `key=value` in sections.
pub struct Lines(pub String);

impl Lines {
    pub fn put(&mut self, key: &str, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{key}={value}");
    }
}

/// The name servers of an interface: the first one has those of the settings, and those that the network gives come with its address.
/// A link-local one is always of its own interface.
pub fn servers(network: &NetworkUp, iface: &str, addresses: &[&AddressUp]) -> Vec<ScopedAddr> {
    let given: Vec<ScopedAddr> = if network.peer_dns {
        addresses.iter().flat_map(|up| up.given_dns.clone()).collect()
    } else {
        Vec::new()
    };
    let is_of_others = |server: &ScopedAddr| {
        network
            .others
            .iter()
            .any(|up| up.iface != iface && (up.dns.contains(server) || up.given_dns.contains(server)))
    };
    let is_own = |server: &&ScopedAddr| match &server.interface {
        Some(own) => own == iface,
        None if network.first.iface == iface => !is_of_others(server),
        None => addresses.iter().any(|up| up.dns.contains(server)),
    };
    network.dns.iter().filter(is_own).filter(|server| !given.contains(server)).cloned().collect()
}

/// The VLANs that are made of a link.
pub fn vlans<'a>(network: &'a NetworkUp, iface: &str) -> Vec<&'a str> {
    let is_of = |link: &&Wanted| matches!(&link.kind, Kind::Vlan { parent, .. } if parent == iface);
    network.made.iter().filter(is_of).map(|link| link.name.as_str()).collect()
}

/// Every name that the interface may have in the OS, the current one first.
pub fn names_in_os(sys: &dyn Files, iface: &str) -> Vec<String> {
    let mut all = vec![iface.to_owned()];
    all.extend(names::of(sys, iface).into_iter().filter(|name| name != iface));
    all
}

/// When the lease of an address was given or last extended, in seconds since 1970 by the clock of now; `None` without a lease. A
/// lease file counts its times from then on.
pub fn granted_at(sys: &dyn Platform, up: &AddressUp) -> Option<u64> {
    let age = sys.now().saturating_sub(up.granted()?);
    // Rounded up, so that the OS never uses the address longer than the server allows.
    let age = age.as_secs().saturating_add(u64::from(age.subsec_nanos() > 0));
    Some(sys.clock().saturating_sub(age))
}

/// The metric of an interface's IPv4 routes.
pub fn metric(addresses: &[&AddressUp]) -> u32 {
    addresses.iter().find(|up| up.address.is_ipv4()).map_or(METRIC, |up| up.metric)
}

/// The addresses of an interface, for the log.
pub fn owned_by(addresses: &[&AddressUp]) -> String {
    addresses.iter().map(|up| owned(up)).collect::<Vec<_>>().join(" and ")
}

/// What the service of the OS does with them, for the log.
pub fn verb(addresses: &[&AddressUp]) -> &'static str {
    if addresses.iter().all(|up| up.is_withdrawn()) {
        "requests"
    } else if addresses.iter().any(|up| up.lifetime().is_some()) {
        "renews"
    } else {
        "keeps"
    }
}

impl NetworkUp {
    /// The links without an address of their own: those that the boot created and those that they are made of.
    pub fn without_address(&self) -> Vec<&str> {
        let has_address = |name: &str| self.addresses().any(|up| up.iface == name);
        let mut found: Vec<&str> = Vec::new();
        for made in &self.made {
            let below = made.kind.below().iter().map(String::as_str);
            for name in std::iter::once(made.name.as_str()).chain(below) {
                if !has_address(name) && !found.contains(&name) {
                    found.push(name);
                }
            }
        }
        found
    }
}
