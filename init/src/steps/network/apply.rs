//! Sets the address and routes of an interface, and removes them again.

use std::net::IpAddr;
use std::time::Duration;

use dayfly_formats::dhcp4::Lease;
use dayfly_formats::mac::Mac;
use dayfly_plan::network::{AddressSource, Config, StaticAddress, needs_onlink};
use dayfly_plan::settings::value::{HostName, TimeServer};
use dayfly_sys::{Cause, Family, Link, LinkChange, RouteOrigin, Sys, SysError};

use super::ipv6;
use crate::claims::{Contender, Origin, State};
use crate::context::Context;
use crate::events::Level;
use crate::{AddressOrigin, AddressUp};

/// The metric of systemd-networkd's DHCP routes. Routes of the OS with a lower metric take precedence.
pub const METRIC: u32 = 1024;

/// The smallest datagram that every host must accept (RFC 1122 3.3.2). With a smaller MTU, DHCP's own messages cannot
/// be sent.
const LEAST_MTU: u32 = 576;
/// The smallest MTU of IPv6 (RFC 8200 5): with a smaller one, the kernel removes it from the interface.
const LEAST_MTU_V6: u32 = 1280;

/// Configures an interface with its claim.
pub fn configure(cx: &Context, claim: &Contender, metric: u32) -> Result<AddressUp, SysError> {
    let up = match &claim.state {
        State::Claims(Origin::Static(address)) => fixed(cx, claim, address, metric),
        State::Claims(Origin::Lease(lease, since)) => leased(cx, claim, lease, *since, metric),
        State::Claims(Origin::Autoconf(autoconf, since)) => ipv6::apply(cx, claim, autoconf, *since, metric),
        State::Waiting(reason) | State::Failed(reason) => {
            let words = reason.to_string();
            Err(SysError::new("configure", &*claim.link.name, Cause::Unsupported, words))
        }
    };
    if up.is_err()
        && let Err(error) = flush(cx, &claim.link, Some(claim.family))
    {
        cx.note(Level::Warning, format!("{}: {error}", claim.link.name));
    }
    up
}

/// Removes addresses and routes of an IP version, or of both. The MTU stays: some interfaces lose their carrier when it changes.
pub fn flush(cx: &Context, found: &Link, of: Option<Family>) -> Result<(), SysError> {
    cx.sys.change_link(found.index, &LinkChange::Flush(of))
}

/// Restores the state of an interface from before the boot.
pub fn restore(cx: &Context, found: &Link) -> Result<(), SysError> {
    let links = cx.sys.links()?;
    let Some(link) = links.iter().find(|link| link.index == found.index) else {
        // The interface was removed.
        return Ok(());
    };
    flush(cx, found, None)?;
    if link.mtu != found.mtu {
        cx.sys.change_link(found.index, &LinkChange::Mtu(found.mtu))?;
    }
    for (path, value) in cx.claims.settings(found.index) {
        // If udev has renamed the interface meanwhile, the path is gone.
        if let Err(error) = cx.sys.write(&path, &value, 0o644)
            && !error.is_not_found()
        {
            cx.note(Level::Warning, error.to_string());
        }
    }
    if found.up { Ok(()) } else { cx.sys.change_link(found.index, &LinkChange::Down) }
}

/// Sets a static address.
fn fixed(cx: &Context, claim: &Contender, fixed: &StaticAddress, metric: u32) -> Result<AddressUp, SysError> {
    let StaticAddress { address, prefix, peer, gateway } = *fixed;
    change(cx, claim, &LinkChange::Address { address, prefix, peer, valid: None })?;
    ipv6::wait_until_usable(cx, claim, address)?;
    if let Some(gateway) = gateway {
        let route = LinkChange::Route {
            destination: None,
            gateway: Some(gateway),
            metric,
            on_link: needs_onlink(address, prefix, gateway) && peer != Some(gateway),
            source: None,
            origin: RouteOrigin::Static,
        };
        change(cx, claim, &route)?;
    }
    Ok(AddressUp { peer, gateway, metric, ..address_up(claim, address, prefix) })
}

/// The record of an address.
pub fn address_up(claim: &Contender, address: IpAddr, prefix: u8) -> AddressUp {
    let Config { mtu, mac, dns, ntp, hostname, .. } = &claim.config;
    AddressUp {
        iface: claim.link.name.clone(),
        mac: mac.or(claim.link.mac.map(Mac)),
        address,
        prefix,
        peer: None,
        gateway: None,
        metric: METRIC,
        mtu: mtu.map(|mtu| claim.link.nearest_mtu(mtu.max(least_mtu(&claim.config)))),
        dns: claim.learnt(dns.iter().copied()),
        ntp: ntp.iter().copied().map(TimeServer::from).collect(),
        hostname: hostname.clone(),
        sources: claim.config.addresses.clone(),
        given_dns: Vec::new(),
        given_ntp: Vec::new(),
        domain: None,
        search: Vec::new(),
        origin: AddressOrigin::Static,
    }
}

/// A route of a lease: network with its bits (`None` is the default route), and next hop (`None` is on the link).
pub type LeaseRoute = (Option<(IpAddr, u8)>, Option<IpAddr>);

/// The routes of a lease. RFC 3442: if there are classless routes, the routers of option 3 are ignored.
pub fn routes_of(lease: &Lease) -> Vec<LeaseRoute> {
    let route = |route: dayfly_formats::dhcp4::Route| {
        let destination = (route.prefix != 0).then_some((IpAddr::V4(route.destination), route.prefix));
        (destination, (!route.gateway.is_unspecified()).then_some(IpAddr::V4(route.gateway)))
    };
    lease.effective_routes().into_iter().map(route).collect()
}

/// The change that adds a route of a lease. The prefix is that of the address, as it was configured.
pub fn lease_route(lease: &Lease, prefix: u8, (destination, gateway): LeaseRoute, metric: u32) -> LinkChange {
    LinkChange::Route {
        destination,
        gateway,
        metric,
        on_link: gateway.is_some_and(|gateway| needs_onlink(lease.address.into(), prefix, gateway)),
        // systemd-networkd sets the same attribute, so its route replaces this one instead of being a second one.
        source: Some(lease.address.into()),
        origin: RouteOrigin::Dhcp,
    }
}

/// Sets the address and routes of a DHCP lease, which was given some time ago.
fn leased(
    cx: &Context,
    claim: &Contender,
    lease: &Lease,
    since: Duration,
    metric: u32,
) -> Result<AddressUp, SysError> {
    let say = |level, text: String| cx.note(level, format!("{}: {text}", claim.link.name));
    for note in &lease.notes {
        say(Level::Warning, note.clone());
    }
    if claim.config.mtu.is_none() {
        // Without one in this lease, that of an earlier lease ends.
        let wanted = lease.mtu.map_or(claim.link.mtu, u32::from);
        let is_other = |link: &Link| link.index == claim.link.index && link.mtu != wanted;
        if cx.sys.links()?.iter().any(is_other) {
            set_mtu(&*cx.sys, &claim.link, wanted, least_mtu(&claim.config), &say)?;
        }
    }
    let valid = remaining(cx, lease.lease_seconds, since);
    let (address, prefix) = (IpAddr::V4(lease.address), lease.prefix);
    change(cx, claim, &LinkChange::Address { address, prefix, peer: None, valid })?;
    let mut gateway = None;
    for (destination, hop) in routes_of(lease) {
        // A bad extra option of a server is no reason to run without its address.
        match change(cx, claim, &lease_route(lease, prefix, (destination, hop), metric)) {
            Ok(()) if destination.is_none() => gateway = gateway.or(hop),
            Ok(()) => {}
            Err(error) => say(Level::Warning, error.to_string()),
        }
    }
    let up = address_up(claim, address, prefix);
    let hostname = up.hostname.clone().or_else(|| HostName::given(lease.hostname.as_deref()?).ok());
    let given_dns = claim.learnt(lease.dns.iter().copied().map(IpAddr::V4));
    let given_ntp = lease.ntp.iter().copied().map(TimeServer::from).collect();
    let origin = AddressOrigin::Dhcp4(Box::new(lease.clone()), since);
    let (domain, search) = (lease.domain.clone(), lease.search.clone());
    Ok(AddressUp { gateway, metric, hostname, given_dns, given_ntp, domain, search, origin, ..up })
}

/// What remains of a lifetime in seconds that began some time ago. At least a second: for the kernel, 0 is no lifetime.
pub fn remaining(cx: &Context, lifetime: Option<u32>, since: Duration) -> Option<Duration> {
    let age = cx.sys.now().saturating_sub(since);
    let remains = |seconds: u32| Duration::from_secs(seconds.into()).saturating_sub(age);
    lifetime.map(|seconds| remains(seconds).max(Duration::from_secs(1)))
}

/// The smallest MTU that the IP versions of a configuration can use.
pub fn least_mtu(config: &Config) -> u32 {
    if config.addresses.iter().any(AddressSource::is_v6) { LEAST_MTU_V6 } else { LEAST_MTU }
}

/// Sets an MTU within the limits of the interface, and not below `least`. If the kernel still refuses it, the boot continues with the
/// old one.
pub fn set_mtu(
    sys: &dyn Sys,
    link: &Link,
    wanted: u32,
    least: u32,
    say: &dyn Fn(Level, String),
) -> Result<(), SysError> {
    let mtu = link.nearest_mtu(wanted.max(least));
    if mtu != wanted {
        let (least, most) = (link.least_mtu.max(least), link.most_mtu);
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

pub fn change(cx: &Context, claim: &Contender, change: &LinkChange) -> Result<(), SysError> {
    cx.sys.change_link(claim.link.index, change)
}
