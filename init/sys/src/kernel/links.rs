//! Reads and changes interfaces, addresses and routes with rtnetlink.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE, NlaBuffer, NlasIterator};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressMessage, CacheInfo};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};

use super::netlink::Netlink;
use crate::{Cause, Link, LinkChange, LinkKind, Result, RouteOrigin, SysError};

/// `struct ifinfomsg`, `struct ifaddrmsg`, `struct rtmsg`: bytes before the attributes.
const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
const ROUTE_HEADER: usize = 12;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_PROP_LIST: u16 = libc::IFLA_PROP_LIST;
/// The kernel sets the nested flag on this one (`NLA_F_NESTED`).
const IFLA_PROP_LIST_NESTED: u16 = libc::IFLA_PROP_LIST | 0x8000;
/// An infinite lifetime (linux/if_addr.h).
const FOR_EVER: u32 = u32::MAX;

pub(super) fn list() -> Result<Vec<Link>> {
    let rows = Netlink::open()?.dump(
        "list",
        "the network interfaces",
        libc::RTM_GETLINK,
        &LinkMessage::default(),
    )?;
    let mut links: Vec<Link> = rows.iter().filter_map(|row| link(row)).collect();
    links.sort_by_key(|link| link.index);
    Ok(links)
}

/// Parses an `RTM_NEWLINK` body; `None` if it has no name.
fn link(row: &[u8]) -> Option<Link> {
    let (header, attributes) = row.split_at_checked(LINK_HEADER)?;
    let layer = u16::from_ne_bytes(*header.get(2..)?.first_chunk()?);
    let index = i32::from_ne_bytes(*header.get(4..)?.first_chunk()?) as u32;
    let flags = u32::from_ne_bytes(*header.get(8..)?.first_chunk()?);
    let (mut name, mut mac, mut mtu, mut software) = (None, None, 0, None);
    let (mut least_mtu, mut most_mtu, mut other_names) = (0, 0, Vec::new());
    let number = |value: &[u8]| value.first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
    for attribute in attributes_of(attributes) {
        let value = attribute.value();
        match attribute.kind() {
            libc::IFLA_IFNAME => name = Some(text(value)),
            libc::IFLA_ADDRESS => mac = <[u8; 6]>::try_from(value).ok().filter(|mac| *mac != [0; 6]),
            libc::IFLA_MTU => mtu = number(value),
            libc::IFLA_MIN_MTU => least_mtu = number(value),
            libc::IFLA_MAX_MTU => most_mtu = number(value),
            IFLA_PROP_LIST | IFLA_PROP_LIST_NESTED => {
                let names = attributes_of(value).filter(|one| one.kind() == libc::IFLA_ALT_IFNAME);
                other_names = names.map(|one| text(one.value())).collect();
            }
            libc::IFLA_LINKINFO => {
                software = attributes_of(value)
                    .find(|info| info.kind() == IFLA_INFO_KIND)
                    .map(|info| text(info.value()));
            }
            _ => {}
        }
    }
    let kind = match software {
        _ if flags & libc::IFF_LOOPBACK as u32 != 0 => LinkKind::Loopback,
        Some(kind) => LinkKind::Virtual(kind),
        None if layer == libc::ARPHRD_ETHER => LinkKind::Ethernet,
        None => LinkKind::Virtual(String::new()),
    };
    Some(Link {
        index,
        name: name?,
        kind,
        mac,
        up: flags & libc::IFF_UP as u32 != 0,
        carrier: flags & libc::IFF_LOWER_UP as u32 != 0,
        mtu,
        least_mtu,
        most_mtu,
        other_names,
    })
}

fn attributes_of(bytes: &[u8]) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
    NlasIterator::new(bytes).map_while(std::result::Result::ok)
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

pub(super) fn change(index: u32, change: &LinkChange) -> Result<()> {
    let mut netlink = Netlink::open()?;
    let subject = format!("interface {index}");
    let add = NLM_F_CREATE | NLM_F_REPLACE;
    match change {
        LinkChange::Up | LinkChange::Down => {
            let up = *change == LinkChange::Up;
            let mut message = link_message(index);
            message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
            message.header.change_mask = LinkFlags::Up;
            netlink.change(if up { "set up" } else { "set down" }, &subject, libc::RTM_NEWLINK, 0, &message)
        }
        LinkChange::Mtu(bytes) => {
            let mut message = link_message(index);
            message.attributes.push(LinkAttribute::Mtu(*bytes));
            netlink.change(&format!("set the MTU {bytes} of"), &subject, libc::RTM_NEWLINK, 0, &message)
        }
        LinkChange::Address { address, prefix, valid } => {
            let seconds =
                valid.map_or(FOR_EVER, |valid| u32::try_from(valid.as_secs()).unwrap_or(FOR_EVER).max(1));
            let message = address_message(index, *address, *prefix, seconds);
            netlink.change(&format!("add {address}/{prefix} to"), &subject, libc::RTM_NEWADDR, add, &message)
        }
        LinkChange::Route { destination, gateway, metric, on_link, source, origin } => {
            let to = destination.map_or_else(|| "default".to_owned(), |(net, bits)| format!("{net}/{bits}"));
            let via = gateway.map_or_else(String::new, |gateway| format!(" via {gateway}"));
            let operation = format!("add the route {to}{via} to");
            let mut message = route_message(*destination, *gateway, *on_link)
                .map_err(|words| SysError::new(&*operation, &*subject, Cause::Unsupported, words))?;
            message.attributes.push(RouteAttribute::Oif(index));
            message.header.protocol = match origin {
                RouteOrigin::Dhcp => RouteProtocol::Dhcp,
                RouteOrigin::Static => RouteProtocol::Static,
            };
            if let Some(source) = source {
                message.attributes.push(RouteAttribute::PrefSource(route_address(*source)));
            }
            if *metric != 0 {
                message.attributes.push(RouteAttribute::Priority(*metric));
            }
            netlink.change(&operation, &subject, libc::RTM_NEWROUTE, add, &message)
        }
        LinkChange::Flush => flush(&mut netlink, index, &subject),
    }
}

fn link_message(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn address_message(index: u32, address: IpAddr, prefix: u8, seconds: u32) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = prefix;
    message.header.index = index;
    message.attributes.push(AddressAttribute::Address(address));
    if let IpAddr::V4(address) = address {
        message.attributes.push(AddressAttribute::Local(IpAddr::V4(address)));
        if let Some(broadcast) = broadcast(address, prefix) {
            message.attributes.push(AddressAttribute::Broadcast(broadcast));
        }
    }
    // Always set the lifetime, because a refresh may change it from limited to infinite.
    let mut times = CacheInfo::default();
    times.ifa_preferred = seconds;
    times.ifa_valid = seconds;
    message.attributes.push(AddressAttribute::CacheInfo(times));
    message
}

/// The broadcast address of a network. Point-to-point networks (RFC 3021) and single hosts have none.
fn broadcast(address: Ipv4Addr, prefix: u8) -> Option<Ipv4Addr> {
    let hosts = u32::MAX.checked_shr(u32::from(prefix)).filter(|_| prefix < 31)?;
    Some(Ipv4Addr::from(u32::from(address) | hosts))
}

fn route_message(
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

fn route_address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}

/// Removes routes, then addresses. The kernel's own entries stay: IPv6 link-local addresses (without them, IPv6 would
/// not work until the interface goes down and up) and the kernel's routes, which are removed with their addresses.
fn flush(netlink: &mut Netlink, index: u32, subject: &str) -> Result<()> {
    let gone = |result: Result<()>| match result {
        // It was removed together with another one, or it expired.
        Err(error) if matches!(error.errno(), Some(libc::ESRCH | libc::EADDRNOTAVAIL)) => Ok(()),
        result => result,
    };
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut query = RouteMessage::default();
        query.header.address_family = family;
        for row in netlink.dump("list the routes of", subject, libc::RTM_GETROUTE, &query)? {
            if is_our_route(&row, index) {
                gone(netlink.change_raw("remove a route of", subject, libc::RTM_DELROUTE, 0, &row))?;
            }
        }
    }
    for row in
        netlink.dump("list the addresses of", subject, libc::RTM_GETADDR, &AddressMessage::default())?
    {
        if is_removable_address(&row, index) {
            gone(netlink.change_raw("remove an address of", subject, libc::RTM_DELADDR, 0, &row))?;
        }
    }
    Ok(())
}

fn is_our_route(row: &[u8], index: u32) -> bool {
    let Some((header, attributes)) = row.split_at_checked(ROUTE_HEADER) else { return false };
    let by_kernel = header.get(5) == Some(&libc::RTPROT_KERNEL);
    let main_table = header.get(4) == Some(&RouteHeader::RT_TABLE_MAIN);
    main_table
        && !by_kernel
        && attributes_of(attributes)
            .any(|attribute| attribute.kind() == libc::RTA_OIF && attribute.value() == index.to_ne_bytes())
}

fn is_removable_address(row: &[u8], index: u32) -> bool {
    let Some((header, _)) = row.split_at_checked(ADDRESS_HEADER) else { return false };
    let link_local =
        header.first() == Some(&(libc::AF_INET6 as u8)) && header.get(3) == Some(&libc::RT_SCOPE_LINK);
    !link_local && header.get(4..8) == Some(&index.to_ne_bytes()[..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink_packet_core::Emitable;
    use netlink_packet_route::link::{InfoKind, LinkInfo, LinkLayerType, Prop};

    fn bytes(message: &impl Emitable) -> Vec<u8> {
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        bytes
    }

    #[test]
    fn links_are_told_apart_by_what_they_are() {
        let mac = [2, 0, 0, 0, 0, 7];
        let row = |layer, flags, info: Option<InfoKind>, address: &[u8]| {
            let mut message = link_message(7);
            message.header.link_layer_type = layer;
            message.header.flags = flags;
            message.attributes = vec![
                LinkAttribute::IfName("x0".into()),
                LinkAttribute::Mtu(1400),
                LinkAttribute::MinMtu(68),
                LinkAttribute::MaxMtu(9000),
                LinkAttribute::PropList(vec![
                    Prop::AltIfName("enp0s3".into()),
                    Prop::AltIfName("enx020000000007".into()),
                ]),
                LinkAttribute::Address(address.to_vec()),
            ];
            message.attributes.extend(info.map(|kind| LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)])));
            link(&bytes(&message)).unwrap()
        };
        let up = LinkFlags::Up | LinkFlags::LowerUp;
        let (ether, loopback) = (LinkLayerType::Ether, LinkLayerType::Loopback);
        let base = Link {
            index: 7,
            name: "x0".into(),
            kind: LinkKind::Ethernet,
            mac: Some(mac),
            up: true,
            carrier: true,
            mtu: 1400,
            least_mtu: 68,
            most_mtu: 9000,
            other_names: vec!["enp0s3".into(), "enx020000000007".into()],
        };
        assert_eq!(row(ether, up, None, &mac), base);
        assert_eq!(
            row(ether, LinkFlags::empty(), None, &mac),
            Link { up: false, carrier: false, ..base.clone() }
        );
        let veth = LinkKind::Virtual("veth".into());
        assert_eq!(row(ether, up, Some(InfoKind::Veth), &mac), Link { kind: veth, ..base.clone() });
        let lo = Link { kind: LinkKind::Loopback, mac: None, ..base.clone() };
        assert_eq!(row(loopback, up | LinkFlags::Loopback, None, &[0; 6]), lo);
        let infiniband = Link { kind: LinkKind::Virtual(String::new()), mac: None, ..base };
        assert_eq!(row(LinkLayerType::Infiniband, up, None, &[1; 20]), infiniband);
    }

    #[test]
    fn an_attribute_of_an_unknown_shape_does_not_hide_the_link() {
        let mut message = link_message(3);
        message.attributes = vec![LinkAttribute::IfName("eth0".into())];
        let mut row = bytes(&message);
        // Attribute 0x7abc with one byte, padded.
        row.extend([5, 0, 0xbc, 0x7a, 1, 0, 0, 0]);
        assert_eq!(link(&row).unwrap().name, "eth0");
        // Truncated at any position: no panic, and either a name or nothing.
        for end in 0..row.len() {
            assert!(link(&row[..end]).is_none_or(|link| "eth0".starts_with(&link.name)), "{end}");
        }
    }

    #[test]
    fn the_broadcast_address_is_the_last_of_the_network() {
        for (address, prefix, expected) in [
            ("10.1.2.3", 24, Some("10.1.2.255")),
            ("10.1.2.3", 8, Some("10.255.255.255")),
            ("10.1.2.3", 30, Some("10.1.2.3")),
            ("10.1.2.3", 31, None),
            ("10.1.2.3", 32, None),
            ("10.1.2.3", 0, Some("255.255.255.255")),
            ("10.1.2.3", 77, None),
        ] {
            assert_eq!(
                broadcast(address.parse().unwrap(), prefix),
                expected.map(|text| text.parse().unwrap()),
                "{prefix}"
            );
        }
    }

    #[test]
    fn a_next_hop_of_the_other_ip_version_is_refused() {
        let words =
            route_message(Some(("10.0.0.0".parse().unwrap(), 8)), Some("fe80::1".parse().unwrap()), false);
        assert_eq!(words.unwrap_err(), "the next hop fe80::1 is not of the destination's IP version");
    }
}
