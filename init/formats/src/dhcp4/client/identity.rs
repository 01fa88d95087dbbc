//! What every message of a client contains, and which answers are for it.

use std::time::Duration;

use super::super::{Message, MessageType, Op, code};
use crate::hostname;
use crate::mac::Mac;

/// The largest accepted message: a full Ethernet frame without IP and UDP headers.
const MAX_MESSAGE_SIZE: u16 = 1472;
/// The requested options. RFC 3442 requires 121 before 3.
const WANTED: [u8; 14] = [
    code::SUBNET_MASK,
    code::CLASSLESS_ROUTES,
    code::ROUTER,
    code::DOMAIN_NAME_SERVER,
    code::HOST_NAME,
    code::DOMAIN_NAME,
    code::INTERFACE_MTU,
    code::LEASE_TIME,
    code::SERVER_ID,
    code::RENEWAL_TIME,
    code::REBINDING_TIME,
    code::DOMAIN_SEARCH,
    code::NTP_SERVERS,
    code::MESSAGE,
];
/// `MIN_V6ONLY_WAIT` of RFC 8925 3.4.
const LEAST_IPV6_ONLY: u32 = 300;

/// Who the client is, and what it can do.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) mac: Mac,
    hostname: Option<String>,
    pub(super) vendor_class: Vec<u8>,
    /// Whether the host can do without IPv4 (RFC 8925).
    pub(super) can_do_without_ipv4: bool,
}

impl Identity {
    /// A host name that is not valid is not sent.
    pub(super) fn new(mac: Mac, hostname: Option<String>) -> Identity {
        Identity {
            mac,
            hostname: hostname.filter(|name| hostname::check(name).is_ok()),
            vendor_class: super::VENDOR_CLASS.to_vec(),
            can_do_without_ipv4: false,
        }
    }

    /// A DISCOVER or REQUEST, to which the caller adds what belongs to its state.
    pub(super) fn message(&self, kind: MessageType, xid: u32) -> Message {
        let mut message = self.bare(kind, xid);
        let options = &mut message.options;
        options.set(code::MAX_MESSAGE_SIZE, MAX_MESSAGE_SIZE.to_be_bytes());
        options.set(code::VENDOR_CLASS, self.vendor_class.as_slice());
        if let Some(name) = &self.hostname {
            options.set(code::HOST_NAME, name.as_bytes());
        }
        let mut wanted = WANTED.to_vec();
        if self.can_do_without_ipv4 {
            wanted.push(code::IPV6_ONLY_PREFERRED);
        }
        options.set(code::PARAMETER_REQUEST_LIST, wanted);
        message
    }

    /// A message of any kind. A DECLINE must not request options (RFC 2131 table 5).
    pub(super) fn bare(&self, kind: MessageType, xid: u32) -> Message {
        let mut message = Message::request(xid, self.mac);
        message.options.set(code::MESSAGE_TYPE, [kind.number()]);
        message.options.set(code::CLIENT_ID, self.client_id());
        message
    }

    /// Hardware type Ethernet and the address (RFC 2132 9.14). Most clients send this identifier, so the OS gets the
    /// same lease.
    fn client_id(&self) -> [u8; 7] {
        let mut id = [1; 7];
        id.iter_mut().skip(1).zip(self.mac.0).for_each(|(slot, byte)| *slot = byte);
        id
    }

    /// Why a message is not an answer to the exchange `xid`.
    pub(super) fn not_for_us(&self, message: &Message, xid: u32) -> Option<String> {
        if message.op != Op::Reply {
            return Some("a request of another client".to_owned());
        }
        if message.xid != xid {
            return Some(format!("xid {:08x}, ours is {xid:08x}", message.xid));
        }
        if message.chaddr != self.mac {
            return Some(format!("for {}, this is {}", message.chaddr, self.mac));
        }
        // RFC 6842: a server that returns an identifier returns the one from the request.
        let other = message.options.get(code::CLIENT_ID).is_some_and(|id| id != self.client_id());
        other.then(|| "for another client identifier".to_owned())
    }

    /// How long the host is to do without IPv4, if the server prefers that. A server may send the option only to a client
    /// that has requested it, and it has four bytes (RFC 8925 3.1, 3.3).
    pub(super) fn ipv6_only(&self, message: &Message) -> Option<Duration> {
        let seconds = message.options.number(code::IPV6_ONLY_PREFERRED)?;
        self.can_do_without_ipv4.then(|| Duration::from_secs(seconds.max(LEAST_IPV6_ONLY).into()))
    }
}
