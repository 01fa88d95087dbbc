//! Checks of single fields. What fails is left out with a note; a boot should not end for a misspelt option.

use std::net::Ipv4Addr;

use crate::dhcp4::Options;
use crate::hostname::{self, NameError};

/// Most notes kept: a hostile server may not fill memory or console.
const MOST_NOTES: usize = 16;

/// Sentences about what was left out or assumed.
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

/// Why an address can't be that of a host on the network, as the end of a sentence; `None` when it can.
pub(super) fn address_fault(address: Ipv4Addr) -> Option<&'static str> {
    let [first, ..] = address.octets();
    Some(match first {
        _ if address.is_unspecified() => "is no address",
        _ if address.is_broadcast() => "is the broadcast address",
        0 => "lies in 0.0.0.0/8, which no host has",
        127 => "is a loopback address",
        224..240 => "is a multicast address",
        240.. => "lies in 240.0.0.0/4, which is reserved",
        _ => return None,
    })
}

/// The prefix length of a mask of ones, then zeros; `None` for any other and for 0.0.0.0.
pub(super) fn mask_prefix(mask: Ipv4Addr) -> Option<u8> {
    let bits = mask.to_bits();
    let ones = bits.leading_ones();
    if ones == 0 || ones != bits.count_ones() { None } else { u8::try_from(ones).ok() }
}

/// The addresses of an option that hosts can have, each once.
pub(super) fn usable(options: &Options, code: u8, what: &str, notes: &mut Notes) -> Vec<Ipv4Addr> {
    if options.get(code).is_some_and(|bytes| bytes.is_empty() || !bytes.len().is_multiple_of(4)) {
        notes.add(format!("{what} list has a length that is no multiple of 4, ignored"));
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

/// Text without the zero bytes and the dot that servers add at the end.
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

/// The host's own name, as a node can have it.
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

/// The valid names of the search list, each once.
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
