//! Parameters that contradict each other: names, static addresses, and routes whose gateway is in no network.

use std::net::IpAddr;

use dayfly_formats::ifname::IfnameArg;

use crate::network::{AddressSource, Config, Name, Network, Route, needs_onlink};

/// The names for interfaces. An interface has one name, and a name is for one interface: the first parameter counts.
pub(super) fn names(args: &[IfnameArg]) -> (Vec<Name>, Vec<String>) {
    let (mut names, mut notes): (Vec<Name>, Vec<String>) = (Vec::new(), Vec::new());
    for arg in args {
        let other = names.iter().find(|name| name.name == arg.name || name.mac == arg.mac);
        let same = other.map(|name| (name.name == arg.name, name.mac == arg.mac));
        match (other, same) {
            (Some(other), Some((true, false))) => {
                let why = format!("{} is the name of {} already", arg.name, other.mac);
                notes.push(format!(
                    "ifname={arg}: it is not used, because {why}; give each interface its own name."
                ));
            }
            (Some(other), Some((false, _))) => {
                let why = format!("{} is named {} already", arg.mac, other.name);
                notes.push(format!("ifname={arg}: it is not used, because {why}; remove one of them."));
            }
            // The same once more.
            (Some(_), _) => {}
            (None, _) => {
                notes.extend(arg.note().map(|note| format!("ifname={arg}: {note}.")));
                names.push(Name { name: arg.name.clone(), mac: arg.mac });
            }
        }
    }
    (names, notes)
}

/// Notes on static addresses that several interfaces are to have.
pub(super) fn addresses(network: &Network) -> Vec<String> {
    let mut owners: Vec<(IpAddr, &str)> = Vec::new();
    let mut notes = Vec::new();
    for (interface, config) in configs(network) {
        for source in &config.addresses {
            let AddressSource::Static(fixed) = source else { continue };
            let address = fixed.address;
            // Each link has a network fe80::/10 of its own (RFC 4291 2.5.6).
            if matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()) {
                continue;
            }
            match owners.iter().find(|(other, _)| *other == address) {
                Some((_, first)) => notes.push(format!(
                    "ip= gives {address} to {first} and to {interface}: an address is for one interface; give each its own."
                )),
                None => owners.push((address, interface)),
            }
        }
    }
    notes
}

/// Why a route cannot be added: no interface gets an address in the network of its gateway, whatever the machine has. A DHCP server
/// or a router may give one.
pub(super) fn unreachable(network: &Network, route: &Route) -> Option<String> {
    let gateway = route.gateway.filter(|_| route.interface.is_none())?;
    let sources: Vec<&AddressSource> =
        configs(network).into_iter().flat_map(|(_, config)| &config.addresses).collect();
    let may_lead = |source: &&AddressSource| match source {
        AddressSource::Static(fixed) => {
            fixed.peer == Some(gateway) || !needs_onlink(fixed.address, fixed.prefix, gateway)
        }
        AddressSource::LinkLocal => false,
        AddressSource::Dhcp4 | AddressSource::RouterAdvertisement | AddressSource::Dhcp6 => {
            source.is_v6() == gateway.is_ipv6()
        }
    };
    // A route without a gateway makes a network known, too.
    let is_on_link =
        |other: &Route| other.gateway.is_none() && !needs_onlink(other.destination, other.prefix, gateway);
    // Without any address, another note says so.
    if sources.is_empty() || sources.iter().any(may_lead) || network.routes.iter().any(is_on_link) {
        return None;
    }
    Some(format!(
        "no interface gets an address in the network of the gateway {gateway}, so the route cannot be added; correct the gateway, or \
         write its interface after it, like {gateway}:eth0"
    ))
}

/// The configurations with the names of their interfaces.
fn configs(network: &Network) -> Vec<(&str, &Config)> {
    let named = network.links.iter().filter_map(|link| Some((link.name.as_str(), link.config.as_ref()?)));
    named.chain(network.others.iter().map(|config| ("every other interface", config))).collect()
}
