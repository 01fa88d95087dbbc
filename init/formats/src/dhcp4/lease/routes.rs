//! Option 121 (RFC 3442), and checks of routes and routers against the lease's own address.

use std::net::Ipv4Addr;

use super::Route;
use super::field::address_fault;
use crate::dhcp4::{Options, code};
use crate::field::Notes;

/// This host's address and prefix length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    pub(super) address: Ipv4Addr,
    pub(super) prefix: u8,
}

impl Own {
    /// Why a valid host address cannot be the router of this host, as the end of a sentence.
    pub(super) fn router_fault(self, router: Ipv4Addr) -> Option<&'static str> {
        if router == self.address {
            return Some("is this host's own address");
        }
        match end_of_net(router, self.prefix).filter(|_| is_in(router, self.address, self.prefix)) {
            Some("network") => Some("is the network address of this host's network"),
            Some(_) => Some("is the broadcast address of this host's network"),
            None => None,
        }
    }

    /// Whether a router is neither in this host's network nor in one that a route declares to be on the link. With a
    /// prefix of 31 or 32, all routers are elsewhere; clouds use this.
    pub(super) fn is_far(self, router: Ipv4Addr, beside: &[Route]) -> bool {
        !router.is_unspecified()
            && self.prefix < 31
            && !is_in(router, self.address, self.prefix)
            && !beside
                .iter()
                .any(|route| route.gateway.is_unspecified() && is_in(router, route.destination, route.prefix))
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32u32.saturating_sub(u32::from(prefix))).unwrap_or(0)
}

fn is_in(address: Ipv4Addr, net: Ipv4Addr, prefix: u8) -> bool {
    address.to_bits() & mask(prefix) == net.to_bits() & mask(prefix)
}

/// Whether an address is the network or broadcast address of its network, and so not valid for a host. Networks of one
/// or two addresses have neither (RFC 3021).
pub(super) fn end_of_net(address: Ipv4Addr, prefix: u8) -> Option<&'static str> {
    let ones = !mask(prefix);
    let host = address.to_bits() & ones;
    match host {
        _ if ones <= 1 => None,
        0 => Some("network"),
        _ if host == ones => Some("broadcast"),
        _ => None,
    }
}

/// The format is a sequence of: prefix length, the significant bytes of the network, router.
pub(super) fn classless(options: &Options, own: Own, notes: &mut Notes) -> Vec<Route> {
    let mut rest = options.get(code::CLASSLESS_ROUTES).unwrap_or_default();
    let mut routes: Vec<Route> = Vec::new();
    while let Some((&prefix, after)) = rest.split_first() {
        let significant = usize::from(prefix.div_ceil(8));
        let parts = after.split_at_checked(significant).filter(|_| prefix <= 32);
        let Some((net, (gateway, after))) =
            parts.and_then(|(net, after)| Some((net, after.split_first_chunk::<4>()?)))
        else {
            // A truncated list may lack the default route. So all of it is ignored.
            notes.add("classless routes are cut off or have a prefix over 32, ignored".to_owned());
            return Vec::new();
        };
        rest = after;
        let mut octets = [0; 4];
        octets.iter_mut().zip(net).for_each(|(octet, byte)| *octet = *byte);
        // RFC 3442 requires clients to clear the host bits.
        let destination = Ipv4Addr::from_bits(Ipv4Addr::from(octets).to_bits() & mask(prefix));
        let route = Route { destination, prefix, gateway: Ipv4Addr::from(*gateway) };
        match fault(&route, own, &routes) {
            Some(fault) => notes.add(format!("route {route} ignored: {fault}")),
            None => routes.push(route),
        }
    }
    routes
}

/// Why a route is invalid, given those before it.
fn fault(route: &Route, own: Own, before: &[Route]) -> Option<String> {
    let [first, ..] = route.destination.octets();
    match first {
        // The default route, and networks that are larger than the invalid range.
        0 | 127 if route.prefix < 8 => {}
        0 => return Some("0.0.0.0/8 is not valid for hosts".to_owned()),
        127 => return Some("127.0.0.0/8 is this host itself".to_owned()),
        224..240 => return Some("224.0.0.0/4 is multicast".to_owned()),
        240.. => return Some("240.0.0.0/4 is reserved".to_owned()),
        _ => {}
    }
    let same = |other: &&Route| (other.destination, other.prefix) == (route.destination, route.prefix);
    if let Some(other) = before.iter().find(same) {
        return Some(format!("the same network already has a route, {other}"));
    }
    if route.gateway.is_unspecified() {
        return None;
    }
    let fault = address_fault(route.gateway).or_else(|| own.router_fault(route.gateway))?;
    Some(format!("its router {fault}"))
}
