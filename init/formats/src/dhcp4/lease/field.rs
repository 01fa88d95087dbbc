//! Checks of addresses and masks. What fails is left out with a note; a boot should not end for a misspelt option.

use std::net::Ipv4Addr;

use crate::dhcp4::Options;
use crate::field::Notes;

/// Why an address is not valid for a host on the network, as the end of a sentence. `None` if it is valid.
pub(crate) fn address_fault(address: Ipv4Addr) -> Option<&'static str> {
    let [first, ..] = address.octets();
    Some(match first {
        _ if address.is_unspecified() => "is not an address",
        _ if address.is_broadcast() => "is the broadcast address",
        0 => "is in 0.0.0.0/8, which is not valid for a host",
        127 => "is a loopback address",
        224..240 => "is a multicast address",
        240.. => "is in 240.0.0.0/4, which is reserved",
        _ => return None,
    })
}

/// The prefix length of a mask of ones, then zeros. `None` for any other mask and for 0.0.0.0.
pub(super) fn mask_prefix(mask: Ipv4Addr) -> Option<u8> {
    let bits = mask.to_bits();
    let ones = bits.leading_ones();
    if ones == 0 || ones != bits.count_ones() { None } else { u8::try_from(ones).ok() }
}

/// The addresses of an option that are valid for hosts, without duplicates.
pub(super) fn usable(options: &Options, code: u8, what: &str, notes: &mut Notes) -> Vec<Ipv4Addr> {
    if options.get(code).is_some_and(|bytes| bytes.is_empty() || !bytes.len().is_multiple_of(4)) {
        notes.add(format!("{what} list has a length that is not a multiple of 4, ignored"));
    }
    let mut list: Vec<Ipv4Addr> = Vec::new();
    for address in options.addresses(code) {
        match address_fault(address) {
            Some(fault) => notes.add(format!("{what} {address} {fault}, ignored")),
            None if list.contains(&address) => {}
            None => list.push(address),
        }
    }
    list
}
