//! Options of IPv6 router advertisements that the kernel leaves to programs: name servers and search list (RFC 8106), and the
//! prefix of a NAT64 (RFC 8781).
//!
//! The kernel applies addresses and routes by itself, and passes these options on in messages of the type
//! `RTM_NEWNDUSEROPT` (group `RTNLGRP_ND_USEROPT`): [`UserMessage`] is such a message, and [`parse`] reads its options.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

#[cfg(test)]
mod tests;
mod user_message;

use std::net::Ipv6Addr;

use crate::domain_names::{self, Compression};
use crate::field::{Notes, ipv6_fault, names};
pub use user_message::{UserMessage, UserMessageError};

/// Option types (the IANA registry "IPv6 Neighbor Discovery Option Formats").
mod kind {
    /// Recursive DNS servers (RFC 8106 5.1).
    pub(super) const RDNSS: u8 = 25;
    /// DNS search list (RFC 8106 5.2).
    pub(super) const DNSSL: u8 = 31;
    /// Prefix of a NAT64 (RFC 8781).
    pub(super) const PREF64: u8 = 38;
}

/// Lengths of options count units of this many bytes (RFC 4861 4.6).
const UNIT: usize = 8;

/// What the options say, checked. Lifetimes are in seconds: `u32::MAX` is for ever, and 0 means that the server or domain is
/// no longer to be used (RFC 8106 5.1 and 5.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NdOptions {
    /// Name servers and their lifetimes, best first. A link-local one is reached on the interface of the advertisement.
    pub dns: Vec<(Ipv6Addr, u32)>,
    /// Domains to search, valid DNS names, and their lifetimes.
    pub search: Vec<(String, u32)>,
    /// The prefix that reaches IPv4 through the network's NAT64, and its length: 32, 40, 48, 56, 64 or 96.
    pub pref64: Option<(Ipv6Addr, u8)>,
    /// What was left out, and why; one sentence each.
    pub notes: Vec<String>,
}

/// Reads the options of a router advertisement. Options of other types are skipped. When the length of an option is wrong, the
/// others are not used either (RFC 4861 6.1.2: the advertisement is discarded).
pub fn parse(options: &[u8]) -> NdOptions {
    let mut found = NdOptions::default();
    let mut notes = Notes::default();
    let mut rest = options;
    while !rest.is_empty() {
        let Some((kind, body, after)) = split(rest) else {
            return NdOptions {
                notes: vec!["router advertisement has an option of a wrong length, ignored".to_owned()],
                ..NdOptions::default()
            };
        };
        match kind {
            kind::RDNSS => name_servers(body, &mut found.dns, &mut notes),
            kind::DNSSL => search_list(body, &mut found.search, &mut notes),
            kind::PREF64 => nat64(body, &mut found.pref64, &mut notes),
            _ => {}
        }
        rest = after;
    }
    found.notes = notes.list;
    found
}

/// The first option: its type, the bytes after type and length, and what follows the option.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&kind, rest) = bytes.split_first()?;
    let (&units, rest) = rest.split_first()?;
    // A length of 0 units is shorter than type and length themselves.
    let body = usize::from(units).checked_mul(UNIT)?.checked_sub(2)?;
    let (body, after) = rest.split_at_checked(body)?;
    Some((kind, body, after))
}

/// RDNSS: 2 reserved bytes, the lifetime, addresses.
fn name_servers(body: &[u8], list: &mut Vec<(Ipv6Addr, u32)>, notes: &mut Notes) {
    let (lifetime, addresses) = match lifetime(body).map(|(lifetime, rest)| (lifetime, rest.as_chunks())) {
        Some((lifetime, (addresses, []))) if !addresses.is_empty() => (lifetime, addresses),
        _ => {
            notes.add("name server option has a length that holds no addresses, ignored".to_owned());
            return;
        }
    };
    for bytes in addresses {
        let address = Ipv6Addr::from(*bytes);
        match ipv6_fault(address) {
            Some(fault) => notes.add(format!("name server {address} {fault}, ignored")),
            None => put(list, address, lifetime),
        }
    }
}

/// DNSSL: 2 reserved bytes, the lifetime, names, and zeros up to a multiple of 8 bytes.
fn search_list(body: &[u8], list: &mut Vec<(String, u32)>, notes: &mut Notes) {
    let Some((lifetime, bytes)) = lifetime(body).filter(|(_, bytes)| !bytes.is_empty()) else {
        notes.add("search list option is too short, ignored".to_owned());
        return;
    };
    // The last name ends in one zero byte; the others are padding.
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(2));
    let used = bytes.get(..end).unwrap_or(bytes);
    for name in names(domain_names::decode(used, Compression::Forbidden), notes) {
        put(list, name, lifetime);
    }
}

/// PREF64: the lifetime in units of 8 s (13 bits), the code of the prefix's length (3 bits), the first 96 bits of the prefix.
fn nat64(body: &[u8], prefix: &mut Option<(Ipv6Addr, u8)>, notes: &mut Notes) {
    let Ok([high, low, bytes @ ..]) = <[u8; 14]>::try_from(body) else {
        notes.add("NAT64 prefix option has not the length of 16 bytes, ignored".to_owned());
        return;
    };
    let field = u16::from_be_bytes([high, low]);
    let length: u8 = match field & 7 {
        0 => 96,
        1 => 64,
        2 => 56,
        3 => 48,
        4 => 40,
        5 => 32,
        code => {
            notes.add(format!("NAT64 prefix option has the unknown length code {code}, ignored"));
            return;
        }
    };
    let mut octets = [0; 16];
    octets.iter_mut().zip(bytes).for_each(|(octet, byte)| *octet = byte);
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length.into())).unwrap_or(0);
    let address = Ipv6Addr::from_bits(Ipv6Addr::from(octets).to_bits() & mask);
    if let Some(fault) = ipv6_fault(address) {
        notes.add(format!("NAT64 prefix {address}/{length} {fault}, ignored"));
        return;
    }
    if field >> 3 == 0 {
        notes.add(format!("NAT64 prefix {address}/{length} is withdrawn, ignored"));
        return;
    }
    // Several prefixes may be in use (RFC 8781 section 5); one is enough.
    prefix.get_or_insert((address, length));
}

/// The lifetime after two reserved bytes, and what follows.
fn lifetime(body: &[u8]) -> Option<(u32, &[u8])> {
    let (_reserved, rest) = body.split_first_chunk::<2>()?;
    let (lifetime, rest) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*lifetime), rest))
}

/// Adds an entry; one that is there already gets the later lifetime.
fn put<T: PartialEq>(list: &mut Vec<(T, u32)>, entry: T, lifetime: u32) {
    match list.iter_mut().find(|(other, _)| *other == entry) {
        Some((_, old)) => *old = lifetime,
        None => list.push((entry, lifetime)),
    }
}
