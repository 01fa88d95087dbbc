//! Gives an interface its address and routes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use dayfly_sys::{LinkChange, RouteOrigin, Sys, SysError};
use dayfly_wire::dhcp4::Lease;
use dayfly_wire::mac::Mac;

use super::{Racer, Reason};
use crate::NetworkUp;

/// The metric of systemd-networkd's DHCP routes; what the OS sets itself with a lower one wins.
pub const METRIC: u32 = 1024;

/// A static address from `ip=`.
pub fn fixed<S: Sys>(racer: &Racer<S>, address: IpAddr) -> Result<NetworkUp, Reason> {
    let prefix = racer.ip.prefix.unwrap_or(if address.is_ipv4() { 24 } else { 64 });
    configure(racer, address, prefix, None).map_err(|error| Reason::Refused(error.to_string()))?;
    if let Some(gateway) = racer.ip.gateway {
        let route = LinkChange::Route {
            destination: None,
            gateway: Some(gateway),
            metric: METRIC,
            on_link: racer.ip.gateway_is_on_link(),
            source: None,
            origin: RouteOrigin::Static,
        };
        change(racer, &route).map_err(|error| Reason::Refused(error.to_string()))?;
    }
    Ok(NetworkUp {
        iface: racer.link.name.clone(),
        mac: racer.link.mac.map(Mac),
        address,
        prefix,
        gateway: racer.ip.gateway,
        mtu: racer.ip.mtu,
        dns: racer.ip.dns.clone(),
        domain: None,
        search: Vec::new(),
        hostname: racer.ip.hostname.clone(),
        lease: None,
    })
}

/// A lease.
pub fn leased<S: Sys>(racer: &Racer<S>, lease: Lease) -> Result<NetworkUp, SysError> {
    for note in &lease.notes {
        (racer.say)(crate::events::Level::Warning, note.clone());
    }
    if let Some(mtu) = lease.mtu
        && racer.ip.mtu.is_none()
    {
        change(racer, &LinkChange::Mtu(u32::from(mtu)))?;
    }
    let valid = lease.lease_seconds.map(|seconds| Duration::from_secs(u64::from(seconds)));
    configure(racer, lease.address.into(), lease.prefix, valid)?;
    // RFC 3442: with classless routes, the routers of option 3 are ignored.
    let mut gateway = None;
    for route in lease.effective_routes() {
        let hop = (!route.gateway.is_unspecified()).then_some(IpAddr::V4(route.gateway));
        let is_default = route.prefix == 0;
        if is_default && gateway.is_none() {
            gateway = hop;
        }
        let on_link = hop.is_some_and(|hop| !is_near(lease.address, lease.prefix, hop));
        let destination = (!is_default).then_some((IpAddr::V4(route.destination), route.prefix));
        let route = LinkChange::Route {
            destination,
            gateway: hop,
            metric: METRIC,
            on_link,
            // systemd-networkd's DHCP routes have it too: the one that it sets is this one, not a second one beside it.
            source: Some(lease.address.into()),
            origin: RouteOrigin::Dhcp,
        };
        change(racer, &route)?;
    }
    Ok(NetworkUp {
        iface: racer.link.name.clone(),
        mac: racer.link.mac.map(Mac),
        address: lease.address.into(),
        prefix: lease.prefix,
        gateway,
        mtu: racer.ip.mtu,
        dns: lease.dns.iter().copied().map(IpAddr::V4).collect(),
        domain: lease.domain.clone(),
        search: lease.search.clone(),
        hostname: racer.ip.hostname.clone().or_else(|| lease.hostname.clone()),
        lease: Some(lease),
    })
}

fn configure<S: Sys>(
    racer: &Racer<S>,
    address: IpAddr,
    prefix: u8,
    valid: Option<Duration>,
) -> Result<(), SysError> {
    change(racer, &LinkChange::Address { address, prefix, valid })
}

fn change<S: Sys>(racer: &Racer<S>, change: &LinkChange) -> Result<(), SysError> {
    racer.sys.change_link(racer.link.index, change)
}

/// Whether a next hop is in the address's own network.
fn is_near(address: Ipv4Addr, prefix: u8, hop: IpAddr) -> bool {
    let IpAddr::V4(hop) = hop else { return false };
    let mask = u32::MAX.checked_shl(32u32.saturating_sub(u32::from(prefix))).unwrap_or(0);
    address.to_bits() & mask == hop.to_bits() & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hop_outside_the_network_is_on_the_link() {
        let hop = |last: [u8; 4]| IpAddr::V4(last.into());
        for (address, prefix, next, near) in [
            ([10, 0, 2, 15], 24, [10, 0, 2, 2], true),
            ([10, 0, 2, 15], 24, [10, 0, 3, 2], false),
            ([10, 0, 2, 15], 32, [10, 0, 2, 2], false),
            ([10, 0, 2, 15], 0, [192, 168, 0, 1], true),
        ] {
            assert_eq!(is_near(address.into(), prefix, hop(next)), near, "{address:?}/{prefix} {next:?}");
        }
    }
}
