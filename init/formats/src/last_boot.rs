//! What a node remembers of its last boot, in a file on its state disk: the addresses that DHCPv4 servers gave it.
//!
//! ```text
//! dayfly last-boot 1
//! lease 52:54:00:12:34:56 - 10.0.0.50
//! lease 52:54:00:12:34:56 vlan5 10.5.0.50
//! ```
//!
//! The fields of a lease are the MAC address, the name of the interface if the boot created it (a VLAN has the MAC address of
//! its parent) or else `-`, and the address. The server and the lease time are not in the file: a REQUEST for a remembered
//! address must not name a server (RFC 2131 4.3.2), and without a trusted clock only the server knows whether a lease is over.
//!
//! Anyone who can write to the disk can write the file, so it is parsed strictly. A line of another kind is ignored, so that a
//! later version can add facts.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use std::fmt;
use std::net::Ipv4Addr;

use crate::dhcp4::address_fault;
use crate::iface;
use crate::mac::Mac;

/// The largest file that is parsed: more than [`MOST_LEASES`] lines.
pub const MOST_BYTES: usize = 4096;
/// The largest number of leases in a file.
pub const MOST_LEASES: usize = 32;

const HEADER: &str = "dayfly last-boot 1";

/// What a node remembers of its last boot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastBoot {
    /// Not more than [`MOST_LEASES`], one for each interface.
    pub leases: Vec<RememberedLease>,
}

/// The address that a DHCPv4 server gave to an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RememberedLease {
    /// The MAC address with which it was requested.
    pub mac: Mac,
    /// The name of the interface, if the boot created it.
    pub created: Option<String>,
    /// The address.
    pub address: Ipv4Addr,
}

impl fmt::Display for RememberedLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.mac, self.created.as_deref().unwrap_or("-"), self.address)
    }
}

/// Why a file is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastBootError {
    /// It has more than [`MOST_BYTES`].
    TooLarge,
    /// It does not start with the header of this version.
    Header,
    /// It has more than [`MOST_LEASES`].
    TooMany,
    /// The line of this number, counted from 1, is invalid for this reason.
    Line(usize, &'static str),
}

impl fmt::Display for LastBootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LastBootError::TooLarge => write!(f, "it has more than {MOST_BYTES} bytes"),
            LastBootError::Header => write!(f, "it does not start with the line {HEADER:?}"),
            LastBootError::TooMany => write!(f, "it has more than {MOST_LEASES} leases"),
            LastBootError::Line(number, why) => write!(f, "line {number} {why}"),
        }
    }
}

impl std::error::Error for LastBootError {}

impl LastBoot {
    /// Parses the file.
    pub fn parse(bytes: &[u8]) -> Result<LastBoot, LastBootError> {
        if bytes.len() > MOST_BYTES {
            return Err(LastBootError::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| LastBootError::Header)?;
        let mut lines = text.split_inclusive('\n').zip(1..);
        if lines.next().and_then(|(line, _)| line.strip_suffix('\n')) != Some(HEADER) {
            return Err(LastBootError::Header);
        }
        let mut found = LastBoot::default();
        for (line, number) in lines {
            let invalid = |why| LastBootError::Line(number, why);
            let line = line.strip_suffix('\n').ok_or(invalid("is incomplete"))?;
            let Some(fields) = line.strip_prefix("lease ") else { continue };
            let lease = lease(fields).map_err(invalid)?;
            if found.address(lease.mac, lease.created.as_deref()).is_some() {
                return Err(invalid("has a second lease of the same interface"));
            }
            if found.leases.len() == MOST_LEASES {
                return Err(LastBootError::TooMany);
            }
            found.leases.push(lease);
        }
        Ok(found)
    }

    /// The file. Leases beyond [`MOST_LEASES`] are left out.
    pub fn encode(&self) -> String {
        let leases = self.leases.iter().take(MOST_LEASES).map(|lease| format!("lease {lease}\n"));
        std::iter::once(format!("{HEADER}\n")).chain(leases).collect()
    }

    /// The address of an interface. `created` is its name if the boot creates it.
    pub fn address(&self, mac: Mac, created: Option<&str>) -> Option<Ipv4Addr> {
        let mut leases = self.leases.iter();
        let lease = leases.find(|lease| lease.mac == mac && lease.created.as_deref() == created)?;
        Some(lease.address)
    }
}

fn lease(fields: &str) -> Result<RememberedLease, &'static str> {
    let mut fields = fields.split(' ');
    let (Some(mac), Some(created), Some(address), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err("does not have the three fields of a lease");
    };
    let is_canonical = |parsed: &Mac| parsed.to_string() == mac && !parsed.is_group() && !parsed.is_zero();
    let mac = mac.parse().ok().filter(is_canonical).ok_or("has no MAC address of an interface")?;
    let created = (created != "-").then_some(created);
    if created.is_some_and(|name| iface::check_new(name).is_err()) {
        return Err("has no name of an interface");
    }
    let is_of_host = |address: &Ipv4Addr| address_fault(*address).is_none();
    let address = address.parse().ok().filter(is_of_host).ok_or("has no address of a host")?;
    Ok(RememberedLease { mac, created: created.map(str::to_owned), address })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

    fn parse(lines: &str) -> Result<LastBoot, LastBootError> {
        LastBoot::parse(format!("{HEADER}\n{lines}").as_bytes())
    }

    #[test]
    fn a_file_has_the_leases_by_interface() {
        let text = "lease 52:54:00:12:34:56 - 10.0.0.50\nlease 52:54:00:12:34:56 vlan5 10.5.0.50\n";
        let found = parse(text).unwrap();
        assert_eq!(found.address(MAC, None), Some(Ipv4Addr::new(10, 0, 0, 50)));
        assert_eq!(found.address(MAC, Some("vlan5")), Some(Ipv4Addr::new(10, 5, 0, 50)));
        assert_eq!(found.address(MAC, Some("vlan6")), None);
        assert_eq!(found.address(Mac([2, 0, 0, 0, 0, 1]), None), None);
        assert_eq!(found.encode(), format!("{HEADER}\n{text}"));
        assert_eq!(parse(""), Ok(LastBoot::default()));
    }

    #[test]
    fn lines_of_a_later_version_are_ignored() {
        let found = parse("image sha256 ab\nlease 52:54:00:12:34:56 - 10.0.0.50\n\nleases none\n").unwrap();
        assert_eq!(found.leases.len(), 1);
    }

    #[test]
    fn anything_else_is_refused() {
        for (line, why) in [
            ("lease 52:54:00:12:34:56 - 10.0.0.50", "is incomplete"),
            ("lease \n", "does not have the three fields of a lease"),
            ("lease 52:54:00:12:34:56 - 10.0.0.50 10.0.0.1\n", "does not have the three fields of a lease"),
            ("lease 52:54:00:12:34:56  10.0.0.50\n", "has no name of an interface"),
            ("lease 52:54:00:12:34:56 a/b 10.0.0.50\n", "has no name of an interface"),
            ("lease 52:54:00:12:34:56 a%d 10.0.0.50\n", "has no name of an interface"),
            ("lease 52-54-00-12-34-56 - 10.0.0.50\n", "has no MAC address of an interface"),
            ("lease 52:54:00:12:34:5 - 10.0.0.50\n", "has no MAC address of an interface"),
            ("lease 00:00:00:00:00:00 - 10.0.0.50\n", "has no MAC address of an interface"),
            ("lease 01:00:5e:00:00:01 - 10.0.0.50\n", "has no MAC address of an interface"),
            ("lease 52:54:00:12:34:56 - 10.0.0\n", "has no address of a host"),
            ("lease 52:54:00:12:34:56 - 10.0.0.50\r\n", "has no address of a host"),
            ("lease 52:54:00:12:34:56 - 0.0.0.0\n", "has no address of a host"),
            ("lease 52:54:00:12:34:56 - 127.0.0.1\n", "has no address of a host"),
            ("lease 52:54:00:12:34:56 - 224.0.0.1\n", "has no address of a host"),
            ("lease 52:54:00:12:34:56 - 255.255.255.255\n", "has no address of a host"),
        ] {
            assert_eq!(parse(line), Err(LastBootError::Line(2, why)), "{line}");
        }
        let twice = "lease 52:54:00:12:34:56 - 10.0.0.50\nlease 52:54:00:12:34:56 - 10.0.0.51\n";
        assert_eq!(parse(twice), Err(LastBootError::Line(3, "has a second lease of the same interface")));
        for start in ["", "\n", HEADER, "dayfly last-boot 2\n", "\u{feff}dayfly last-boot 1\n"] {
            assert_eq!(LastBoot::parse(start.as_bytes()), Err(LastBootError::Header), "{start:?}");
        }
        assert_eq!(LastBoot::parse(b"dayfly last-boot 1\n\xff\n"), Err(LastBootError::Header));
    }

    #[test]
    fn the_size_is_limited() {
        let leases = |count: u8| {
            let lease = |last| RememberedLease {
                mac: Mac([2, 0, 0, 0, 0, last]),
                created: Some("fifteen-letters".to_owned()),
                address: Ipv4Addr::new(100, 100, 100, 100),
            };
            LastBoot { leases: (0..count).map(lease).collect() }
        };
        let full = leases(32);
        assert_eq!(LastBoot::parse(full.encode().as_bytes()), Ok(full.clone()), "the longest file fits");
        assert_eq!(leases(40).encode(), full.encode());
        let more = format!("{}lease 02:00:00:00:00:ff - 10.0.0.50\n", full.encode());
        assert_eq!(LastBoot::parse(more.as_bytes()), Err(LastBootError::TooMany));
        let large = format!("{HEADER}\n{}\n", "x".repeat(MOST_BYTES));
        assert_eq!(LastBoot::parse(large.as_bytes()), Err(LastBootError::TooLarge));
    }
}
