//! The owner of the configuration: only this configures interfaces, and removes their configuration again.

use std::net::IpAddr;

use dayfly_plan::network::{Network, Route};
use dayfly_sys::{LinkChange, RouteOrigin, SysError};

use super::apply::{self, METRIC};
use crate::claims::Contender;
use crate::context::Context;
use crate::events::Level;
use crate::{AddressUp, NetworkUp};

/// Configures a claim as the winner, and the ways that go with it. Removes the previous configuration first.
pub fn configure(cx: &Context, wanted: &Network, claim: &Contender) -> Result<NetworkUp, SysError> {
    let before: Vec<Contender> = cx.claims.all().into_iter().filter(|one| one.up.is_some()).collect();
    take_back(cx, &before);
    let first = apply::configure(cx, claim, METRIC)?;
    cx.claims.is_configured(claim.way(), first.clone(), true);
    configure_companions(cx);
    let (domain, search) = apply::domains(claim);
    let up = NetworkUp {
        made: wanted.made().cloned().collect(),
        dns: wanted.dns.clone(),
        domain,
        search,
        hostname: first.hostname.clone(),
        others: Vec::new(),
        routes: Vec::new(),
        wanted_routes: wanted.routes.clone(),
        peer_dns: wanted.peer_dns,
        uuid: wanted.uuid,
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

/// The network with every address that is configured by now, and their name servers.
pub fn with_all(cx: &Context, network: &NetworkUp) -> NetworkUp {
    let mut all =
        NetworkUp { others: cx.claims.addresses().into_iter().skip(1).collect(), ..network.clone() };
    let named = all.addresses().flat_map(|up| up.dns.clone());
    let leased = all.addresses().filter(|_| all.peer_dns).flat_map(|up| up.given_dns.clone());
    let more: Vec<_> = named.chain(leased).collect();
    for server in more {
        if !all.dns.contains(&server) {
            all.dns.push(server);
        }
    }
    all
}

/// Configures the ways that are configured in addition to the winner and have a claim. The winner's routes get the lowest metric.
pub fn configure_companions(cx: &Context) {
    let first = cx.claims.addresses().iter().map(|up| up.metric).max().unwrap_or(METRIC) + 1;
    for (claim, metric) in cx.claims.companions(false).iter().zip(first..) {
        match apply::configure(cx, claim, metric) {
            Ok(up) => {
                cx.note(Level::Info, format!("{}, in addition", describe(&up)));
                cx.claims.is_configured(claim.way(), up, false);
            }
            Err(error) => {
                cx.note(Level::Warning, format!("{}: {error}", claim.link.name));
                cx.claims.refused(claim.way(), error.to_string());
            }
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
    network.addresses().find(|up| apply::is_near(up.address, up.prefix, gateway))
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
