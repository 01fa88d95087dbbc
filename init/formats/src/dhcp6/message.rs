//! The packet between client and server: a kind, a number of three bytes, and options.

use std::fmt;

use super::options::{Options, Truncated};

/// Kinds of messages with the header of this module (RFC 8415 7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageType {
    /// Client looks for servers.
    Solicit,
    /// Server offers an address.
    Advertise,
    /// Client asks for the offered address.
    Request,
    /// Client asks whether its address still fits the link.
    Confirm,
    /// Client asks its server for more time.
    Renew,
    /// Client asks any server for more time.
    Rebind,
    /// Server grants, refuses or informs.
    Reply,
    /// Client gives the lease back.
    Release,
    /// Client refuses the address: it is in use.
    Decline,
    /// Server asks the client to renew.
    Reconfigure,
    /// Client has an address and asks for the rest.
    InformationRequest,
}

impl MessageType {
    const ALL: [(MessageType, &'static str); 11] = [
        (MessageType::Solicit, "Solicit"),
        (MessageType::Advertise, "Advertise"),
        (MessageType::Request, "Request"),
        (MessageType::Confirm, "Confirm"),
        (MessageType::Renew, "Renew"),
        (MessageType::Rebind, "Rebind"),
        (MessageType::Reply, "Reply"),
        (MessageType::Release, "Release"),
        (MessageType::Decline, "Decline"),
        (MessageType::Reconfigure, "Reconfigure"),
        (MessageType::InformationRequest, "Information-request"),
    ];

    /// The number in the header.
    pub fn number(self) -> u8 {
        (1..).zip(MessageType::ALL).find(|(_, (kind, _))| *kind == self).map_or(0, |(number, _)| number)
    }

    fn from_number(number: u8) -> Option<MessageType> {
        Some(MessageType::ALL.get(usize::from(number.checked_sub(1)?))?.0)
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = MessageType::ALL.iter().find(|(kind, _)| kind == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

/// One message (RFC 8415 section 8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: MessageType,
    /// The exchange's number (transaction-id), chosen by the client: 24 bits.
    pub xid: u32,
    /// The options.
    pub options: Options,
}

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageError {
    /// Shorter than the header.
    Short(usize),
    /// A message between relays and servers (12 or 13), whose header is another one.
    Relay(u8),
    /// A number that RFC 8415 does not define.
    Kind(u8),
    /// An option is cut off.
    Truncated(Truncated),
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageError::Short(bytes) => {
                write!(f, "DHCPv6 message has {bytes} bytes; expected at least 4")
            }
            MessageError::Relay(kind) => {
                write!(f, "DHCPv6 message has the type {kind}, which is for relays; expected 1 to 11")
            }
            MessageError::Kind(kind) => write!(f, "DHCPv6 message has the type {kind}; expected 1 to 11"),
            MessageError::Truncated(error) => write!(f, "DHCPv6 message is broken: {error}"),
        }
    }
}

impl std::error::Error for MessageError {}

impl Message {
    /// A message without options. Of `xid`, the low 24 bits count.
    pub fn new(kind: MessageType, xid: u32) -> Message {
        Message { kind, xid: xid & 0xff_ffff, options: Options::new() }
    }

    /// Reads a UDP payload.
    pub fn parse(payload: &[u8]) -> Result<Message, MessageError> {
        let Some((&[kind, a, b, c], options)) = payload.split_first_chunk() else {
            return Err(MessageError::Short(payload.len()));
        };
        let kind = match (kind, MessageType::from_number(kind)) {
            (_, Some(kind)) => kind,
            (12 | 13, None) => return Err(MessageError::Relay(kind)),
            (_, None) => return Err(MessageError::Kind(kind)),
        };
        let options = Options::parse(options).map_err(MessageError::Truncated)?;
        Ok(Message { kind, xid: u32::from_be_bytes([0, a, b, c]), options })
    }

    /// Writes the message as a UDP payload.
    pub fn encode(&self) -> Vec<u8> {
        let [_, a, b, c] = self.xid.to_be_bytes();
        let mut out = vec![self.kind.number(), a, b, c];
        out.extend_from_slice(&self.options.encode());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back() {
        let mut message = Message::new(MessageType::InformationRequest, 0x4412_3456);
        message.options.add(8, [0, 0]);
        let bytes = message.encode();
        assert_eq!(bytes, [11, 0x12, 0x34, 0x56, 0, 8, 0, 2, 0, 0]);
        assert_eq!(Message::parse(&bytes), Ok(message));
    }

    #[test]
    fn kinds() {
        let names = (1..=11).map(|number| {
            let kind = MessageType::from_number(number).unwrap();
            assert_eq!(kind.number(), number);
            kind.to_string()
        });
        assert_eq!(
            names.collect::<Vec<_>>().join(" "),
            "Solicit Advertise Request Confirm Renew Rebind Reply Release Decline Reconfigure Information-request"
        );
    }

    #[test]
    fn what_is_no_message_is_named() {
        for (bytes, error) in [
            (&[][..], "DHCPv6 message has 0 bytes; expected at least 4"),
            (&[7, 0, 0], "DHCPv6 message has 3 bytes; expected at least 4"),
            (&[0, 0, 0, 0], "DHCPv6 message has the type 0; expected 1 to 11"),
            (&[14, 0, 0, 0], "DHCPv6 message has the type 14; expected 1 to 11"),
            (&[13, 0, 0, 0], "DHCPv6 message has the type 13, which is for relays; expected 1 to 11"),
            (&[7, 0, 0, 1, 0, 2, 0, 9, 1], "DHCPv6 message is broken: option 2 is cut off"),
            (&[7, 0, 0, 1, 0, 2], "DHCPv6 message is broken: the header of an option is cut off"),
        ] {
            assert_eq!(Message::parse(bytes).unwrap_err().to_string(), error);
        }
    }
}
