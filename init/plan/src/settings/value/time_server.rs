//! Time servers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use dayfly_formats::hostname;

use super::{own_values, pattern};

/// A server of the time (NTP).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeServer {
    /// By its address.
    Address(IpAddr),
    /// By its name.
    Name(String),
}

impl FromStr for TimeServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let expected = "expected one like 10.0.0.1, 2001:db8::1 or ntp.example.org";
        // Such a text is a misspelt address. No top-level domain begins with a digit.
        if text.parse::<std::net::SocketAddr>().is_ok() {
            return Err(format!("time server \"{text}\" has a port; write the address alone"));
        }
        let last = text.rsplit('.').next().unwrap_or_default();
        if text.contains([':', '[']) || last.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(format!("time server \"{text}\" is not an IP address; {expected}"));
        }
        match hostname::check_domain(text) {
            Ok(()) => Ok(Self::Name(text.to_ascii_lowercase())),
            Err(reason) => Err(format!("time server \"{text}\" {reason}; {expected}")),
        }
    }
}

impl fmt::Display for TimeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeServer::Address(address) => address.fmt(f),
            TimeServer::Name(name) => f.write_str(name),
        }
    }
}

impl From<IpAddr> for TimeServer {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl From<Ipv4Addr> for TimeServer {
    fn from(address: Ipv4Addr) -> Self {
        Self::Address(address.into())
    }
}

impl From<Ipv6Addr> for TimeServer {
    fn from(address: Ipv6Addr) -> Self {
        Self::Address(address.into())
    }
}

own_values! {
    TimeServer = "IP address or host name", pattern(r"^([0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?|[0-9A-Fa-f:.]+)$");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_addresses_or_names() {
        for (text, expected) in [
            ("10.0.0.9", Ok("10.0.0.9")),
            ("2001:DB8::9", Ok("2001:db8::9")),
            ("NTP.example.org", Ok("ntp.example.org")),
            ("2.debian.pool.ntp.org", Ok("2.debian.pool.ntp.org")),
            ("10.0.0.300", Err("is not an IP address")),
            ("[2001:db8::9]", Err("is not an IP address")),
            ("10.0.0.9:123", Err("has a port; write the address alone")),
            ("ntp_1.example.org", Err("'_'")),
            ("ntp..org", Err("time server \"ntp..org\" ")),
            ("", Err("time server \"\" ")),
        ] {
            match (text.parse::<TimeServer>(), expected) {
                (Ok(server), Ok(expected)) => assert_eq!(server.to_string(), expected),
                (Err(said), Err(expected)) => assert!(said.contains(expected), "{said}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }
}
