//! What a Reply says beside addresses, with everything in it checked.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::Ipv6Addr;

use super::code;
use super::options::Options;
use crate::domain_names::{self, Compression};
use crate::field::{Notes, host_name, ipv6_fault, name, names, quoted};
use crate::hostname;

/// Suboptions of option 56 (RFC 5908 section 4).
mod suboption {
    pub(super) const SERVER: u16 = 1;
    pub(super) const MULTICAST: u16 = 2;
    pub(super) const NAME: u16 = 3;
}

/// Settings of the host in values that can be used as they are: strings are printable ASCII, names are valid DNS names.
/// Anything unfit for use is left out and explained in `notes`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config6 {
    /// Name servers (23), best first. A link-local one is reached on the interface of the exchange.
    pub dns: Vec<Ipv6Addr>,
    /// Domains to search (24).
    pub search: Vec<String>,
    /// Time servers: those of option 56, else those of option 31, which it replaces (RFC 5908 section 1).
    pub ntp: Vec<TimeServer>,
    /// Name of this host (39), with or without domain, as [`crate::hostname::given`] makes it.
    pub hostname: Option<String>,
    /// URL of the boot file (59).
    pub boot_file_url: Option<String>,
    /// What was left out, and why; one sentence each.
    pub notes: Vec<String>,
}

/// Where the time comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeServer {
    /// A host.
    Address(Ipv6Addr),
    /// A group that servers send the time to.
    Multicast(Ipv6Addr),
    /// A host by its name.
    Name(String),
}

impl fmt::Display for TimeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeServer::Address(address) | TimeServer::Multicast(address) => address.fmt(f),
            TimeServer::Name(name) => f.write_str(name),
        }
    }
}

impl Config6 {
    /// Reads the settings out of a Reply's options.
    pub fn from_options(options: &Options) -> Config6 {
        let mut notes = Notes::default();
        let dns = addresses(options, code::DNS_SERVERS, "name server", &mut notes);
        let list = options.get(code::DOMAIN_LIST).unwrap_or_default();
        let search = names(domain_names::decode(list, Compression::Forbidden), &mut notes);
        let mut ntp = time_servers(options, &mut notes);
        if ntp.is_empty() {
            let simple = addresses(options, code::SNTP_SERVERS, "SNTP server", &mut notes);
            ntp = simple.into_iter().map(TimeServer::Address).collect();
        }
        let hostname = client_name(options, &mut notes);
        let boot_file_url = boot_file_url(options, &mut notes);
        Config6 { dns, search, ntp, hostname, boot_file_url, notes: notes.list }
    }
}

/// The addresses of an option that hosts can have, each once.
fn addresses(options: &Options, code: u16, what: &str, notes: &mut Notes) -> Vec<Ipv6Addr> {
    if options.get(code).is_none() {
        return Vec::new();
    }
    let Some(sent) = options.addresses(code) else {
        notes.add(format!("{what} list has a length that is no multiple of 16, ignored"));
        return Vec::new();
    };
    let mut list: Vec<Ipv6Addr> = Vec::new();
    for address in sent {
        match ipv6_fault(address) {
            Some(fault) => notes.add(format!("{what} {address} {fault}, ignored")),
            None if list.contains(&address) => {}
            None => list.push(address),
        }
    }
    list
}

/// The servers of every option 56. RFC 5908 has one suboption in each; some servers put several into one option.
fn time_servers(options: &Options, notes: &mut Notes) -> Vec<TimeServer> {
    let mut list: Vec<TimeServer> = Vec::new();
    for bytes in options.all(code::NTP_SERVER) {
        // Suboptions have the form of options.
        let Ok(suboptions) = Options::parse(bytes) else {
            notes.add("time server option has a suboption that is cut off, ignored".to_owned());
            continue;
        };
        for (code, bytes) in suboptions.iter() {
            list.extend(time_server(code, bytes, notes).filter(|server| !list.contains(server)));
        }
    }
    list
}

fn time_server(code: u16, bytes: &[u8], notes: &mut Notes) -> Option<TimeServer> {
    let address = <[u8; 16]>::try_from(bytes).ok().map(Ipv6Addr::from);
    match (code, address) {
        (suboption::SERVER, Some(address)) => match ipv6_fault(address) {
            None => return Some(TimeServer::Address(address)),
            Some(fault) => notes.add(format!("time server {address} {fault}, ignored")),
        },
        (suboption::MULTICAST, Some(address)) if address.is_multicast() => {
            return Some(TimeServer::Multicast(address));
        }
        (suboption::MULTICAST, Some(address)) => {
            notes.add(format!("time server {address} is no multicast address, ignored"));
        }
        (suboption::NAME, _) => match domain_names::decode(bytes, Compression::Forbidden).as_deref() {
            Ok([text]) => {
                let checked = name("time server", Some(text.as_bytes()), notes, hostname::check_domain);
                return checked.map(TimeServer::Name);
            }
            Ok(_) => notes.add("time server option has not exactly one name, ignored".to_owned()),
            Err(fault) => notes.add(format!("time server option {fault}, ignored")),
        },
        (suboption::SERVER | suboption::MULTICAST, None) => {
            notes.add("time server option has an address of the wrong length, ignored".to_owned());
        }
        (other, _) => notes.add(format!("time server option has the unknown suboption {other}, ignored")),
    }
    None
}

/// The name in option 39: a byte of flags, then labels; without the root's empty label, the domain is missing (RFC 4704 4.2).
fn client_name(options: &Options, notes: &mut Notes) -> Option<String> {
    let (_flags, labels) = options.get(code::CLIENT_FQDN)?.split_first()?;
    let mut labels = labels.to_vec();
    if labels.last().is_some_and(|last| *last != 0) {
        labels.push(0);
    }
    match domain_names::decode(&labels, Compression::Forbidden).as_deref() {
        Ok([]) => None,
        Ok([name]) => host_name(Some(name.as_bytes()), notes),
        Ok(_) => {
            notes.add("host name option has more than one name, ignored".to_owned());
            None
        }
        Err(fault) => {
            notes.add(format!("host name option {fault}, ignored"));
            None
        }
    }
}

/// The URL in option 59. The caller checks whether it can use the scheme.
fn boot_file_url(options: &Options, notes: &mut Notes) -> Option<String> {
    let bytes = options.get(code::BOOT_FILE_URL)?;
    let text = String::from_utf8_lossy(bytes);
    // RFC 5970 3.1: without a zero byte at the end, which some servers add nevertheless.
    let url = text.trim_end_matches('\0');
    if !url.is_empty() && url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(url.to_owned());
    }
    notes.add(format!("boot file URL {} is no URL, ignored", quoted(url)));
    None
}
