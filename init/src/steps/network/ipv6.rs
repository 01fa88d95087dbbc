//! IPv6 on one interface. The kernel does stateless address autoconfiguration (RFC 4862) itself; this prepares it, waits for what it
//! brings, and adds DHCPv6 where the routers or the parameters ask for it.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use dayfly_formats::dhcp6::Lease6;
use dayfly_formats::dhcp6::client::Want;
use dayfly_formats::nd::NdOptions;
use dayfly_plan::network::{AddressSource, Limits};
use dayfly_sys::{
    Cause, Family, Link, LinkAddress, LinkChange, LinkRoute, NdPort, RouteOrigin, SysError, TreePath, own,
};

use super::advertised::{MOST_OPTIONS, collect, found};
use super::apply::{METRIC, address_up, change, remaining};
use super::dhcp6;
use super::probe::{POLL, Probe};
use crate::claims::{Contender, Reason, State};
use crate::context::Context;
use crate::events::Level;
use crate::{AddressOrigin, AddressUp, Autoconf};

/// How long `either6` waits for an address from router advertisements before it asks a DHCPv6 server, without
/// `rd.net.timeout.ipv6auto=`.
const EITHER_WAIT: Duration = Duration::from_secs(3);
/// How long a DHCPv6 server is asked before the routers' own addresses are looked at again.
const LEASE_WAIT: Duration = Duration::from_secs(5);
/// How long a DHCPv6 server is asked for name servers, after an address is there.
const INFORMATION_WAIT: Duration = Duration::from_secs(2);
/// How long duplicate address detection may take for an address that is set: the kernel sends one probe and waits a second
/// (RFC 4862 5.4), where optimistic addresses are not built in.
const DETECTION_WAIT: Duration = Duration::from_secs(3);

/// Settings of the interface in /proc/sys/net/ipv6/conf (Documentation/networking/ip-sysctl.rst), before it is set up. With them, the
/// routers are asked without a delay of up to a second, an address is usable before duplicate address detection ends, and routes to
/// networks of any prefix length are accepted from routers (RFC 4191; the kernel's default is none but the default route).
const SETTINGS: [(&str, &str); 4] = [
    ("router_solicitation_delay", "0"),
    ("optimistic_dad", "1"),
    ("use_optimistic", "1"),
    ("accept_ra_rt_info_max_plen", "128"),
];

/// The metric of the default route that the kernel adds by router advertisements. Linux 5.12 and later have it.
const ROUTE_METRIC: &str = "ra_defrtr_metric";

/// Which router advertisements the kernel uses: for addresses and routes, for routes beside DHCPv6, or none. With 2, also on a machine
/// that forwards packets, as nodes of a cluster do.
fn advertisements(probe: &Probe) -> [(&'static str, &'static str); 2] {
    let wants = |source: AddressSource| probe.config.addresses.contains(&source);
    let (by_routers, by_dhcp) = (wants(AddressSource::RouterAdvertisement), wants(AddressSource::Dhcp6));
    [
        ("accept_ra", if by_routers || by_dhcp { "2" } else { "0" }),
        ("autoconf", if by_routers { "1" } else { "0" }),
    ]
}

/// A setting of an interface.
fn setting(link: &Link, name: &str) -> TreePath {
    own(format!("/proc/sys/net/ipv6/conf/{}/{name}", link.name))
}

/// Sets the metric of the default route by later router advertisements.
pub fn set_route_metric(cx: &Context, link: &Link, metric: u32) {
    match cx.sys.write(&setting(link, ROUTE_METRIC), metric.to_string().as_bytes(), 0o644) {
        Err(error) if !error.is_not_found() => cx.note(Level::Debug, format!("{}: {error}", link.name)),
        _ => {}
    }
}

/// Asks the routers for an advertisement, if the default route that the kernel has by an earlier one has another metric. The kernel
/// replaces such a route with the next advertisement, which may be many minutes away (RFC 4861 6.2.1: up to 30).
pub fn renew_route(cx: &Context, link: &Link, metric: u32) -> Result<(), SysError> {
    let set = cx.sys.read(&setting(link, ROUTE_METRIC))?;
    if String::from_utf8_lossy(&set).trim() != metric.to_string() {
        return Ok(());
    }
    let is_old = |route: &LinkRoute| {
        let is_advertised = route.is_default() && route.origin == RouteOrigin::RouterAdvertisement;
        route.index == link.index && is_advertised && route.metric != metric
    };
    if cx.sys.routes()?.iter().any(is_old) { cx.sys.solicit_routers(link.index) } else { Ok(()) }
}

/// Prepares an interface that is down, and opens the socket for what routers advertise besides addresses.
pub fn prepare(probe: &Probe) -> Result<Box<dyn NdPort>, Reason> {
    let path = |name: &str| setting(&probe.link, name);
    match probe.sys.read(&path("disable_ipv6")) {
        Ok(text) if text.starts_with(b"1") => {
            return Err(Reason::Refused("IPv6 is disabled (disable_ipv6)".to_owned()));
        }
        Ok(_) => {}
        Err(error) if error.is_not_found() => {
            return Err(Reason::Refused("the kernel has no IPv6".to_owned()));
        }
        Err(error) => (probe.say)(Level::Debug, error.to_string()),
    }
    // An interface that appears after the winner comes after it.
    let metric = (METRIC + if probe.is_decided() { probe.link.index } else { 0 }).to_string();
    let all = SETTINGS.into_iter().chain(advertisements(probe)).chain([(ROUTE_METRIC, metric.as_str())]);
    for (name, value) in all {
        // Not every kernel has each of them.
        match probe.sys.read(&path(name)) {
            Ok(before) => probe.keep_setting(path(name), before),
            Err(error) => {
                (probe.say)(Level::Debug, error.to_string());
                continue;
            }
        }
        if let Err(error) = probe.sys.write(&path(name), value.as_bytes(), 0o644) {
            (probe.say)(Level::Debug, error.to_string());
        }
    }
    Ok(probe.sys.nd_options()?)
}

/// Has the kernel begin again on an interface that is up already: it asks the routers when IPv6 is switched on. Setting the interface
/// down and up would do the same, but a switch may then block its port for half a minute (spanning tree).
pub fn start_again(probe: &Probe) {
    let path = own(format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", probe.link.name));
    for value in ["1", "0"] {
        if let Err(error) = probe.sys.write(&path, value.as_bytes(), 0o644) {
            (probe.say)(Level::Debug, error.to_string());
        }
    }
}

/// Waits for an address, until there is one or the probe is over.
pub fn autoconf(probe: &Probe, port: &mut dyn NdPort, options: &mut NdOptions) -> Result<Autoconf, Reason> {
    let wants = |source: AddressSource| probe.config.addresses.contains(&source);
    let (by_routers, by_dhcp) = (wants(AddressSource::RouterAdvertisement), wants(AddressSource::Dhcp6));
    let started = probe.sys.now();
    let mut lacking = Reason::NoLease("no link-local address yet".to_owned());
    let (either_wait, limit) = waits(&probe.config.limits, by_routers && by_dhcp);
    while !probe.is_over() && limit.is_none_or(|limit| probe.sys.now().saturating_sub(started) < limit) {
        collect(probe, port, POLL, options);
        let own = own_addresses(probe)?;
        let link_local = usable(&own, true);
        if wants(AddressSource::LinkLocal)
            && let Some(link_local) = link_local
        {
            return found(probe, link_local, options);
        }
        let global = link_local.and_then(|_| usable(&own, false));
        if by_routers && let Some(global) = global {
            // The kernel sets the address first, then passes on the other options of the same advertisement.
            // A flood of them must not keep the address back.
            for _ in 0..MOST_OPTIONS {
                if !collect(probe, port, POLL, options) {
                    break;
                }
            }
            let mut autoconf = found(probe, global, options)?;
            ask_for_name_servers(probe, &mut autoconf)?;
            return Ok(autoconf);
        }
        if let Some(refused) = own.iter().find(|one| one.dad_failed) {
            let words =
                format!("another host has the address {} (duplicate address detection)", refused.address);
            lacking = Reason::Refused(words);
            probe.tell(Family::V6, State::Waiting(lacking.clone()));
            continue;
        }
        if link_local.is_none() {
            continue;
        }
        let late = probe.sys.now().saturating_sub(started) >= either_wait;
        if by_dhcp && (!by_routers || late) || by_routers && router(probe)?.is_some_and(|flags| flags.managed)
        {
            // A router may refer to a server that does not answer, and give an address itself.
            let lease =
                match dhcp6::lease(probe, by_routers.then_some(LEASE_WAIT).or(probe.config.limits.dhcp)) {
                    Ok(lease) => lease,
                    Err(reason) if by_routers && !probe.is_over() => {
                        lacking = reason;
                        probe.tell(Family::V6, State::Waiting(lacking.clone()));
                        continue;
                    }
                    Err(reason) => return Err(reason),
                };
            collect(probe, port, Duration::ZERO, options);
            let mut autoconf = found(probe, (lease.address, 128), options)?;
            autoconf.merge(&lease.config);
            autoconf.lease = Some(lease);
            return Ok(autoconf);
        }
        let words = "no router has advertised a network prefix";
        if lacking != Reason::NoLease(words.to_owned()) {
            lacking = Reason::NoLease(words.to_owned());
            probe.tell(Family::V6, State::Waiting(lacking.clone()));
        }
    }
    Err(lacking)
}

pub(super) fn own_addresses(probe: &Probe) -> Result<Vec<LinkAddress>, SysError> {
    let all = probe.sys.addresses()?;
    Ok(all.into_iter().filter(|one| one.index == probe.link.index && one.address.is_ipv6()).collect())
}

/// The best usable address: one that the router has not deprecated first (RFC 4862 5.5.4), then one of the Internet before a unique
/// local one (RFC 4193).
pub(super) fn usable(own: &[LinkAddress], link_local: bool) -> Option<(Ipv6Addr, u8)> {
    let fit = own.iter().filter(|one| one.scope_link == link_local && !one.tentative && !one.dad_failed);
    let all = fit.filter_map(|one| match one.address {
        IpAddr::V6(address) => Some((is_deprecated(one), address, one.prefix)),
        IpAddr::V4(_) => None,
    });
    let best = all.min_by_key(|(is_deprecated, address, _)| (*is_deprecated, address.is_unique_local()));
    best.map(|(_, address, prefix)| (address, prefix))
}

/// Whether the router has deprecated an address.
pub(super) fn is_deprecated(one: &LinkAddress) -> bool {
    one.preferred.is_some_and(|time| time.is_zero())
}

/// When `either6` asks a DHCPv6 server, and how long this may take in all. As in dracut, its limit for router advertisements ends only
/// the wait for these; the limit for DHCP begins then.
fn waits(limits: &Limits, is_either: bool) -> (Duration, Option<Duration>) {
    let either = limits.autoconf.unwrap_or(EITHER_WAIT);
    let limit = if is_either { limits.dhcp.map(|dhcp| either.saturating_add(dhcp)) } else { limits.autoconf };
    (either, limit)
}

fn router(probe: &Probe) -> Result<Option<dayfly_sys::RouterFlags>, Reason> {
    let links = probe.sys.links()?;
    Ok(links.iter().find(|link| link.index == probe.link.index).and_then(|link| link.router))
}

/// Asks a DHCPv6 server for name servers, if the routers refer to one and name none themselves.
fn ask_for_name_servers(probe: &Probe, autoconf: &mut Autoconf) -> Result<(), Reason> {
    let refers = router(probe)?.is_some_and(|flags| flags.other || flags.managed);
    if !refers || !autoconf.dns.is_empty() {
        return Ok(());
    }
    match dhcp6::ask(probe, Want::Information, Some(INFORMATION_WAIT)) {
        Ok(dhcp6::Answer::Information(information)) => autoconf.merge(&information.config),
        Ok(dhcp6::Answer::Lease(_)) => {}
        Err(reason) => (probe.say)(Level::Info, format!("no name servers from DHCPv6: {reason}")),
    }
    Ok(())
}

/// Sets what a claim has, unless the kernel has it already.
pub fn apply(
    cx: &Context,
    claim: &Contender,
    autoconf: &Autoconf,
    since: Duration,
    metric: u32,
) -> Result<AddressUp, SysError> {
    let Autoconf { address, prefix, gateway, .. } = *autoconf;
    let is_there = cx
        .sys
        .addresses()?
        .iter()
        .any(|one| one.index == claim.link.index && one.address == IpAddr::V6(address));
    let valid = remaining(cx, autoconf.lease.as_ref().and_then(Lease6::lifetime), since);
    if !is_there {
        change(cx, claim, &LinkChange::Address { address: address.into(), prefix, valid, peer: None })?;
    }
    wait_until_usable(cx, claim, address.into())?;
    let has_route = cx.sys.routes()?.iter().any(|route| {
        route.index == claim.link.index
            && route.is_default()
            && route.gateway.is_some_and(|hop| hop.is_ipv6())
    });
    if let Some(gateway) = gateway.filter(|_| !has_route) {
        let route = LinkChange::Route {
            destination: None,
            gateway: Some(gateway.into()),
            metric,
            on_link: false,
            source: None,
            origin: RouteOrigin::RouterAdvertisement,
        };
        change(cx, claim, &route)?;
    }
    let up = address_up(claim, address.into(), prefix);
    let given = autoconf.hostname.as_deref();
    let hostname = up.hostname.clone().or_else(|| dayfly_plan::settings::value::HostName::given(given?).ok());
    let origin = match &autoconf.lease {
        Some(lease) => AddressOrigin::Dhcp6(Box::new(lease.clone())),
        None if address.is_unicast_link_local() => AddressOrigin::LinkLocal,
        None => AddressOrigin::RouterAdvertisement,
    };
    let gateway = gateway.map(IpAddr::V6);
    let (given_dns, given_ntp) = (claim.learnt(autoconf.dns.iter().copied()), autoconf.ntp.clone());
    let search = autoconf.search.clone();
    Ok(AddressUp { gateway, metric, hostname, given_dns, given_ntp, search, origin, ..up })
}

/// Waits until duplicate address detection lets an IPv6 address be used.
pub fn wait_until_usable(cx: &Context, claim: &Contender, address: IpAddr) -> Result<(), SysError> {
    if address.is_ipv4() {
        return Ok(());
    }
    let until = cx.sys.now() + claim.config.limits.dad.unwrap_or(DETECTION_WAIT);
    loop {
        let all = cx.sys.addresses()?;
        let own = all.iter().find(|one| one.index == claim.link.index && one.address == address);
        match own {
            Some(own) if !own.tentative => return Ok(()),
            Some(own) if !own.dad_failed && cx.sys.now() < until => cx.sys.sleep(POLL),
            _ => {
                let words = "another host has this address (duplicate address detection)";
                return Err(SysError::new(
                    format!("use {address} on"),
                    &*claim.link.name,
                    Cause::Unsupported,
                    words,
                ));
            }
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn address(text: &str, preferred: Option<u64>) -> LinkAddress {
        LinkAddress {
            index: 2,
            address: text.parse().unwrap(),
            prefix: 64,
            peer: None,
            scope_link: text.starts_with("fe80"),
            tentative: false,
            dad_failed: false,
            dynamic: true,
            preferred: preferred.map(Duration::from_secs),
            valid: Some(Duration::from_secs(3600)),
        }
    }

    #[test]
    fn a_deprecated_address_is_the_last_choice() {
        let (old, new) = (address("2001:db8:1::2", Some(0)), address("2001:db8:2::2", Some(600)));
        let (local, link) = (address("fd00::2", Some(600)), address("fe80::2", None));
        let found = |own: &[&LinkAddress]| {
            let own: Vec<LinkAddress> = own.iter().map(|one| (*one).clone()).collect();
            usable(&own, false).map(|(address, _)| IpAddr::V6(address))
        };
        assert_eq!(found(&[&old, &new, &link]), Some(new.address));
        assert_eq!(found(&[&local, &new]), Some(new.address));
        assert_eq!(found(&[&old, &local]), Some(local.address));
        assert_eq!(found(&[&old]), Some(old.address));
        assert_eq!(found(&[&link]), None);
    }

    #[test]
    fn either6_asks_a_server_after_the_limit_for_routers() {
        let seconds = |seconds: Option<u64>| seconds.map(Duration::from_secs);
        for (autoconf, dhcp, is_either, expected) in [
            (None, None, true, (3, None)),
            (Some(1), None, true, (1, None)),
            (Some(40), Some(20), true, (40, Some(60))),
            (None, Some(20), true, (3, Some(23))),
            (Some(1), Some(20), false, (1, Some(1))),
            (None, Some(20), false, (3, None)),
        ] {
            let limits = Limits { autoconf: seconds(autoconf), dhcp: seconds(dhcp), ..Limits::default() };
            let found = waits(&limits, is_either);
            assert_eq!(
                found,
                (Duration::from_secs(expected.0), seconds(expected.1)),
                "{limits:?} {is_either}"
            );
        }
    }
}
