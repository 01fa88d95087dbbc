//! The owner of the configuration: only this configures interfaces, and removes their configuration again.

use std::net::IpAddr;
use std::time::Duration;

use dayfly_formats::dhcp4::Lease;
use dayfly_plan::network::{Network, Ready, Route, needs_onlink};
use dayfly_sys::{Cause, Family, LinkChange, RouteOrigin, Sys, SysError};

use super::apply::{self, METRIC};
use super::ipv6;
use crate::claims::{Contender, Origin, State, Way};
use crate::context::Context;
use crate::events::Level;
use crate::{AddressOrigin, AddressUp, NetworkUp};

/// Configures a claim, with a higher metric than all that are configured.
fn configure(cx: &Context, claim: &Contender) -> Result<AddressUp, SysError> {
    let metric = cx.claims.addresses().iter().map(|up| up.metric + 1).max().unwrap_or(METRIC);
    configure_with(cx, claim, metric)
}

fn configure_with(cx: &Context, claim: &Contender, metric: u32) -> Result<AddressUp, SysError> {
    let up = apply::configure(cx, claim, metric)?;
    if cx.claims.is_configured(claim, up.clone()) {
        return Ok(up);
    }
    // The runner gave this attempt up, and the next one owns the interface.
    apply::flush(cx, &claim.link, Some(claim.family))?;
    Err(SysError::new("configure", &*claim.link.name, Cause::Unsupported, "this attempt is over"))
}

/// Configures the network for the way that has won, and removes the others. The claims were configured in the order in which they
/// came; now the winner gets the lowest metric, and those that are configured in addition get the next ones, the same at each boot.
pub fn win(
    cx: &Context,
    wanted: &Network,
    claim: &Contender,
    first: AddressUp,
) -> Result<NetworkUp, SysError> {
    let is_kernels = |one: &Contender| matches!(one.state, State::Claims(Origin::Autoconf(..)));
    // The kernel sets these addresses and their routes itself.
    let stays: Vec<Way> =
        cx.claims.companions(true).iter().filter(|one| is_kernels(one)).map(Contender::way).collect();
    let others: Vec<Contender> =
        cx.claims.all().into_iter().filter(|one| !stays.contains(&one.way())).collect();
    let (winner, losers): (Vec<Contender>, Vec<Contender>) =
        others.into_iter().partition(|one| one.way() == claim.way());
    take_back(cx, &losers);
    rank_default_routes(cx, claim, &losers);
    let first = if first.metric == METRIC || is_kernels(claim) {
        first
    } else {
        take_back(cx, &winner);
        configure_with(cx, claim, METRIC)?
    };
    configure_companions(cx);
    let up = NetworkUp {
        made: wanted.made().cloned().collect(),
        wanted_dns: wanted.dns.clone(),
        dns: Vec::new(),
        ntp: wanted.ntp.clone(),
        domain: None,
        search: Vec::new(),
        hostname: None,
        others: Vec::new(),
        routes: Vec::new(),
        wanted_routes: wanted.routes.clone(),
        peer_dns: wanted.peer_dns,
        uuid: wanted.uuid,
        reached: match (&wanted.ready, &claim.answer) {
            (Ready::Server(server), Some(Ok(()))) => Some(server.clone()),
            _ => None,
        },
        first,
    };
    let mut up = with_all(cx, &up);
    // The interface that a route needs may have no address yet; `settle` adds that route.
    for route in &wanted.routes {
        let Some(iface) = interface_of(&up, route) else { continue };
        match add_route(cx, &up, route, iface) {
            Ok(iface) => up.routes.extend(iface.map(|iface| (iface, route.clone()))),
            Err(error) => cx.note(Level::Info, error.to_string()),
        }
    }
    Ok(up)
}

/// Gives the default routes of other interfaces by router advertisements higher metrics than the winner's. The kernel adds these routes
/// itself, with each advertisement again.
fn rank_default_routes(cx: &Context, winner: &Contender, losers: &[Contender]) {
    let all = cx.claims.all();
    let has_won = |one: &Contender| one.link.index == winner.link.index;
    let others = all.iter().filter(|one| one.family == Family::V6 && !has_won(one)).zip(METRIC + 1..);
    let won = all.iter().filter(|one| one.family == Family::V6 && has_won(one)).map(|one| (one, METRIC));
    let ranked: Vec<(&Contender, u32)> = won.chain(others).collect();
    for (one, metric) in &ranked {
        ipv6::set_route_metric(cx, &one.link, *metric);
    }
    // A claim that was not configured yet may have its route from before.
    let is_left = |one: &&Contender| one.up.is_none() && !one.is_named && !has_won(one);
    for one in losers.iter().filter(is_left) {
        if matches!(one.state, State::Claims(Origin::Autoconf(..)))
            && let Err(error) = apply::flush(cx, &one.link, Some(Family::V6))
        {
            cx.note(Level::Warning, format!("{}: {error}", one.link.name));
        }
    }
    // Only now, when the routes of those that lost are gone.
    for (one, metric) in ranked {
        match ipv6::renew_route(cx, &one.link, metric) {
            Err(error) if !error.is_not_found() => {
                cx.note(Level::Debug, format!("{}: {error}", one.link.name));
            }
            _ => {}
        }
    }
}

/// Configures a claim. One that cannot be configured is reported, and is no claim any more.
pub fn try_configure(cx: &Context, claim: &Contender) -> Option<AddressUp> {
    match configure(cx, claim) {
        Ok(up) => Some(up),
        Err(error) => {
            refuse(cx, claim, &error);
            None
        }
    }
}

/// Reports a claim that cannot be configured, which is no claim any more.
pub fn refuse(cx: &Context, claim: &Contender, error: &SysError) {
    cx.note(Level::Warning, format!("{}: {error}", claim.link.name));
    cx.claims.refused(claim.way(), error.to_string());
}

/// Configures the best claim in place of an address that was withdrawn. False as long as there is none.
pub fn replace(cx: &Context) -> bool {
    if cx.claims.is_decided() {
        return true;
    }
    // Another interface that a parameter names may be configured already.
    let lost = cx.known.network.as_ref().map(|network| network.first.iface.as_str());
    let is_other = |one: &Contender| one.is_named && Some(one.link.name.as_str()) != lost;
    if let Some(claim) = cx.claims.ready(|_| false, is_other) {
        return cx.claims.wins(claim.way());
    }
    let Some(claim) = cx.claims.candidates(|_| false).into_iter().next() else { return false };
    let Some(up) = try_configure(cx, &claim) else { return false };
    cx.note(Level::Info, describe(&up));
    cx.claims.wins(claim.way())
}

/// Configures the winner again if another interface had its address meanwhile. Returns the network of now.
pub fn stay(cx: &Context, winner: &Contender, network: &NetworkUp) -> Result<NetworkUp, SysError> {
    let is_up = cx.claims.all().iter().any(|one| one.way() == winner.way() && one.up.is_some());
    if is_up {
        return Ok(with_all(cx, network));
    }
    configure_with(cx, winner, METRIC)?;
    let mut network = with_all(cx, network);
    // They went with the address.
    network.routes.retain(|(iface, _)| *iface != winner.link.name);
    add_missing_routes(cx, &mut network);
    Ok(network)
}

/// Adds the static routes that could not be added before every interface was configured.
pub fn add_missing_routes(cx: &Context, network: &mut NetworkUp) {
    let missing: Vec<Route> = network
        .wanted_routes
        .iter()
        .filter(|route| network.routes.iter().all(|(_, there)| there != *route))
        .cloned()
        .collect();
    for route in missing {
        let iface = interface_of(network, &route).unwrap_or(&network.first.iface);
        match add_route(cx, network, &route, iface) {
            Ok(iface) => network.routes.extend(iface.map(|iface| (iface, route))),
            Err(error) => cx.note(Level::Warning, error.to_string()),
        }
    }
}

/// The network with every address that is configured by now, and the name servers, domains and host name that they give.
pub fn with_all(cx: &Context, network: &NetworkUp) -> NetworkUp {
    let mut up = cx.claims.addresses().into_iter();
    // A lease may have been extended since, or lost without another address.
    let withdrawn = |up: &AddressUp| AddressUp { origin: AddressOrigin::Withdrawn, ..up.clone() };
    let first = up.next().unwrap_or_else(|| withdrawn(&network.first));
    let mut others: Vec<AddressUp> = up.collect();
    // An interface that a parameter names still belongs to the network without its lease: the OS asks for another one.
    let named: Vec<String> =
        cx.claims.all().into_iter().filter(|one| one.is_named).map(|one| one.link.name).collect();
    for lost in network.addresses().filter(|up| named.contains(&up.iface)) {
        if lost.iface != first.iface && others.iter().all(|up| up.iface != lost.iface) {
            others.push(withdrawn(lost));
        }
    }
    let dns = network.wanted_dns.clone();
    // The server answered over this interface only.
    let reached = network.reached.clone().filter(|_| first.iface == network.first.iface);
    let mut all = NetworkUp { first, reached, others, dns, ..network.clone() };
    let named = all.addresses().flat_map(|up| up.dns.clone());
    let leased = all.addresses().filter(|_| all.peer_dns).flat_map(|up| up.given_dns.clone());
    let more: Vec<_> = named.chain(leased).collect();
    for server in more {
        if !all.dns.contains(&server) {
            all.dns.push(server);
        }
    }
    let hostname = all.addresses().find_map(|up| up.hostname.clone());
    let domain = all.addresses().find_map(|up| up.domain.clone());
    let mut search: Vec<String> = Vec::new();
    for name in all.addresses().flat_map(|up| &up.search) {
        if !search.contains(name) {
            search.push(name.clone());
        }
    }
    NetworkUp { domain, search, hostname, ..all }
}

/// Configures the ways that are configured in addition to the winner and have a claim.
pub fn configure_companions(cx: &Context) {
    for claim in cx.claims.companions(false) {
        if let Some(up) = try_configure(cx, &claim) {
            cx.note(Level::Info, format!("{}, in addition", describe(&up)));
        }
    }
}

/// Removes the configuration of ways that lost.
pub fn take_back(cx: &Context, contenders: &[Contender]) {
    for contender in contenders.iter().filter(|one| one.up.is_some()) {
        if let Err(error) = apply::flush(cx, &contender.link, Some(contender.family)) {
            cx.note(Level::Warning, format!("{}: {error}", contender.link.name));
        }
        cx.claims.is_taken_back(contender.way());
    }
}

/// Removes the configuration of every way that is neither the boot's nor configured in addition to it.
pub fn take_back_losers(cx: &Context) {
    take_back(cx, &cx.claims.losers());
}

/// Extends the lifetime of a leased address, and changes its routes to those of the new lease, as systemd-networkd does. The prefix stays
/// that of the first lease: with another one, it would be a second address.
pub fn extend(
    sys: &dyn Sys,
    index: u32,
    prefix: u8,
    metric: u32,
    old: &Lease,
    new: &Lease,
) -> Result<(), SysError> {
    let valid = new.lease_seconds.map(|seconds| Duration::from_secs(seconds.into()));
    sys.change_link(index, &LinkChange::Address { address: old.address.into(), prefix, peer: None, valid })?;
    let (before, after) = (apply::routes_of(old), apply::routes_of(new));
    for route in after.iter().filter(|route| !before.contains(route)) {
        sys.change_link(index, &apply::lease_route(old, prefix, *route, metric))?;
    }
    for route in before.iter().filter(|route| !after.contains(route)) {
        let (destination, gateway) = *route;
        // A new route to the same network may have replaced it.
        sys.change_link(index, &LinkChange::RouteGone { destination, gateway, metric })?;
    }
    Ok(())
}

/// Removes the IPv4 address of an interface, which it must not use any more.
pub fn remove(sys: &dyn Sys, index: u32) -> Result<(), SysError> {
    sys.change_link(index, &LinkChange::Flush(Some(Family::V4)))
}

/// The interface of a static route: the one that it names, else the one whose network has the next hop, else the winner's.
/// `None` if no address is in the network of its next hop.
fn interface_of<'n>(network: &'n NetworkUp, route: &'n Route) -> Option<&'n str> {
    match (&route.interface, route.gateway) {
        (Some(iface), _) => Some(iface),
        (None, Some(gateway)) => near(network, gateway).map(|up| up.iface.as_str()),
        (None, None) => Some(&network.first.iface),
    }
}

/// The address in whose network a next hop is.
fn near(network: &NetworkUp, gateway: IpAddr) -> Option<&AddressUp> {
    network.addresses().find(|up| !needs_onlink(up.address, up.prefix, gateway))
}

/// Adds a static route to an interface. Returns the interface's name.
fn add_route(
    cx: &Context,
    network: &NetworkUp,
    route: &Route,
    iface: &str,
) -> Result<Option<String>, SysError> {
    let links = cx.sys.links()?;
    let Some(link) = links.iter().find(|link| link.name == iface) else {
        cx.note(Level::Warning, format!("{route}: there is no interface {iface}"));
        return Ok(None);
    };
    let change = LinkChange::Route {
        destination: (route.prefix != 0).then_some((route.destination, route.prefix)),
        gateway: route.gateway,
        metric: METRIC,
        on_link: route.interface.is_some() && route.gateway.is_some_and(|hop| near(network, hop).is_none()),
        source: None,
        origin: RouteOrigin::Static,
    };
    cx.sys.change_link(link.index, &change)?;
    Ok(Some(link.name.clone()))
}

/// One line for the log.
pub fn describe(up: &AddressUp) -> String {
    let gateway = up.gateway.map_or_else(String::new, |gateway| format!(" via {gateway}"));
    format!("{} has {}/{}{gateway} ({})", up.iface, up.address, up.prefix, up.origin)
}
