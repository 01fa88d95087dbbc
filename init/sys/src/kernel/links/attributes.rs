//! Reads attributes of rtnetlink messages.

use std::net::IpAddr;

use netlink_packet_core::{NlaBuffer, NlasIterator};
use netlink_packet_route::AddressFamily;

use crate::Family;

pub(super) fn attributes_of(bytes: &[u8]) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
    NlasIterator::new(bytes).map_while(std::result::Result::ok)
}

pub(super) fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

/// The 32-bit number at an offset; `None` if the value is too short.
pub(super) fn number_at(value: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*value.get(offset..)?.first_chunk()?))
}

/// A hardware address; `None` if it is not 6 bytes long or all zero.
pub(super) fn mac(value: &[u8]) -> Option<[u8; 6]> {
    <[u8; 6]>::try_from(value).ok().filter(|mac| *mac != [0; 6])
}

/// An IP address; its length gives the version.
pub(super) fn ip(value: &[u8]) -> Option<IpAddr> {
    let four = || <[u8; 4]>::try_from(value).map(IpAddr::from);
    four().or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from)).ok()
}

/// Whether a row of the table of addresses or routes is of an IP version: its first byte says so.
pub(super) fn is_of(header: &[u8], of: Option<Family>) -> bool {
    let wanted = match of {
        None => return true,
        Some(Family::V4) => libc::AF_INET,
        Some(Family::V6) => libc::AF_INET6,
    };
    header.first().copied().map(i32::from) == Some(wanted)
}

pub(super) fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}
