//! Addresses of interfaces.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, CacheInfo};

use super::attributes::{attributes_of, family, ip, is_of, number_at};
use crate::kernel::netlink::Netlink;
use crate::{Family, LinkAddress, Result};

/// `struct ifaddrmsg`: bytes before the attributes.
const HEADER: usize = 8;
/// A lifetime without end (linux/if_addr.h).
const FOR_EVER: u32 = u32::MAX;

pub(in crate::kernel) fn addresses() -> Result<Vec<LinkAddress>> {
    let rows = Netlink::open()?.dump(
        "list",
        "the addresses of the network interfaces",
        libc::RTM_GETADDR,
        &AddressMessage::default(),
    )?;
    Ok(rows.iter().filter_map(|row| parse(row)).collect())
}

/// An `RTM_NEWADDR` body; `None` if it has no IP address.
fn parse(row: &[u8]) -> Option<LinkAddress> {
    let (header, attributes) = row.split_at_checked(HEADER)?;
    let &[_, prefix, flags, scope, ..] = header else { return None };
    // The header has 8 of the flags; IFA_FLAGS has all 32.
    let mut flags = u32::from(flags);
    let (mut local, mut address, mut preferred, mut valid) = (None, None, FOR_EVER, FOR_EVER);
    for attribute in attributes_of(attributes) {
        let value = attribute.value();
        match attribute.kind() {
            libc::IFA_LOCAL => local = ip(value),
            libc::IFA_ADDRESS => address = ip(value),
            libc::IFA_FLAGS => flags = number_at(value, 0)?,
            libc::IFA_CACHEINFO => (preferred, valid) = (number_at(value, 0)?, number_at(value, 4)?),
            _ => {}
        }
    }
    let lifetime = |seconds: u32| (seconds != FOR_EVER).then(|| Duration::from_secs(seconds.into()));
    let own = local.or(address)?;
    Some(LinkAddress {
        index: number_at(header, 4)?,
        address: own,
        prefix,
        peer: address.filter(|address| *address != own),
        scope_link: scope == libc::RT_SCOPE_LINK,
        tentative: flags & (libc::IFA_F_TENTATIVE | libc::IFA_F_OPTIMISTIC) == libc::IFA_F_TENTATIVE,
        dad_failed: flags & libc::IFA_F_DADFAILED != 0,
        dynamic: flags & libc::IFA_F_PERMANENT == 0,
        preferred: lifetime(preferred),
        valid: lifetime(valid),
    })
}

pub(super) fn address_message(
    index: u32,
    address: IpAddr,
    prefix: u8,
    valid: Option<Duration>,
    peer: Option<IpAddr>,
) -> std::result::Result<AddressMessage, String> {
    if let Some(peer) = peer.filter(|peer| family(*peer) != family(address)) {
        return Err(format!("the peer {peer} is not of the address's IP version"));
    }
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = prefix;
    message.header.index = index;
    message.attributes.push(AddressAttribute::Address(peer.unwrap_or(address)));
    if address.is_ipv4() || peer.is_some() {
        message.attributes.push(AddressAttribute::Local(address));
    }
    if let (IpAddr::V4(address), None) = (address, peer)
        && let Some(broadcast) = broadcast(address, prefix)
    {
        message.attributes.push(AddressAttribute::Broadcast(broadcast));
    }
    if address.is_ipv6() {
        // Without the sysctl optimistic_dad of the interface, the kernel ignores it.
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Optimistic));
    }
    // Always given: a refreshed address may go from a lease's time to for ever.
    let seconds = valid.map_or(FOR_EVER, |valid| u32::try_from(valid.as_secs()).unwrap_or(FOR_EVER).max(1));
    let mut times = CacheInfo::default();
    times.ifa_preferred = seconds;
    times.ifa_valid = seconds;
    message.attributes.push(AddressAttribute::CacheInfo(times));
    Ok(message)
}

/// The last address of the network; there is none on point-to-point networks (RFC 3021) and single hosts.
fn broadcast(address: Ipv4Addr, prefix: u8) -> Option<Ipv4Addr> {
    let hosts = u32::MAX.checked_shr(u32::from(prefix)).filter(|_| prefix < 31)?;
    Some(Ipv4Addr::from(u32::from(address) | hosts))
}

pub(super) fn is_removable_address(row: &[u8], index: u32, of: Option<Family>) -> bool {
    let Some((header, _)) = row.split_at_checked(HEADER) else { return false };
    let link_local =
        header.first() == Some(&(libc::AF_INET6 as u8)) && header.get(3) == Some(&libc::RT_SCOPE_LINK);
    !link_local && number_at(header, 4) == Some(index) && is_of(header, of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink_packet_core::Emitable;
    use netlink_packet_route::address::AddressScope;

    fn row(message: &AddressMessage) -> Vec<u8> {
        let mut row = vec![0; message.buffer_len()];
        message.emit(&mut row);
        row
    }

    #[test]
    fn an_address_is_read_with_its_flags_and_lifetimes() {
        let address: IpAddr = "fe80::7".parse().unwrap();
        let mut message = address_message(7, address, 64, None, None).unwrap();
        let ours = LinkAddress {
            index: 7,
            address,
            prefix: 64,
            peer: None,
            scope_link: false,
            tentative: false,
            dad_failed: false,
            dynamic: true,
            preferred: None,
            valid: None,
        };
        assert_eq!(parse(&row(&message)), Some(ours.clone()));

        message.header.scope = AddressScope::Link;
        let mut times = CacheInfo::default();
        (times.ifa_preferred, times.ifa_valid) = (0, 90);
        let flags = AddressFlags::Tentative | AddressFlags::Dadfailed | AddressFlags::Permanent;
        message.attributes.extend([AddressAttribute::CacheInfo(times), AddressAttribute::Flags(flags)]);
        let expected = LinkAddress {
            scope_link: true,
            tentative: true,
            dad_failed: true,
            dynamic: false,
            preferred: Some(Duration::ZERO),
            valid: Some(Duration::from_secs(90)),
            ..ours
        };
        let bytes = row(&message);
        assert_eq!(parse(&bytes), Some(expected));
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end]).is_none_or(|cut| cut.address == address), "cut at {end}");
        }
    }

    #[test]
    fn a_peer_goes_in_the_message_as_rtnetlink_has_it() {
        for (own, peer) in [("10.0.0.1", "10.0.0.9"), ("fd00::1", "fd00::9")] {
            let (own, peer): (IpAddr, IpAddr) = (own.parse().unwrap(), peer.parse().unwrap());
            let message = address_message(2, own, 32, None, Some(peer)).unwrap();
            let read = parse(&row(&message)).unwrap();
            assert_eq!((read.address, read.peer), (own, Some(peer)));
            let has_broadcast =
                message.attributes.iter().any(|a| matches!(a, AddressAttribute::Broadcast(_)));
            assert!(!has_broadcast, "a point-to-point link has none");
        }
        let (own, peer) = ("10.0.0.1".parse().unwrap(), "fd00::9".parse().unwrap());
        assert_eq!(
            address_message(2, own, 32, None, Some(peer)).unwrap_err(),
            "the peer fd00::9 is not of the address's IP version"
        );
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
}
