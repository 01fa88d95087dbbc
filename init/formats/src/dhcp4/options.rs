//! The options of a message as code and bytes, with functions to read their types.

use std::fmt;
use std::net::Ipv4Addr;

use super::code;

/// The options of one message, in order of first appearance. An option in several pieces is joined into one (RFC 3396
/// section 7). Pad and end are not stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    entries: Vec<(u8, Vec<u8>)>,
}

impl Options {
    /// No options.
    pub fn new() -> Options {
        Options::default()
    }

    /// Sets an option and replaces its previous value. Pad and end are not options and are ignored.
    pub fn set(&mut self, code: u8, bytes: impl Into<Vec<u8>>) {
        if matches!(code, code::PAD | code::END) {
            return;
        }
        let bytes = bytes.into();
        match self.entries.iter_mut().find(|(other, _)| *other == code) {
            Some((_, old)) => *old = bytes,
            None => self.entries.push((code, bytes)),
        }
    }

    /// Adds bytes to an option, as a repeated code does.
    pub(super) fn append(&mut self, code: u8, bytes: &[u8]) {
        match self.entries.iter_mut().find(|(other, _)| *other == code) {
            Some((_, old)) => old.extend_from_slice(bytes),
            None => self.entries.push((code, bytes.to_vec())),
        }
    }

    /// The bytes of an option.
    pub fn get(&self, code: u8) -> Option<&[u8]> {
        self.entries.iter().find(|(other, _)| *other == code).map(|(_, bytes)| bytes.as_slice())
    }

    /// Every option as code and bytes.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.entries.iter().map(|(code, bytes)| (*code, bytes.as_slice()))
    }

    /// The message type (53). `None` if it is missing, unknown or has a wrong length.
    pub fn message_type(&self) -> Option<MessageType> {
        match self.get(code::MESSAGE_TYPE)? {
            [kind] => MessageType::from_number(*kind),
            _ => None,
        }
    }

    /// An option with exactly one address.
    pub fn address(&self, code: u8) -> Option<Ipv4Addr> {
        let bytes: [u8; 4] = self.get(code)?.try_into().ok()?;
        Some(Ipv4Addr::from(bytes))
    }

    /// An option with one or more addresses. Empty if it is missing or its length is not a multiple of 4.
    pub fn addresses(&self, code: u8) -> Vec<Ipv4Addr> {
        match self.get(code).map(<[u8]>::as_chunks::<4>) {
            Some((chunks, [])) => chunks.iter().map(|bytes| Ipv4Addr::from(*bytes)).collect(),
            _ => Vec::new(),
        }
    }

    /// An option with one 32-bit number.
    pub fn number(&self, code: u8) -> Option<u32> {
        Some(u32::from_be_bytes(self.get(code)?.try_into().ok()?))
    }

    /// An option with one 16-bit number.
    pub fn short(&self, code: u8) -> Option<u16> {
        Some(u16::from_be_bytes(self.get(code)?.try_into().ok()?))
    }
}

/// The kinds of DHCP messages (RFC 2132 9.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageType {
    /// Client looks for servers.
    Discover,
    /// Server offers an address.
    Offer,
    /// Client asks for the offered address.
    Request,
    /// Client refuses the address: it is in use.
    Decline,
    /// Server grants the lease.
    Ack,
    /// Server refuses.
    Nak,
    /// Client releases the lease.
    Release,
    /// Client has an address and asks for the other values.
    Inform,
}

impl MessageType {
    const ALL: [MessageType; 8] = [
        MessageType::Discover,
        MessageType::Offer,
        MessageType::Request,
        MessageType::Decline,
        MessageType::Ack,
        MessageType::Nak,
        MessageType::Release,
        MessageType::Inform,
    ];

    fn from_number(number: u8) -> Option<MessageType> {
        MessageType::ALL.get(usize::from(number.checked_sub(1)?)).copied()
    }

    /// The number in option 53.
    pub fn number(self) -> u8 {
        match self {
            MessageType::Discover => 1,
            MessageType::Offer => 2,
            MessageType::Request => 3,
            MessageType::Decline => 4,
            MessageType::Ack => 5,
            MessageType::Nak => 6,
            MessageType::Release => 7,
            MessageType::Inform => 8,
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MessageType::Discover => "DISCOVER",
            MessageType::Offer => "OFFER",
            MessageType::Request => "REQUEST",
            MessageType::Decline => "DECLINE",
            MessageType::Ack => "ACK",
            MessageType::Nak => "NAK",
            MessageType::Release => "RELEASE",
            MessageType::Inform => "INFORM",
        })
    }
}
