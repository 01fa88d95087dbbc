//! Routes of the main table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use netlink_packet_core::NlaBuffer;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};

use super::attributes::{attributes_of, family, ip, is_of, number_at};
use crate::kernel::netlink::Netlink;
use crate::{Family, LinkRoute, Result, RouteOrigin};

/// `struct rtmsg`, `struct rtnexthop`: bytes before the attributes.
const HEADER: usize = 12;
const NEXT_HOP_HEADER: usize = 8;
/// A next hop of another IP version: the address family (2 bytes), then the address. The libc crate defines it for glibc only.
const RTA_VIA: u16 = 18;
/// `rta_expires` counts 1/100 s (`USER_HZ`).
const TICKS: u64 = 100;

pub(in crate::kernel) fn routes() -> Result<Vec<LinkRoute>> {
    let rows = main_table(&mut Netlink::open()?, "list", "the routes of the main table")?;
    Ok(rows.iter().filter_map(|row| parse(row)).flatten().collect())
}

/// The rows of the main table, of both IP versions.
pub(super) fn main_table(netlink: &mut Netlink, operation: &str, subject: &str) -> Result<Vec<Vec<u8>>> {
    let mut rows = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut query = RouteMessage::default();
        query.header.address_family = family;
        let mut found = netlink.dump(operation, subject, libc::RTM_GETROUTE, &query)?;
        // A kernel without IPv6 answers a request for IPv6 routes with all its routes.
        found.retain(|row| {
            row.first() == Some(&u8::from(family)) && row.get(4) == Some(&RouteHeader::RT_TABLE_MAIN)
        });
        rows.append(&mut found);
    }
    Ok(rows)
}

/// An `RTM_NEWROUTE` body as one route per next hop; `None` if it is not a unicast route.
fn parse(row: &[u8]) -> Option<Vec<LinkRoute>> {
    let (header, attributes) = row.split_at_checked(HEADER)?;
    let &[version, bits, _, _, _, protocol, _, kind, ..] = header else { return None };
    if kind != u8::from(RouteType::Unicast) {
        return None;
    }
    let any = if i32::from(version) == libc::AF_INET6 {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    } else {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    };
    let mut route = LinkRoute {
        destination: (any, bits),
        gateway: None,
        index: 0,
        metric: 0,
        origin: origin(protocol),
        lifetime: None,
    };
    let mut next_hops = Vec::new();
    for attribute in attributes_of(attributes) {
        let value = attribute.value();
        match attribute.kind() {
            libc::RTA_DST => route.destination.0 = ip(value)?,
            libc::RTA_OIF => route.index = number_at(value, 0)?,
            libc::RTA_PRIORITY => route.metric = number_at(value, 0)?,
            libc::RTA_CACHEINFO => route.lifetime = lifetime(number_at(value, 8)? as i32),
            libc::RTA_MULTIPATH => next_hops = value.to_vec(),
            _ => route.gateway = gateway(&attribute).or(route.gateway),
        }
    }
    if next_hops.is_empty() {
        return Some(vec![route]);
    }
    let mut routes = Vec::new();
    let mut rest = &next_hops[..];
    while let Some((header, _)) = rest.split_at_checked(NEXT_HOP_HEADER) {
        let length = usize::from(u16::from_ne_bytes(*header.first_chunk()?)).max(NEXT_HOP_HEADER);
        let hop = rest.get(NEXT_HOP_HEADER..length)?;
        let gateway = attributes_of(hop).find_map(|attribute| gateway(&attribute));
        routes.push(LinkRoute { index: number_at(header, 4)?, gateway, ..route.clone() });
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(routes)
}

fn gateway(attribute: &NlaBuffer<&[u8]>) -> Option<IpAddr> {
    match attribute.kind() {
        libc::RTA_GATEWAY => ip(attribute.value()),
        RTA_VIA => ip(attribute.value().get(2..)?),
        _ => None,
    }
}

/// 0 means no end; a negative number of ticks has passed already.
fn lifetime(ticks: i32) -> Option<Duration> {
    let left = u64::try_from(ticks).unwrap_or(0);
    (ticks != 0).then(|| Duration::from_millis(left * 1000 / TICKS))
}

fn origin(protocol: u8) -> RouteOrigin {
    match RouteProtocol::from(protocol) {
        RouteProtocol::Dhcp => RouteOrigin::Dhcp,
        RouteProtocol::Static => RouteOrigin::Static,
        RouteProtocol::Ra => RouteOrigin::RouterAdvertisement,
        RouteProtocol::Kernel => RouteOrigin::Kernel,
        _ => RouteOrigin::Other(protocol),
    }
}

pub(super) fn protocol(origin: RouteOrigin) -> RouteProtocol {
    match origin {
        RouteOrigin::Dhcp => RouteProtocol::Dhcp,
        RouteOrigin::Static => RouteProtocol::Static,
        RouteOrigin::RouterAdvertisement => RouteProtocol::Ra,
        RouteOrigin::Kernel => RouteProtocol::Kernel,
        RouteOrigin::Other(number) => RouteProtocol::from(number),
    }
}

pub(super) fn route_message(
    destination: Option<(IpAddr, u8)>,
    gateway: Option<IpAddr>,
    on_link: bool,
) -> std::result::Result<RouteMessage, String> {
    let mut message = RouteMessage::default();
    let kind = destination.map(|(net, _)| net).or(gateway).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    if let Some(gateway) = gateway.filter(|gateway| family(*gateway) != family(kind)) {
        return Err(format!("the next hop {gateway} is not of the destination's IP version"));
    }
    message.header.address_family = family(kind);
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.kind = RouteType::Unicast;
    message.header.scope =
        if gateway.is_none() && kind.is_ipv4() { RouteScope::Link } else { RouteScope::Universe };
    if on_link {
        message.header.flags = RouteFlags::Onlink;
    }
    if let Some((net, bits)) = destination {
        message.header.destination_prefix_length = bits;
        message.attributes.push(RouteAttribute::Destination(route_address(net)));
    }
    if let Some(gateway) = gateway {
        message.attributes.push(RouteAttribute::Gateway(route_address(gateway)));
    }
    Ok(message)
}

pub(super) fn route_address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}

/// Whether a row of the main table is through this interface and was not added by the kernel.
pub(super) fn is_our_route(row: &[u8], index: u32, of: Option<Family>) -> bool {
    let Some((header, attributes)) = row.split_at_checked(HEADER) else { return false };
    header.get(5) != Some(&libc::RTPROT_KERNEL)
        && is_of(header, of)
        && attributes_of(attributes).any(|attribute| {
            attribute.kind() == libc::RTA_OIF && number_at(attribute.value(), 0) == Some(index)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink_packet_core::Emitable;
    use netlink_packet_route::route::{RouteNextHop, RouteVia};

    fn row(message: &RouteMessage) -> Vec<u8> {
        let mut row = vec![0; message.buffer_len()];
        message.emit(&mut row);
        row
    }

    #[test]
    fn a_next_hop_of_the_other_ip_version_is_refused() {
        let words =
            route_message(Some(("10.0.0.0".parse().unwrap(), 8)), Some("fe80::1".parse().unwrap()), false);
        assert_eq!(words.unwrap_err(), "the next hop fe80::1 is not of the destination's IP version");
    }

    #[test]
    fn a_route_is_read_with_origin_and_next_hop() {
        let router: IpAddr = "fe80::1".parse().unwrap();
        let mut message = route_message(None, Some(router), false).unwrap();
        message.header.protocol = RouteProtocol::Ra;
        message.attributes.extend([RouteAttribute::Oif(7), RouteAttribute::Priority(1024)]);
        let expected = LinkRoute {
            destination: ("::".parse().unwrap(), 0),
            gateway: Some(router),
            index: 7,
            metric: 1024,
            origin: RouteOrigin::RouterAdvertisement,
            lifetime: None,
        };
        let bytes = row(&message);
        assert_eq!(parse(&bytes), Some(vec![expected.clone()]));
        assert!(expected.is_default());
        for end in 0..bytes.len() {
            let cut = parse(&bytes[..end]).unwrap_or_default();
            assert!(cut.iter().all(|route| route.gateway.is_none_or(|hop| hop == router)), "cut at {end}");
        }
        message.header.kind = RouteType::Unreachable;
        assert_eq!(parse(&row(&message)), None);

        // RFC 5549: IPv4 by a router that has IPv6 only.
        let mut message = route_message(Some(("10.0.0.0".parse().unwrap(), 8)), None, false).unwrap();
        message.attributes.push(RouteAttribute::Via(RouteVia::Inet6("fe80::1".parse().unwrap())));
        let mixed = parse(&row(&message)).unwrap().remove(0);
        assert_eq!((mixed.destination, mixed.gateway), (("10.0.0.0".parse().unwrap(), 8), Some(router)));
        assert!(!mixed.is_default());
    }

    #[test]
    fn a_route_with_several_next_hops_is_several_routes() {
        let mut message = route_message(Some(("10.0.0.0".parse().unwrap(), 8)), None, false).unwrap();
        let hops = [(2, "192.0.2.1"), (3, "198.51.100.1")].map(|(index, gateway)| {
            let mut hop = RouteNextHop::default();
            hop.interface_index = index;
            hop.attributes.push(RouteAttribute::Gateway(route_address(gateway.parse().unwrap())));
            hop
        });
        message.attributes.push(RouteAttribute::MultiPath(hops.to_vec()));
        let routes = parse(&row(&message)).unwrap();
        let found: Vec<(u32, Option<IpAddr>)> = routes.iter().map(|one| (one.index, one.gateway)).collect();
        let expected =
            [(2, "192.0.2.1"), (3, "198.51.100.1")].map(|(i, hop)| (i, Some(hop.parse().unwrap())));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_lifetime_is_in_ticks_of_the_kernel() {
        for (ticks, expected) in [(0, None), (150, Some(1500)), (-3, Some(0)), (i32::MIN, Some(0))] {
            assert_eq!(lifetime(ticks), expected.map(Duration::from_millis), "{ticks}");
        }
    }

    #[test]
    fn each_origin_has_its_number() {
        for number in 0..=u8::MAX {
            assert_eq!(u8::from(protocol(origin(number))), number);
        }
        assert_eq!(origin(libc::RTPROT_KERNEL), RouteOrigin::Kernel);
        assert_eq!(origin(9), RouteOrigin::RouterAdvertisement);
    }
}
