//! The owner of the configuration: only this configures interfaces, and removes their configuration again.

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
    for route in &wanted.routes {
        match add_route(cx, &up, route) {
            Ok(iface) => up.routes.extend(iface.map(|iface| (iface, route.clone()))),
            // The interface that it needs may come later; `settle` tries again.
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
        match add_route(cx, network, &route) {
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

/// Adds a static route to the link that it names; else to the one whose network has the next hop; else to the winner's. Returns
/// the link's name.
fn add_route(cx: &Context, network: &NetworkUp, route: &Route) -> Result<Option<String>, SysError> {
    let links = cx.sys.links()?;
    let near = network.addresses().find(|up| match (&route.interface, route.gateway) {
        (Some(_), _) | (None, None) => false,
        (None, Some(gateway)) => apply::is_near(up.address, up.prefix, gateway),
    });
    let iface = route.interface.as_deref().unwrap_or(&near.unwrap_or(&network.first).iface);
    let Some(link) = links.iter().find(|link| link.name == iface) else {
        cx.note(Level::Warning, format!("{route}: there is no interface {iface}"));
        return Ok(None);
    };
    let change = LinkChange::Route {
        destination: (route.prefix != 0).then_some((route.destination, route.prefix)),
        gateway: route.gateway,
        metric: METRIC,
        on_link: route.gateway.is_some_and(|_| near.is_none() && route.interface.is_some()),
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
