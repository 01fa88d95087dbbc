//! The kernel's message around options of a router advertisement: `struct nduseroptmsg` (linux/rtnetlink.h), the options, and
//! attributes. Numbers are in the machine's byte order.

use std::fmt;
use std::net::Ipv6Addr;

/// `AF_INET6`.
const INET6: u8 = 10;
/// The ICMPv6 type of a router advertisement (RFC 4861 4.2).
const ROUTER_ADVERTISEMENT: u8 = 134;
/// `NDUSEROPT_SRCADDR`: the router's address.
const SOURCE: u16 = 1;
/// The size of `struct nduseroptmsg`.
const HEADER: usize = 16;

/// What a message of the type `RTM_NEWNDUSEROPT` carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserMessage<'a> {
    /// The index of the interface that received the advertisement.
    pub interface: u32,
    /// The options, for [`super::parse`].
    pub options: &'a [u8],
    /// The router's address.
    pub source: Option<Ipv6Addr>,
}

/// Why a payload is no such message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserMessageError {
    /// Fewer bytes than the header or its length of the options says: bytes there, bytes needed.
    Short(usize, usize),
    /// An address family other than IPv6.
    Family(u8),
    /// An ICMPv6 type other than a router advertisement.
    Kind(u8),
    /// An index that no interface has.
    Interface(i32),
}

impl fmt::Display for UserMessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UserMessageError::Short(has, needs) => {
                write!(f, "message of ND options has {has} bytes; expected at least {needs}")
            }
            UserMessageError::Family(family) => {
                write!(f, "message of ND options has the address family {family}; expected {INET6}, IPv6")
            }
            UserMessageError::Kind(kind) => write!(
                f,
                "message of ND options has the ICMPv6 type {kind}; expected {ROUTER_ADVERTISEMENT}, router advertisement"
            ),
            UserMessageError::Interface(index) => {
                write!(f, "message of ND options has the interface index {index}; expected 1 or more")
            }
        }
    }
}

impl std::error::Error for UserMessageError {}

impl UserMessage<'_> {
    /// Reads what follows the netlink header (`struct nlmsghdr`) of an `RTM_NEWNDUSEROPT`.
    pub fn parse(payload: &[u8]) -> Result<UserMessage<'_>, UserMessageError> {
        let short = |needs| UserMessageError::Short(payload.len(), needs);
        let (header, rest) = payload.split_first_chunk::<HEADER>().ok_or(short(HEADER))?;
        let [family, _, l0, l1, i0, i1, i2, i3, kind, ..] = *header;
        if family != INET6 {
            return Err(UserMessageError::Family(family));
        }
        if kind != ROUTER_ADVERTISEMENT {
            return Err(UserMessageError::Kind(kind));
        }
        let index = i32::from_ne_bytes([i0, i1, i2, i3]);
        let interface = u32::try_from(index).ok().filter(|index| *index > 0);
        let interface = interface.ok_or(UserMessageError::Interface(index))?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let (options, attributes) =
            rest.split_at_checked(length).ok_or(short(HEADER.saturating_add(length)))?;
        Ok(UserMessage { interface, options, source: source(attributes) })
    }
}

/// The first attribute with the router's address. Options have whole units of 8 bytes, so that attributes are aligned.
fn source(attributes: &[u8]) -> Option<Ipv6Addr> {
    let mut rest = attributes;
    while let Some((&[l0, l1, k0, k1], _)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = rest.get(4..length)?;
        if u16::from_ne_bytes([k0, k1]) == SOURCE {
            return Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?));
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(family: u8, kind: u8, index: i32, options: &[u8], attributes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(options.len()).unwrap().to_ne_bytes();
        let header = [&[family, 0][..], &length, &index.to_ne_bytes(), &[kind, 0, 0, 0, 0, 0, 0, 0]].concat();
        [&header, options, attributes].concat()
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [&length.to_ne_bytes(), &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn messages() {
        let router: Ipv6Addr = "fe80::1".parse().unwrap();
        let source = attribute(1, &router.octets());
        for (attributes, expected) in [
            (vec![], None),
            (source.clone(), Some(router)),
            ([attribute(7, &[1, 2, 3]), source.clone()].concat(), Some(router)),
            (attribute(1, &[0; 4]), None),
            (vec![0, 0, 0, 0], None),
            (source[..19].to_vec(), None),
        ] {
            let payload = message(10, 134, 2, &[25, 1, 0, 0, 0, 0, 0, 0], &attributes);
            let expected =
                UserMessage { interface: 2, options: &[25, 1, 0, 0, 0, 0, 0, 0], source: expected };
            assert_eq!(UserMessage::parse(&payload), Ok(expected), "{attributes:?}");
        }
    }

    #[test]
    fn what_is_no_message_is_named() {
        let mut long = message(10, 134, 2, &[0; 8], &[]);
        long.pop();
        for (payload, error) in [
            (vec![], "message of ND options has 0 bytes; expected at least 16"),
            (long, "message of ND options has 23 bytes; expected at least 24"),
            (
                message(2, 134, 2, &[], &[]),
                "message of ND options has the address family 2; expected 10, IPv6",
            ),
            (
                message(10, 136, 2, &[], &[]),
                "message of ND options has the ICMPv6 type 136; expected 134, router advertisement",
            ),
            (
                message(10, 134, 0, &[], &[]),
                "message of ND options has the interface index 0; expected 1 or more",
            ),
            (
                message(10, 134, -3, &[], &[]),
                "message of ND options has the interface index -3; expected 1 or more",
            ),
        ] {
            assert_eq!(UserMessage::parse(&payload).unwrap_err().to_string(), error);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80), length in 0u16..64) {
            let mut payload = message(10, 134, 2, &[], &bytes);
            payload[2..4].copy_from_slice(&length.to_ne_bytes());
            match UserMessage::parse(&payload) {
                Ok(message) => proptest::prop_assert_eq!(message.options, &bytes[..usize::from(length)]),
                Err(_) => proptest::prop_assert!(usize::from(length) > bytes.len()),
            }
        }
    }
}
