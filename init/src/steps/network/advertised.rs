//! What routers advertise besides addresses: name servers, search domains and themselves. It is gathered until there is a claim, and
//! followed after it.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use dayfly_formats::nd::{self, NdOptions};
use dayfly_sys::{LinkAddress, NdPort};

use super::ipv6::{is_deprecated, own_addresses, usable};
use super::probe::Probe;
use crate::Autoconf;
use crate::claims::Reason;
use crate::events::Level;

/// How often it is checked whether routers have changed something after the claim.
const KEEP_POLL: Duration = Duration::from_millis(500);

/// The most name servers and search domains that are taken from routers: any host of the link can send advertisements.
pub const MOST_OPTIONS: usize = 16;

/// Gathers what routers advertise besides addresses. False if nothing came within `limit`.
pub fn collect(probe: &Probe, port: &mut dyn NdPort, limit: Duration, options: &mut NdOptions) -> bool {
    match port.receive(limit) {
        Ok(None) => return false,
        Ok(Some((index, bytes))) if index == probe.link.index => {
            let more = nd::parse(&bytes);
            for note in &more.notes {
                (probe.say)(Level::Debug, note.clone());
            }
            put(&mut options.dns, more.dns);
            put(&mut options.search, more.search);
            if let Some((prefix, bits)) = more.pref64.filter(|found| options.pref64 != Some(*found)) {
                (probe.say)(Level::Info, format!("the router translates to IPv4 with {prefix}/{bits}"));
                options.pref64 = Some((prefix, bits));
            }
        }
        Ok(Some(_)) => {}
        Err(error) => {
            (probe.say)(Level::Debug, error.to_string());
            probe.sys.sleep(limit);
        }
    }
    true
}

/// Adds what a router advertises, with its lifetime. The order stays: with two routers, each advertisement would change it.
fn put<T: PartialEq>(known: &mut Vec<(T, u32)>, more: Vec<(T, u32)>) {
    for (value, lifetime) in more {
        if let Some((_, old)) = known.iter_mut().find(|(other, _)| *other == value) {
            *old = lifetime;
        } else if known.len() < MOST_OPTIONS {
            known.push((value, lifetime));
        }
    }
}

/// The address with what the routers have advertised by now. A lifetime of 0 takes a name server back (RFC 8106 5.1).
pub fn found(
    probe: &Probe,
    (address, prefix): (Ipv6Addr, u8),
    options: &NdOptions,
) -> Result<Autoconf, Reason> {
    let routes = probe.sys.routes()?;
    let gateway = routes
        .iter()
        .filter(|route| route.index == probe.link.index && route.is_default())
        .find_map(|route| match route.gateway {
            Some(IpAddr::V6(gateway)) => Some(gateway),
            _ => None,
        });
    let dns = options.dns.iter().filter(|(_, lifetime)| *lifetime != 0);
    let search = options.search.iter().filter(|(_, lifetime)| *lifetime != 0);
    Ok(Autoconf {
        address,
        prefix,
        gateway,
        dns: dns.map(|(server, _)| IpAddr::V6(*server)).collect(),
        ntp: Vec::new(),
        search: search.map(|(domain, _)| domain.clone()).collect(),
        hostname: None,
        lease: None,
    })
}

/// Reports what routers change after the claim, until the probe is over: a router or a name server may come after the first
/// advertisement, which may be that of another router.
pub fn keep(probe: &Probe, port: &mut dyn NdPort, options: &mut NdOptions, mut claimed: Autoconf) {
    while !probe.is_over() {
        collect(probe, port, KEEP_POLL, options);
        let Ok(own) = own_addresses(probe) else { continue };
        let by_routers = || {
            let is_link_local = claimed.address.is_unicast_link_local();
            still_usable(&own, claimed.address).or_else(|| usable(&own, is_link_local))
        };
        let address = claimed.lease.as_ref().map(|lease| (lease.address, 128)).or_else(by_routers);
        let Some(Ok(now)) = address.map(|address| found(probe, address, options)) else { continue };
        // What a DHCPv6 server gave stays.
        let dns = if now.dns.is_empty() { claimed.dns.clone() } else { now.dns };
        let search = if now.search.is_empty() { claimed.search.clone() } else { now.search };
        let (address, prefix, gateway) = (now.address, now.prefix, now.gateway);
        let changed = Autoconf { address, prefix, gateway, dns, search, ..claimed.clone() };
        if changed != claimed {
            let words = changes(&claimed, &changed);
            (probe.say)(Level::Info, format!("the routers have changed the network: {words}"));
            probe.changed(&changed);
            claimed = changed;
        }
    }
}

/// The claimed address, as long as it is good: the server answered over it, and another prefix is no reason to change it.
fn still_usable(own: &[LinkAddress], address: Ipv6Addr) -> Option<(Ipv6Addr, u8)> {
    let one = own.iter().find(|one| one.address == IpAddr::V6(address))?;
    (!one.tentative && !one.dad_failed && !is_deprecated(one)).then_some((address, one.prefix))
}

/// What is different in a claim.
fn changes(before: &Autoconf, after: &Autoconf) -> String {
    let list = |all: &[IpAddr]| {
        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
        if all.is_empty() { "none".to_owned() } else { all.join(", ") }
    };
    let gateway = |one: &Autoconf| one.gateway.map_or_else(|| "none".to_owned(), |hop| hop.to_string());
    let all = [
        (before.address != after.address).then(|| format!("address {}/{}", after.address, after.prefix)),
        (before.gateway != after.gateway).then(|| format!("router {}", gateway(after))),
        (before.dns != after.dns).then(|| format!("name servers {}", list(&after.dns))),
        (before.search != after.search).then(|| format!("search domains {}", after.search.join(" "))),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::ipv6::tests::address;
    use super::*;

    #[test]
    fn a_claimed_address_stays_until_it_is_deprecated() {
        let (old, new) = (address("2001:db8:1::2", Some(0)), address("2001:db8:2::2", Some(600)));
        let local = address("fd00::2", Some(600));
        let v6 = |one: &LinkAddress| match one.address {
            IpAddr::V6(address) => address,
            IpAddr::V4(_) => unreachable!(),
        };
        let own = [new.clone(), local.clone(), old.clone()];
        assert_eq!(still_usable(&own, v6(&local)), Some((v6(&local), 64)));
        assert_eq!(still_usable(&own, v6(&old)), None);
    }

    #[test]
    fn routers_that_take_turns_change_nothing() {
        let mut known: Vec<(u8, u32)> = Vec::new();
        put(&mut known, vec![(1, 600)]);
        put(&mut known, vec![(2, 600)]);
        let before = known.clone();
        put(&mut known, vec![(1, 600)]);
        assert_eq!(known, before);
        put(&mut known, vec![(1, 0)]);
        assert_eq!(known, [(1, 0), (2, 600)]);
        put(&mut known, (3..100).map(|value| (value, 1)).collect());
        assert_eq!(known.len(), MOST_OPTIONS);
    }
}
