//! The packet: a fixed header and options in up to three fields.

use std::fmt;
use std::net::Ipv4Addr;

use super::{Options, code};
use crate::mac::Mac;

const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Header and cookie: where the options start.
const HEADER: usize = 240;
/// Old relays and servers drop anything shorter than a BOOTP message (RFC 1542 2.1).
const SHORTEST: usize = 300;
/// ARP hardware type 1: Ethernet.
const ETHERNET: u8 = 1;

/// The sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// The client (1).
    Request,
    /// The server (2).
    Reply,
}

/// One DHCP message on Ethernet (RFC 2131 section 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Client or server.
    pub op: Op,
    /// Number of relays so far.
    pub hops: u8,
    /// The number of the exchange, chosen by the client.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// The client cannot receive unicast before it has its address.
    pub broadcast: bool,
    /// The address that the client already has.
    pub ciaddr: Ipv4Addr,
    /// "Your" address: the one from the server.
    pub yiaddr: Ipv4Addr,
    /// The server of the next boot step.
    pub siaddr: Ipv4Addr,
    /// The relay.
    pub giaddr: Ipv4Addr,
    /// The client's Ethernet address.
    pub chaddr: Mac,
    /// Server name, up to the first zero byte, at most 64 bytes; empty when the field carries options.
    pub sname: Vec<u8>,
    /// Boot file name, up to the first zero byte, at most 128 bytes; empty when the field carries options.
    pub file: Vec<u8>,
    /// The options of all three fields, without overload (52), which is not needed after parsing.
    pub options: Options,
}

/// Why bytes are not a DHCP message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageError {
    /// Shorter than header and cookie.
    Short(usize),
    /// The first byte is neither 1 nor 2.
    Op(u8),
    /// Hardware type and address length are not Ethernet's.
    Hardware(u8, u8),
    /// BOOTP without DHCP's magic cookie.
    Cookie([u8; 4]),
    /// An option is longer than the rest of its field.
    Truncated {
        /// The option's code.
        code: u8,
        /// `options`, `file` or `sname`.
        field: &'static str,
    },
    /// Option 52 is not 1, 2 or 3.
    Overload(Vec<u8>),
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageError::Short(bytes) => {
                write!(f, "DHCP message has {bytes} bytes; expected at least {HEADER}")
            }
            MessageError::Op(op) => write!(f, "DHCP message has the operation {op}; expected 1 or 2"),
            MessageError::Hardware(kind, length) => write!(
                f,
                "DHCP message is for hardware type {kind} with addresses of {length} bytes; expected 1, Ethernet, with 6"
            ),
            MessageError::Cookie(cookie) => {
                write!(f, "DHCP message has the magic cookie {cookie:?}; expected {COOKIE:?}")
            }
            MessageError::Truncated { code, field } => {
                write!(f, "DHCP option {code} is cut off by the end of the {field} field")
            }
            MessageError::Overload(value) => {
                write!(f, "DHCP option 52 (overload) is {value:?}; expected 1, 2 or 3")
            }
        }
    }
}

impl std::error::Error for MessageError {}

impl Message {
    /// A client's message without options.
    pub fn request(xid: u32, chaddr: Mac) -> Message {
        Message {
            op: Op::Request,
            hops: 0,
            xid,
            secs: 0,
            broadcast: false,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            chaddr,
            sname: Vec::new(),
            file: Vec::new(),
            options: Options::new(),
        }
    }

    /// Reads a UDP payload. A missing end option is accepted. A truncated option is an error, because the data after a
    /// wrong length cannot be trusted.
    #[allow(clippy::similar_names)] // the fields' names are the RFC's
    pub fn parse(payload: &[u8]) -> Result<Message, MessageError> {
        let short = MessageError::Short(payload.len());
        let Some((header, options)) = payload.split_first_chunk::<HEADER>() else { return Err(short) };
        let mut header = Reader(header);
        let [op, hardware, length, hops] = header.take();
        let op = match op {
            1 => Op::Request,
            2 => Op::Reply,
            other => return Err(MessageError::Op(other)),
        };
        if (hardware, length) != (ETHERNET, 6) {
            return Err(MessageError::Hardware(hardware, length));
        }
        let xid = u32::from_be_bytes(header.take());
        let secs = u16::from_be_bytes(header.take());
        let flags = u16::from_be_bytes(header.take());
        let [ciaddr, yiaddr, siaddr, giaddr] = [(); 4].map(|()| Ipv4Addr::from(header.take::<4>()));
        let chaddr = Mac(header.take());
        let _padding: [u8; 10] = header.take();
        let sname: [u8; 64] = header.take();
        let file: [u8; 128] = header.take();
        let cookie = header.take();
        if cookie != COOKIE {
            return Err(MessageError::Cookie(cookie));
        }
        let mut message = Message {
            hops,
            secs,
            broadcast: flags & 0x8000 != 0,
            ciaddr,
            yiaddr,
            siaddr,
            giaddr,
            op,
            ..Message::request(xid, chaddr)
        };
        let overload = read_options(&mut message.options, options, "options")?;
        // RFC 3396 section 5: the fields are read in this order when an option is spread over them.
        let (in_file, in_sname) = match overload.as_deref() {
            None => (false, false),
            Some([1]) => (true, false),
            Some([2]) => (false, true),
            Some([3]) => (true, true),
            Some(other) => return Err(MessageError::Overload(other.to_vec())),
        };
        if in_file {
            read_options(&mut message.options, &file, "file")?;
        } else {
            message.file = text(&file);
        }
        if in_sname {
            read_options(&mut message.options, &sname, "sname")?;
        } else {
            message.sname = text(&sname);
        }
        Ok(message)
    }

    /// Writes the message as a UDP payload of at least 300 bytes. Options longer than 255 bytes are split (RFC 3396).
    /// All options go into the options field. `sname` and `file` are cut to 64 and 128 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SHORTEST);
        let op = match self.op {
            Op::Request => 1,
            Op::Reply => 2,
        };
        out.extend_from_slice(&[op, ETHERNET, 6, self.hops]);
        out.extend_from_slice(&self.xid.to_be_bytes());
        out.extend_from_slice(&self.secs.to_be_bytes());
        out.extend_from_slice(&u16::to_be_bytes(if self.broadcast { 0x8000 } else { 0 }));
        for address in [self.ciaddr, self.yiaddr, self.siaddr, self.giaddr] {
            out.extend_from_slice(&address.octets());
        }
        padded(&mut out, &self.chaddr.0, 16);
        padded(&mut out, &self.sname, 64);
        padded(&mut out, &self.file, 128);
        out.extend_from_slice(&COOKIE);
        for (code, bytes) in self.options.iter() {
            let mut piece = |bytes: &[u8]| {
                out.push(code);
                // A chunk has at most 255 bytes, so the conversion cannot fail.
                out.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
                out.extend_from_slice(bytes);
            };
            if bytes.is_empty() {
                piece(&[]);
            }
            bytes.chunks(255).for_each(&mut piece);
        }
        out.push(code::END);
        if out.len() < SHORTEST {
            out.resize(SHORTEST, code::PAD);
        }
        out
    }
}

fn padded(out: &mut Vec<u8>, bytes: &[u8], width: usize) {
    out.extend(bytes.iter().copied().chain(std::iter::repeat(0)).take(width));
}

/// The bytes before the first zero.
fn text(field: &[u8]) -> Vec<u8> {
    field.iter().copied().take_while(|byte| *byte != 0).collect()
}

/// Reads fixed-size pieces of a header of known size. Past the end it returns zeros, but its only caller never gets
/// there.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((piece, rest)) = self.0.split_first_chunk::<N>() else { return [0; N] };
        self.0 = rest;
        *piece
    }
}

/// Reads one field of options into `options`. Returns the value of option 52 if there is one.
fn read_options(
    options: &mut Options,
    mut rest: &[u8],
    field: &'static str,
) -> Result<Option<Vec<u8>>, MessageError> {
    let mut overload = None;
    while let Some((&code, after)) = rest.split_first() {
        rest = after;
        match code {
            code::PAD => continue,
            code::END => break,
            _ => {}
        }
        let cut = MessageError::Truncated { code, field };
        let Some((&length, after)) = rest.split_first() else { return Err(cut) };
        let Some((value, after)) = after.split_at_checked(usize::from(length)) else { return Err(cut) };
        rest = after;
        if code == code::OVERLOAD {
            overload = Some(value.to_vec());
        } else {
            options.append(code, value);
        }
    }
    Ok(overload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(options: &[u8]) -> Vec<u8> {
        let mut bytes = Message { op: Op::Reply, ..Message::request(7, Mac([2, 0, 0, 0, 0, 1])) }.encode();
        bytes.truncate(HEADER);
        bytes.extend_from_slice(options);
        bytes
    }

    #[test]
    fn options_are_read_from_all_places_and_joined() {
        // 12 comes in three pieces: options, file, sname.
        let mut bytes = reply(&[0, 0, 12, 1, b'a', 0, 52, 1, 3, 53, 1, 5, 255, 12, 1, b'x']);
        bytes[108..114].copy_from_slice(&[12, 2, b'b', b'c', 255, 9]);
        bytes[44..49].copy_from_slice(&[0, 12, 1, b'd', 255]);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.options.get(12), Some(&b"abcd"[..]));
        assert_eq!(message.options.message_type(), Some(super::super::MessageType::Ack));
        assert_eq!(message.options.get(52), None);
        assert_eq!((message.file, message.sname), (vec![], vec![]));
    }

    #[test]
    fn overload_in_one_field_leaves_the_other_a_name() {
        let mut bytes = reply(&[52, 1, 2, 255]);
        bytes[108..112].copy_from_slice(b"boot");
        bytes[44..48].copy_from_slice(&[12, 1, b'd', 255]);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!((message.file.as_slice(), message.sname.len()), (&b"boot"[..], 0));
        assert_eq!(message.options.get(12), Some(&b"d"[..]));
    }

    #[test]
    fn overload_inside_an_overloaded_field_means_nothing() {
        let mut bytes = reply(&[52, 1, 1, 255]);
        bytes[108..112].copy_from_slice(&[52, 1, 2, 255]);
        bytes[44..48].copy_from_slice(b"name");
        assert_eq!(Message::parse(&bytes).unwrap().sname, b"name");
    }

    #[test]
    fn a_missing_end_is_tolerated() {
        assert_eq!(Message::parse(&reply(&[12, 1, b'a'])).unwrap().options.get(12), Some(&b"a"[..]));
        assert_eq!(Message::parse(&reply(&[])).unwrap().options, Options::new());
    }

    #[test]
    fn long_options_are_split_and_joined() {
        let mut message = Message::request(1, Mac([2; 6]));
        message.options.set(119, vec![1; 255]);
        message.options.set(121, (0..=255).chain(0..=255).collect::<Vec<u8>>());
        message.options.set(12, vec![]);
        let bytes = message.encode();
        assert_eq!(Message::parse(&bytes), Ok(message));
        assert_eq!(bytes[240..242], [119, 255]);
        assert_eq!(bytes[497..499], [121, 255]);
        assert_eq!(bytes[497 + 257..497 + 259], [121, 255]);
        assert_eq!(bytes[497 + 514..497 + 516], [121, 2]);
    }

    #[test]
    fn short_messages_are_padded() {
        assert_eq!(Message::request(1, Mac([2; 6])).encode().len(), 300);
    }

    #[test]
    fn bad_messages_are_named() {
        let edit = |at: usize, byte: u8| {
            let mut bytes = reply(&[255]);
            bytes[at] = byte;
            bytes
        };
        let mut in_file = reply(&[52, 1, 1, 255]);
        in_file[108 + 126..108 + 128].copy_from_slice(&[12, 5]);
        for (bytes, error) in [
            (vec![], "DHCP message has 0 bytes; expected at least 240"),
            (vec![2; 239], "DHCP message has 239 bytes; expected at least 240"),
            (edit(0, 3), "DHCP message has the operation 3; expected 1 or 2"),
            (
                edit(1, 32),
                "DHCP message is for hardware type 32 with addresses of 6 bytes; expected 1, Ethernet, with 6",
            ),
            (
                edit(2, 16),
                "DHCP message is for hardware type 1 with addresses of 16 bytes; expected 1, Ethernet, with 6",
            ),
            (edit(236, 0), "DHCP message has the magic cookie [0, 130, 83, 99]; expected [99, 130, 83, 99]"),
            (reply(&[12]), "DHCP option 12 is cut off by the end of the options field"),
            (reply(&[12, 2, 1]), "DHCP option 12 is cut off by the end of the options field"),
            (in_file, "DHCP option 12 is cut off by the end of the file field"),
            (reply(&[52, 1, 4, 255]), "DHCP option 52 (overload) is [4]; expected 1, 2 or 3"),
            (reply(&[52, 0, 255]), "DHCP option 52 (overload) is []; expected 1, 2 or 3"),
        ] {
            let found = Message::parse(&bytes).unwrap_err().to_string();
            assert_eq!(found, error);
        }
    }
}
