//! Sets the address and routes of an interface, and removes them again.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use dayfly_formats::dhcp4::Lease;
use dayfly_formats::mac::Mac;
use dayfly_plan::settings::value::HostName;
use dayfly_sys::{Cause, Link, LinkChange, RouteOrigin, Sys, SysError};

use crate::NetworkUp;
use crate::claims::{Contender, Origin, State};
use crate::context::Context;
use crate::events::Level;

/// The metric of systemd-networkd's DHCP routes. Routes of the OS with a lower metric take precedence.
pub const METRIC: u32 = 1024;

/// The smallest datagram that every host must accept (RFC 1122 3.3.2). With a smaller MTU, DHCP's own messages cannot
/// be sent.
const LEAST_MTU: u32 = 576;

/// Configures an interface with its claim.
pub fn configure(cx: &Context, claim: &Contender, metric: u32) -> Result<NetworkUp, SysError> {
    let network = match &claim.state {
        State::Claims(Origin::Static(address)) => fixed(cx, claim, *address, metric),
        State::Claims(Origin::Lease(lease, since)) => leased(cx, claim, lease, *since, metric),
        State::Waiting(reason) | State::Failed(reason) => {
            let words = reason.to_string();
            Err(SysError::new("configure", &*claim.link.name, Cause::Unsupported, words))
        }
    };
    if network.is_err()
        && let Err(error) = flush(cx, &claim.link)
    {
        cx.note(Level::Warning, format!("{}: {error}", claim.link.name));
    }
    network
}

/// Removes all addresses and routes, and restores the MTU.
pub fn flush(cx: &Context, found: &Link) -> Result<(), SysError> {
    cx.sys.change_link(found.index, &LinkChange::Flush)?;
    let links = cx.sys.links()?;
    match links.iter().find(|link| link.index == found.index) {
        Some(link) if link.mtu != found.mtu => cx.sys.change_link(found.index, &LinkChange::Mtu(found.mtu)),
        _ => Ok(()),
    }
}

/// Restores the state of an interface from before the boot.
pub fn restore(cx: &Context, found: &Link) -> Result<(), SysError> {
    if cx.sys.links()?.iter().all(|link| link.index != found.index) {
        // The interface was removed.
        return Ok(());
    }
    flush(cx, found)?;
    if found.up { Ok(()) } else { cx.sys.change_link(found.index, &LinkChange::Down) }
}

/// Sets a static address from `ip=`.
fn fixed(cx: &Context, claim: &Contender, address: IpAddr, metric: u32) -> Result<NetworkUp, SysError> {
    let ip = &claim.ip;
    let prefix = ip.prefix.unwrap_or(if address.is_ipv4() { 24 } else { 64 });
    change(cx, claim, &LinkChange::Address { address, prefix, valid: None })?;
    if let Some(gateway) = ip.gateway {
        let route = LinkChange::Route {
            destination: None,
            gateway: Some(gateway),
            metric,
            on_link: ip.gateway_is_on_link(),
            source: None,
            origin: RouteOrigin::Static,
        };
        change(cx, claim, &route)?;
    }
    Ok(NetworkUp {
        iface: claim.link.name.clone(),
        mac: claim.link.mac.map(Mac),
        address,
        prefix,
        gateway: ip.gateway,
        mtu: ip.mtu.map(|mtu| nearest_mtu(&claim.link, mtu)),
        dns: ip.dns.clone(),
        domain: None,
        search: Vec::new(),
        hostname: HostName::of_ip(ip),
        lease: None,
    })
}

/// Sets the address and routes of a DHCP lease, which was given some time ago.
fn leased(
    cx: &Context,
    claim: &Contender,
    lease: &Lease,
    since: Duration,
    metric: u32,
) -> Result<NetworkUp, SysError> {
    let say = |level, text: String| cx.note(level, format!("{}: {text}", claim.link.name));
    for note in &lease.notes {
        say(Level::Warning, note.clone());
    }
    if let Some(mtu) = lease.mtu
        && claim.ip.mtu.is_none()
    {
        set_mtu(&*cx.sys, &claim.link, u32::from(mtu), &say)?;
    }
    let age = cx.sys.now().saturating_sub(since);
    let valid = lease.lease_seconds.map(|seconds| {
        Duration::from_secs(u64::from(seconds)).saturating_sub(age).max(Duration::from_secs(1))
    });
    change(cx, claim, &LinkChange::Address { address: lease.address.into(), prefix: lease.prefix, valid })?;
    // RFC 3442: if there are classless routes, ignore the routers of option 3.
    let mut gateway = None;
    for route in lease.effective_routes() {
        let hop = (!route.gateway.is_unspecified()).then_some(IpAddr::V4(route.gateway));
        let is_default = route.prefix == 0;
        let on_link = hop.is_some_and(|hop| !is_near(lease.address, lease.prefix, hop));
        let destination = (!is_default).then_some((IpAddr::V4(route.destination), route.prefix));
        let route = LinkChange::Route {
            destination,
            gateway: hop,
            metric,
            on_link,
            // systemd-networkd sets the same attribute, so its route replaces this one instead of being a second one.
            source: Some(lease.address.into()),
            origin: RouteOrigin::Dhcp,
        };
        // A bad extra option of a server is no reason to run without its address.
        match change(cx, claim, &route) {
            Ok(()) if is_default => gateway = gateway.or(hop),
            Ok(()) => {}
            Err(error) => say(Level::Warning, error.to_string()),
        }
    }
    Ok(NetworkUp {
        iface: claim.link.name.clone(),
        mac: claim.link.mac.map(Mac),
        address: lease.address.into(),
        prefix: lease.prefix,
        gateway,
        mtu: claim.ip.mtu.map(|mtu| nearest_mtu(&claim.link, mtu)),
        dns: lease.dns.iter().copied().map(IpAddr::V4).collect(),
        domain: lease.domain.clone(),
        search: lease.search.clone(),
        hostname: HostName::of_ip(&claim.ip).or_else(|| HostName::given(lease.hostname.as_deref()?).ok()),
        lease: Some(lease.clone()),
    })
}

/// The MTU closest to the wanted one that the interface supports and that is large enough for IPv4.
fn nearest_mtu(link: &Link, wanted: u32) -> u32 {
    link.nearest_mtu(wanted.max(LEAST_MTU))
}

/// Sets an MTU within the limits of the interface. If the kernel still refuses it, the boot continues with the old one.
pub fn set_mtu(sys: &dyn Sys, link: &Link, wanted: u32, say: &dyn Fn(Level, String)) -> Result<(), SysError> {
    let mtu = nearest_mtu(link, wanted);
    if mtu != wanted {
        let (least, most) = (link.least_mtu.max(LEAST_MTU), link.most_mtu);
        let text = format!(
            "an MTU of {wanted} is not supported, using {mtu}: the interface supports {least} to {most}"
        );
        say(Level::Warning, text);
    }
    match sys.change_link(link.index, &LinkChange::Mtu(mtu)) {
        Err(error) if error.errno().is_some() => {
            say(Level::Warning, format!("its MTU remains {}: {error}", link.mtu));
            Ok(())
        }
        result => result,
    }
}

fn change(cx: &Context, claim: &Contender, change: &LinkChange) -> Result<(), SysError> {
    cx.sys.change_link(claim.link.index, change)
}

/// Whether a next hop is in the network of the address.
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
