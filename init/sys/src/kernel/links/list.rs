//! Which interfaces there are.

use netlink_packet_route::link::LinkMessage;

use super::attributes::{attributes_of, mac, number_at, text};
use crate::kernel::netlink::Netlink;
use crate::{Link, LinkKind, Result, RouterFlags};

/// `struct ifinfomsg`: bytes before the attributes.
const HEADER: usize = 16;
const IFLA_INFO_KIND: u16 = 1;
/// linux/if_link.h.
const IFLA_INET6_FLAGS: u16 = 1;
/// `IF_RA_RCVD`, `IF_RA_MANAGED`, `IF_RA_OTHERCONF` of linux/if_link.h and net/if_inet6.h.
const RA_RECEIVED: u32 = 0x20;
const RA_MANAGED: u32 = 0x40;
const RA_OTHER: u32 = 0x80;

pub(in crate::kernel) fn list() -> Result<Vec<Link>> {
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

/// An `RTM_NEWLINK` body; `None` where it has no name.
fn link(row: &[u8]) -> Option<Link> {
    let (header, attributes) = row.split_at_checked(HEADER)?;
    let layer = u16::from_ne_bytes(*header.get(2..)?.first_chunk()?);
    let (index, flags) = (number_at(header, 4)?, number_at(header, 8)?);
    let (mut name, mut address, mut permanent, mut mtu, mut software) = (None, None, None, 0, None);
    let (mut least_mtu, mut most_mtu, mut other_names) = (0, 0, Vec::new());
    let (mut parent, mut port_of, mut parent_is_elsewhere) = (None, None, false);
    let mut router = None;
    for attribute in attributes_of(attributes) {
        let value = attribute.value();
        let number = || number_at(value, 0);
        match attribute.kind() {
            libc::IFLA_IFNAME => name = Some(text(value)),
            libc::IFLA_ADDRESS => address = mac(value),
            libc::IFLA_PERM_ADDRESS => permanent = mac(value),
            libc::IFLA_MTU => mtu = number().unwrap_or(0),
            libc::IFLA_MIN_MTU => least_mtu = number().unwrap_or(0),
            libc::IFLA_MAX_MTU => most_mtu = number().unwrap_or(0),
            // 0 is a tunnel without a fixed lower interface.
            libc::IFLA_LINK => parent = number().filter(|index| *index != 0),
            libc::IFLA_LINK_NETNSID => parent_is_elsewhere = true,
            libc::IFLA_MASTER => port_of = number(),
            libc::IFLA_PROP_LIST => {
                let names = attributes_of(value).filter(|one| one.kind() == libc::IFLA_ALT_IFNAME);
                other_names = names.map(|one| text(one.value())).collect();
            }
            libc::IFLA_AF_SPEC => router = router_flags(value),
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
        mac: address,
        permanent_mac: permanent,
        up: flags & libc::IFF_UP as u32 != 0,
        carrier: flags & libc::IFF_LOWER_UP as u32 != 0,
        mtu,
        least_mtu,
        most_mtu,
        other_names,
        parent: parent.filter(|_| !parent_is_elsewhere),
        port_of,
        router,
    })
}

/// The flags of the last router advertisement, out of `IFLA_AF_SPEC`.
fn router_flags(families: &[u8]) -> Option<RouterFlags> {
    let inet6 = attributes_of(families).find(|one| one.kind() == libc::AF_INET6 as u16)?;
    let flags = attributes_of(inet6.value()).find(|one| one.kind() == IFLA_INET6_FLAGS)?;
    let flags = number_at(flags.value(), 0)?;
    let router = RouterFlags { managed: flags & RA_MANAGED != 0, other: flags & RA_OTHER != 0 };
    (flags & RA_RECEIVED != 0).then_some(router)
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink_packet_core::Emitable;
    use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, Prop};

    use crate::kernel::links::change::link_message;

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
            permanent_mac: None,
            up: true,
            carrier: true,
            mtu: 1400,
            least_mtu: 68,
            most_mtu: 9000,
            other_names: vec!["enp0s3".into(), "enx020000000007".into()],
            parent: None,
            port_of: None,
            router: None,
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
    fn ports_and_lower_interfaces_are_read() {
        let permanent = [2, 0, 0, 0, 0, 9];
        let attributes = [
            LinkAttribute::IfName("x0".into()),
            LinkAttribute::PermAddress(permanent.to_vec()),
            LinkAttribute::Controller(4),
            LinkAttribute::Link(3),
        ];
        let read = |more: Option<LinkAttribute>| {
            let mut message = link_message(7);
            message.attributes.extend(attributes.iter().cloned().chain(more));
            link(&bytes(&message)).unwrap()
        };
        let found = read(None);
        assert_eq!((found.permanent_mac, found.port_of, found.parent), (Some(permanent), Some(4), Some(3)));
        // The index belongs to another namespace; here it may be that of an unrelated interface.
        assert_eq!(read(Some(LinkAttribute::LinkNetNsId(0))).parent, None);
        assert_eq!(read(Some(LinkAttribute::Link(0))).parent, None);
    }

    #[test]
    fn an_attribute_of_an_unknown_shape_does_not_hide_the_link() {
        let mut message = link_message(3);
        message.attributes = vec![LinkAttribute::IfName("eth0".into())];
        let mut row = bytes(&message);
        // Attribute 0x7abc with one byte, padded.
        row.extend([5, 0, 0xbc, 0x7a, 1, 0, 0, 0]);
        assert_eq!(link(&row).unwrap().name, "eth0");
        // Cut anywhere: no panic, and a name or nothing.
        for end in 0..row.len() {
            assert!(link(&row[..end]).is_none_or(|link| "eth0".starts_with(&link.name)), "{end}");
        }
    }
}
