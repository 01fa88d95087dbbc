//! DHCP unique identifiers (RFC 8415 section 11): who a client or a server is.

use std::fmt;

use crate::mac::Mac;

/// DUID-LL: hardware type and link-layer address (RFC 8415 11.4).
const LINK_LAYER: [u8; 2] = [0, 3];
/// DUID-UUID (RFC 6355).
const UUID: [u8; 2] = [0, 4];
/// Hardware type 1: Ethernet.
const ETHERNET: [u8; 2] = [0, 1];
/// The shortest and the longest identifier: the type of 2 bytes and 1 to 128 more (RFC 8415 11.1).
const LENGTHS: std::ops::RangeInclusive<usize> = 3..=130;

/// An identifier. Both kinds that a client here can have are the same at each boot without a disk or a clock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Duid(Vec<u8>);

impl Duid {
    /// The identifier of a machine with this UUID, the bytes in the order of its text form (RFC 9562 section 4). `None` for
    /// the UUIDs that firmware without one reports, which many machines share: all zeros and all ones.
    pub fn from_uuid(uuid: [u8; 16]) -> Option<Duid> {
        if uuid == [0; 16] || uuid == [0xff; 16] {
            return None;
        }
        Some(Duid([&UUID[..], &uuid[..]].concat()))
    }

    /// The identifier of a machine with this interface: the fallback when there is no UUID.
    pub fn from_mac(mac: Mac) -> Duid {
        Duid([&LINK_LAYER[..], &ETHERNET[..], &mac.0[..]].concat())
    }

    /// An identifier as a message carries it; `None` when its length is not 3 to 130 bytes. Its type is not looked at: an
    /// identifier is only ever compared (RFC 8415 section 11).
    pub fn from_bytes(bytes: &[u8]) -> Option<Duid> {
        LENGTHS.contains(&bytes.len()).then(|| Duid(bytes.to_vec()))
    }

    /// The bytes as a message carries them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Pairs of hexadecimal digits, separated by colons.
impl fmt::Display for Duid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if at == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds() {
        let uuid =
            [0xf8, 0x1d, 0x4f, 0xae, 0x7d, 0xec, 0x11, 0xd0, 0xa7, 0x65, 0, 0xa0, 0xc9, 0x1e, 0x6b, 0xf6];
        let duid = Duid::from_uuid(uuid).unwrap();
        assert_eq!(duid.to_string(), "00:04:f8:1d:4f:ae:7d:ec:11:d0:a7:65:00:a0:c9:1e:6b:f6");
        assert_eq!(Duid::from_bytes(duid.as_bytes()), Some(duid));
        let mac = Duid::from_mac(Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]));
        assert_eq!(mac.to_string(), "00:03:00:01:52:54:00:12:34:56");
        assert_eq!(mac.as_bytes(), [0, 3, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56]);
    }

    #[test]
    fn a_uuid_that_machines_share_identifies_none() {
        assert_eq!(Duid::from_uuid([0; 16]), None);
        assert_eq!(Duid::from_uuid([0xff; 16]), None);
    }

    #[test]
    fn lengths() {
        for (length, valid) in [(0, false), (2, false), (3, true), (130, true), (131, false)] {
            assert_eq!(Duid::from_bytes(&vec![7; length]).is_some(), valid, "{length}");
        }
    }
}
