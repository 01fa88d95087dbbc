//! IP addresses with the interface of their link (RFC 4007 11): `fe80::1%eth0`. Every interface has link-local addresses, so without
//! the interface such an address leads nowhere.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::iface::{self, IfaceError};

/// An address, and if it is an IPv6 link-local one the interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopedAddr {
    /// The address.
    pub address: IpAddr,
    /// The name of the interface.
    pub interface: Option<String>,
}

/// Why a text is no such address; reads as the end of a sentence that starts with the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopedAddrError {
    /// It is no IP address.
    Address,
    /// It has a port.
    Port,
    /// Its `%` is written as in a URL.
    Escaped,
    /// It is link-local, and names no interface.
    NoInterface,
    /// It names an interface, but is not link-local.
    NotLinkLocal,
    /// The name of the interface, and what is wrong with it.
    Interface(String, IfaceError),
}

impl fmt::Display for ScopedAddrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("is not an IP address"),
            Self::Port => f.write_str("has a port; write the address alone"),
            Self::Escaped => f.write_str("has %25 for %, as in a URL; write it like fe80::1%eth0"),
            Self::NoInterface => {
                f.write_str("is link-local, so its interface is needed; write it like fe80::1%eth0")
            }
            Self::NotLinkLocal => {
                f.write_str("has an interface, but only a link-local address needs one; remove it with its %")
            }
            Self::Interface(name, problem) => write!(f, "has the interface \"{name}\", which {problem}"),
        }
    }
}

impl std::error::Error for ScopedAddrError {}

impl ScopedAddr {
    /// An address that was learnt on an interface.
    pub fn learnt_on(address: IpAddr, interface: &str) -> Self {
        Self { address, interface: is_link_local(address).then(|| interface.to_owned()) }
    }
}

impl From<IpAddr> for ScopedAddr {
    fn from(address: IpAddr) -> Self {
        Self { address, interface: None }
    }
}

impl FromStr for ScopedAddr {
    type Err = ScopedAddrError;

    fn from_str(text: &str) -> Result<Self, ScopedAddrError> {
        let (address, zone) = match text.split_once('%') {
            Some((address, zone)) => (address, Some(zone)),
            None => (text, None),
        };
        let address = address.parse().map_err(|_| match text.parse::<SocketAddr>() {
            Ok(_) => ScopedAddrError::Port,
            Err(_) => ScopedAddrError::Address,
        })?;
        match (zone, is_link_local(address)) {
            (None, false) => Ok(address.into()),
            (None, true) => Err(ScopedAddrError::NoInterface),
            (Some(_), false) => Err(ScopedAddrError::NotLinkLocal),
            // The kernel's names begin with a letter.
            (Some(zone), true) if zone.len() > 2 && zone.starts_with("25") => Err(ScopedAddrError::Escaped),
            (Some(zone), true) => match iface::check(zone) {
                Ok(()) => Ok(Self { address, interface: Some(zone.to_owned()) }),
                Err(problem) => Err(ScopedAddrError::Interface(zone.to_owned(), problem)),
            },
        }
    }
}

impl fmt::Display for ScopedAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)?;
        self.interface.as_ref().map_or(Ok(()), |name| write!(f, "%{name}"))
    }
}

/// Whether every link has addresses of this kind (RFC 4291 2.5.6).
pub fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// The host of a URL without its brackets and zone, and the zone. A `%` is written as `%25` (RFC 6874 2); most programs also take it
/// as it is.
pub fn split_host(host: &str) -> (&str, Option<&str>) {
    match host.split_once('%') {
        Some((address, zone)) => (address, Some(zone.strip_prefix("25").unwrap_or(zone))),
        None => (host, None),
    }
}

/// A URL whose IPv6 host has a zone: the text before the zone, the zone, and the text after it.
pub fn split_url(url: &str) -> Option<(&str, &str, &str)> {
    let at = url.find("://[")? + "://[".len();
    let end = at + url.get(at..)?.find(']')?;
    let (scheme, host) = (url.get(..at)?.strip_suffix("://[")?, url.get(at..end)?);
    if scheme.contains(['/', '?', '#']) {
        return None;
    }
    let (address, zone) = split_host(host);
    Some((url.get(..at + address.len())?, zone?, url.get(end..)?))
}

/// The URL without the zone of its IPv6 host.
pub fn without_zone(url: &str) -> String {
    split_url(url).map_or_else(|| url.to_owned(), |(before, _, after)| format!("{before}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_link_local_address_has_an_interface() {
        for text in ["10.0.0.1", "2001:db8::1", "fe80::1%eth0", "fe80::1%eth0.5", "febf::1%2", "169.254.0.1"]
        {
            let found: ScopedAddr = text.parse().unwrap();
            assert_eq!(found.to_string(), text);
            assert_eq!(
                ScopedAddr::learnt_on(found.address, "eth0.5").interface.is_some(),
                text.contains('%')
            );
        }
        let interface = |name: &str, problem| ScopedAddrError::Interface(name.to_owned(), problem);
        for (text, expected) in [
            ("", ScopedAddrError::Address),
            ("fe80::1::%eth0", ScopedAddrError::Address),
            ("[fe80::1%eth0]", ScopedAddrError::Address),
            ("10.0.0.53:53", ScopedAddrError::Port),
            ("[2001:db8::1]:53", ScopedAddrError::Port),
            ("fe80::1%25eth0", ScopedAddrError::Escaped),
            ("fe80::1", ScopedAddrError::NoInterface),
            ("2001:db8::1%eth0", ScopedAddrError::NotLinkLocal),
            ("10.0.0.1%eth0", ScopedAddrError::NotLinkLocal),
            ("fe80::1%", interface("", IfaceError::Empty)),
            ("fe80::1%et/h", interface("et/h", IfaceError::Character('/'))),
            ("fe80::1%sixteen-bytes-xx", interface("sixteen-bytes-xx", IfaceError::TooLong(16))),
        ] {
            assert_eq!(text.parse::<ScopedAddr>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_url_is_split_at_its_zone() {
        for (url, expected) in [
            ("http://[fe80::1%25eth0]/os", Some(("http://[fe80::1", "eth0", "]/os"))),
            ("http://[fe80::1%eth0]:8080/os", Some(("http://[fe80::1", "eth0", "]:8080/os"))),
            ("https://[fe80::1%2525]", Some(("https://[fe80::1", "25", "]"))),
            ("https://[fe80::1%25]/", Some(("https://[fe80::1", "", "]/"))),
            ("http://[fe80::1]/os%25", None),
            ("http://boot/100%25", None),
            ("http://boot/?to=http://[fe80::1%25eth0]/", None),
            ("http://[fe80::1%25eth0", None),
            ("/os", None),
        ] {
            assert_eq!(split_url(url), expected, "{url}");
        }
    }
}
