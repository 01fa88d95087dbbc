//! Fields from the network, checked before anything uses them. What fails is left out with a note; a boot should
//! not end for a misspelt option.

use std::net::Ipv6Addr;

use crate::hostname::{self, NameError};

/// Most notes kept: a hostile server may not fill memory or console.
const MOST_NOTES: usize = 16;

/// Sentences about what was left out or assumed.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) list: Vec<String>,
}

impl Notes {
    pub(crate) fn add(&mut self, note: String) {
        if self.list.len() < MOST_NOTES {
            self.list.push(note);
        }
    }
}

/// Why an address can't be that of a host, as the end of a sentence; `None` when it can. A link-local address can, but
/// its user has to know the interface.
pub(crate) fn ipv6_fault(address: Ipv6Addr) -> Option<&'static str> {
    Some(match address {
        _ if address.is_unspecified() => "is no address",
        _ if address.is_loopback() => "is the loopback address",
        _ if address.is_multicast() => "is a multicast address",
        _ if address.to_ipv4_mapped().is_some() => "is an IPv4 address in the form of IPv6",
        _ => return None,
    })
}

/// Text without the zero bytes and the dot that servers add at the end.
fn trimmed(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches('\0');
    text.strip_suffix('.').unwrap_or(text).to_owned()
}

/// A name that passes `check`.
pub(crate) fn name(
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
pub(crate) fn host_name(bytes: Option<&[u8]>, notes: &mut Notes) -> Option<String> {
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

/// The valid names of a search list that was decoded, each once.
pub(crate) fn names(decoded: Result<Vec<String>, &'static str>, notes: &mut Notes) -> Vec<String> {
    let mut list = Vec::new();
    match decoded {
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
pub(crate) fn quoted(text: &str) -> String {
    let start: String = text.chars().take(64).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("{start:?}{more}")
}
