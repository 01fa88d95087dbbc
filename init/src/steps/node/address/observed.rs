//! What the files of several network services need to know of the observed network.

use std::fmt::{Display, Write};
use std::net::IpAddr;

use dayfly_plan::network::{Kind, Link as Wanted, StaticAddress};

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
pub fn servers(network: &NetworkUp, iface: &str, addresses: &[&AddressUp]) -> Vec<IpAddr> {
    let given: Vec<IpAddr> = if network.peer_dns {
        addresses.iter().flat_map(|up| up.given_dns.clone()).collect()
    } else {
        Vec::new()
    };
    let is_of_others = |server: &IpAddr| {
        network
            .others
            .iter()
            .any(|up| up.iface != iface && (up.dns.contains(server) || up.given_dns.contains(server)))
    };
    let all: Vec<IpAddr> = if network.first.iface == iface {
        network.dns.iter().copied().filter(|server| !is_of_others(server)).collect()
    } else {
        addresses.iter().flat_map(|up| up.dns.clone()).collect()
    };
    all.into_iter().filter(|server| !given.contains(server)).collect()
}

/// Whether the router is outside of the network of the address.
pub fn is_outside(up: &AddressUp) -> bool {
    let AddressUp { address, prefix, peer, gateway, .. } = *up;
    StaticAddress { address, prefix, peer, gateway }.gateway_is_on_link()
}

/// The VLANs that are made of a link.
pub fn vlans<'a>(network: &'a NetworkUp, iface: &str) -> Vec<&'a str> {
    let is_of = |link: &&Wanted| matches!(&link.kind, Kind::Vlan { parent, .. } if parent == iface);
    network.made.iter().filter(is_of).map(|link| link.name.as_str()).collect()
}
