//! Checks of single fields. An invalid field is left out with a note: a boot should not fail because of a wrong option.

use std::net::Ipv4Addr;

use crate::dhcp4::Options;
use crate::hostname::{self, NameError};

/// Limit for notes: a malicious server must not fill memory or console.
const MOST_NOTES: usize = 16;

/// Sentences about values that were left out or assumed.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) list: Vec<String>,
}

impl Notes {
    pub(super) fn add(&mut self, note: String) {
        if self.list.len() < MOST_NOTES {
            self.list.push(note);
        }
    }
}

/// Why an address is not valid for a host on the network, as the end of a sentence. `None` if it is valid.
pub(super) fn address_fault(address: Ipv4Addr) -> Option<&'static str> {
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

/// The text without the zero bytes and the dot that some servers add at the end.
fn trimmed(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches('\0');
    text.strip_suffix('.').unwrap_or(text).to_owned()
}

/// A name that passes `check`.
pub(super) fn name(
    what: &str,
    bytes: Option<&[u8]>,
    notes: &mut Notes,
    check: fn(&str) -> Result<(), NameError>,
) -> Option<String> {
    let name = trimmed(bytes?);
    if name.is_empty() {
        return None;
    }
    match check(&name) {
        Ok(()) => Some(name),
        Err(fault) => {
            notes.add(format!("{what} {} {fault}, ignored", quoted(&name)));
            None
        }
    }
}

/// The host's own name, adapted to a valid name for a node.
pub(super) fn host_name(bytes: Option<&[u8]>, notes: &mut Notes) -> Option<String> {
    let text = trimmed(bytes?);
    if text.is_empty() {
        return None;
    }
    match hostname::given(&text) {
        Ok(given) => {
            if let Some(change) = given.change {
                notes.add(format!("host name {} {change}", quoted(&text)));
            }
            Some(given.name)
        }
        Err(fault) => {
            notes.add(format!("host name {} {fault}, ignored", quoted(&text)));
            None
        }
    }
}

/// The valid names of the search list, without duplicates.
pub(super) fn names(
    bytes: Option<&[u8]>,
    notes: &mut Notes,
    decode: fn(&[u8]) -> Result<Vec<String>, &'static str>,
) -> Vec<String> {
    let mut list = Vec::new();
    match decode(bytes.unwrap_or_default()) {
        Err(fault) => notes.add(format!("search list {fault}, ignored")),
        Ok(names) => {
            for text in names {
                list.extend(name("search domain", Some(text.as_bytes()), notes, hostname::check_domain));
            }
        }
    }
    let mut seen = Vec::new();
    list.retain(|name: &String| {
        let new = !seen.contains(name);
        seen.push(name.clone());
        new
    });
    list
}

/// The start of a text from outside, escaped for a log.
pub(in crate::dhcp4) fn quoted(text: &str) -> String {
    let start: String = text.chars().take(64).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("{start:?}{more}")
}
