//! A DHCPv4 client for one interface, from INIT to BOUND, without sockets or clock.
//!
//! The caller owns the socket and the clock and does three things: it sends the packets of [`Client::poll`] (broadcast,
//! from 0.0.0.0:68 to 255.255.255.255:67), passes received packets to [`Client::receive`], and calls `poll` again
//! directly after each of them and at [`Client::next_wakeup`]. `now` is the time since any fixed start, and never goes
//! backwards.
//!
//! Differences from RFC 2131 4.1: the first packet is sent at once (the RFC waits 1 to 10 s against a power-on storm,
//! which is too long for a boot), retransmission starts at 1 s instead of 4 s, and the first acceptable offer is used.
//! The client does not probe the address by ARP and does not renew the lease: the network manager of the OS does both.

mod retry;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::{Lease, Message, MessageType, Op, code};
use crate::field::quoted;
use crate::hostname;
use crate::mac::Mac;
use crate::random::Random;
use retry::Retry;

/// REQUESTs sent for one offer before the client looks for another.
const MOST_REQUESTS: u32 = 3;
/// DISCOVERs without any answer before the client requests broadcast answers (RFC 2131 4.1: some stacks and switches
/// drop unicast to an address that is not yet set).
const SILENT_TRIES: u32 = 3;
/// Vendor class sent, for servers that answer by class.
const VENDOR_CLASS: &[u8] = b"dayfly";
/// The largest accepted message: a full Ethernet frame without IP and UDP headers.
const MAX_MESSAGE_SIZE: u16 = 1472;
/// The requested options. RFC 3442 requires 121 before 3.
const WANTED: [u8; 13] = [
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
    code::MESSAGE,
];

/// The result of a received payload.
#[derive(Debug, Clone, PartialEq, Eq)]
// A lease is returned once per boot; a box would save nothing.
#[allow(clippy::large_enum_variant)]
pub enum Received {
    /// It was ignored, for this reason.
    Ignored(String),
    /// An offer was accepted. The next `poll` returns the REQUEST at once.
    Offer {
        /// The server.
        server: Ipv4Addr,
        /// The address it offers.
        address: Ipv4Addr,
    },
    /// The lease is granted and the exchange is over.
    Lease(Lease),
    /// The server refused its own offer, with this message. The search starts again.
    Nak(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Offer {
    server: Ipv4Addr,
    address: Ipv4Addr,
}

impl From<&Lease> for Offer {
    fn from(lease: &Lease) -> Offer {
        Offer { server: lease.server, address: lease.address }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// DISCOVERs are sent. `spare` is an offer of a server that failed before. It is used if no other server answers.
    Selecting { discovers: u32, spare: Option<Offer> },
    /// REQUESTs for this offer are sent.
    Requesting { offer: Offer, requests: u32 },
    /// The lease is granted.
    Bound(Offer),
}

/// Why an earlier round failed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    NoAck { server: Ipv4Addr, requests: u32 },
    Nak { server: Ipv4Addr, words: String },
}

/// The exchange on one interface.
#[derive(Debug, Clone)]
pub struct Client {
    mac: Mac,
    hostname: Option<String>,
    broadcast: bool,
    xid: u32,
    random: Random,
    retry: Retry,
    state: State,
    /// When the first DISCOVER of this attempt was sent.
    began: Option<Duration>,
    /// `secs` of the last DISCOVER, which its REQUEST repeats (RFC 2131 3.1 point 3).
    secs: u16,
    failure: Option<Failure>,
    refused: u32,
    last_refusal: String,
}

impl Client {
    /// A client that has sent nothing yet. `xid` and `jitter_seed` should be random, so that the hosts of a rack that
    /// power on together differ. `hostname` is sent (option 12) if it is a valid name.
    pub fn new(mac: Mac, xid: u32, hostname: Option<String>, jitter_seed: u64) -> Client {
        Client {
            mac,
            hostname: hostname.filter(|name| hostname::check(name).is_ok()),
            broadcast: false,
            xid,
            random: Random::new(jitter_seed),
            retry: Retry::new(Duration::ZERO),
            state: State::Selecting { discovers: 0, spare: None },
            began: None,
            secs: 0,
            failure: None,
            refused: 0,
            last_refusal: String::new(),
        }
    }

    /// The payload to send now. `None` if nothing is due.
    pub fn poll(&mut self, now: Duration) -> Option<Vec<u8>> {
        if now < self.retry.due {
            return None;
        }
        // There was no answer to the last packet in time.
        match &self.state {
            State::Bound(_) => return None,
            State::Selecting { spare: Some(offer), .. } => {
                self.state = State::Requesting { offer: offer.clone(), requests: 0 };
                self.retry = Retry::new(now);
            }
            State::Requesting { offer, requests } if *requests >= MOST_REQUESTS => {
                self.failure = Some(Failure::NoAck { server: offer.server, requests: *requests });
                self.restart(now);
            }
            _ => {}
        }
        let message = match &mut self.state {
            State::Bound(_) => return None,
            State::Selecting { discovers, .. } => {
                if *discovers >= SILENT_TRIES {
                    self.broadcast = true;
                }
                *discovers = discovers.saturating_add(1);
                let began = *self.began.get_or_insert(now);
                self.secs = u16::try_from(now.saturating_sub(began).as_secs()).unwrap_or(u16::MAX);
                self.message(MessageType::Discover)
            }
            State::Requesting { offer, requests } => {
                *requests = requests.saturating_add(1);
                let offer = offer.clone();
                let mut message = self.message(MessageType::Request);
                message.options.set(code::REQUESTED_ADDRESS, offer.address.octets());
                message.options.set(code::SERVER_ID, offer.server.octets());
                message
            }
        };
        self.retry.sent(now, &mut self.random);
        Some(message.encode())
    }

    /// When `poll` must be called next, on the clock of `now`, if nothing arrives before. Zero at the beginning,
    /// `Duration::MAX` once there is a lease.
    pub fn next_wakeup(&self) -> Duration {
        if matches!(self.state, State::Bound(_)) { Duration::MAX } else { self.retry.due }
    }

    /// Handles the payload of a UDP datagram for port 68.
    pub fn receive(&mut self, now: Duration, payload: &[u8]) -> Received {
        let message = match Message::parse(payload) {
            Ok(message) => message,
            Err(error) => return Received::Ignored(error.to_string()),
        };
        if let Some(reason) = self.not_for_us(&message) {
            return Received::Ignored(reason);
        }
        match (self.state.clone(), message.options.message_type()) {
            (State::Bound(_), _) => Received::Ignored("the lease is already granted".to_owned()),
            (State::Selecting { discovers, .. }, Some(MessageType::Offer)) => {
                self.receive_offer(now, discovers, &message)
            }
            (State::Requesting { offer, .. }, Some(MessageType::Ack)) => self.receive_ack(&offer, &message),
            (State::Requesting { offer, .. }, Some(MessageType::Nak)) => {
                self.receive_nak(now, &offer, &message)
            }
            (State::Requesting { offer, .. }, Some(MessageType::Offer)) => {
                Received::Ignored(format!("an OFFER, but {} has already been asked", offer.server))
            }
            (State::Selecting { .. }, Some(kind @ (MessageType::Ack | MessageType::Nak))) => {
                Received::Ignored(format!("{} {kind}, but nothing was requested", article(kind)))
            }
            (_, Some(kind)) => Received::Ignored(format!("{} {kind}, which no server sends", article(kind))),
            (_, None) => Received::Ignored("a BOOTP reply without a DHCP message type".to_owned()),
        }
    }

    /// The state of the exchange as text, for a screen that explains why there is no network.
    pub fn status(&self) -> String {
        let before = match (&self.failure, &self.state) {
            (_, State::Bound(_)) | (None, _) => String::new(),
            (Some(Failure::NoAck { server, requests }), _) => {
                format!("OFFER from {server}, no ACK after {}; then ", count(*requests, "REQUEST"))
            }
            (Some(Failure::Nak { server, words }), _) => {
                format!("OFFER, then NAK from {server} ({words}); then ")
            }
        };
        let current = match &self.state {
            State::Bound(offer) => return format!("lease of {} from {}", offer.address, offer.server),
            State::Selecting { discovers: 0, .. } => "nothing sent yet".to_owned(),
            State::Selecting { discovers, spare: None } => format!("sent {discovers} DISCOVER, no OFFER"),
            State::Selecting { discovers, spare: Some(offer) } => {
                format!("sent {discovers} DISCOVER, no OFFER except again from {}", offer.server)
            }
            State::Requesting { offer, requests } => {
                format!("OFFER from {}, no ACK after {}", offer.server, count(*requests, "REQUEST"))
            }
        };
        let refusals = match self.refused {
            0 => String::new(),
            number => {
                format!("; refused {}, the last because {}", count(number, "answer"), self.last_refusal)
            }
        };
        format!("{before}{current}{refusals}")
    }

    fn message(&self, kind: MessageType) -> Message {
        let mut message =
            Message { secs: self.secs, broadcast: self.broadcast, ..Message::request(self.xid, self.mac) };
        let options = &mut message.options;
        options.set(code::MESSAGE_TYPE, [kind.number()]);
        options.set(code::CLIENT_ID, self.client_id());
        options.set(code::MAX_MESSAGE_SIZE, MAX_MESSAGE_SIZE.to_be_bytes());
        options.set(code::VENDOR_CLASS, VENDOR_CLASS);
        if let Some(name) = &self.hostname {
            options.set(code::HOST_NAME, name.as_bytes());
        }
        options.set(code::PARAMETER_REQUEST_LIST, WANTED);
        message
    }

    /// Hardware type Ethernet and the address (RFC 2132 9.14). Most clients send this identifier, so the OS gets the
    /// same lease.
    fn client_id(&self) -> [u8; 7] {
        let mut id = [1; 7];
        id.iter_mut().skip(1).zip(self.mac.0).for_each(|(slot, byte)| *slot = byte);
        id
    }

    fn not_for_us(&self, message: &Message) -> Option<String> {
        if message.op != Op::Reply {
            return Some("a request of another client".to_owned());
        }
        if message.xid != self.xid {
            return Some(format!("xid {:08x}, ours is {:08x}", message.xid, self.xid));
        }
        if message.chaddr != self.mac {
            return Some(format!("for {}, this is {}", message.chaddr, self.mac));
        }
        // RFC 6842: a server that returns an identifier returns the one from the request.
        let other = message.options.get(code::CLIENT_ID).is_some_and(|id| id != self.client_id());
        other.then(|| "for another client identifier".to_owned())
    }

    fn refuse(&mut self, reason: impl fmt::Display) -> Received {
        self.refused = self.refused.saturating_add(1);
        self.last_refusal = reason.to_string();
        Received::Ignored(self.last_refusal.clone())
    }

    fn receive_offer(&mut self, now: Duration, discovers: u32, message: &Message) -> Received {
        if discovers == 0 {
            return Received::Ignored("an OFFER before any DISCOVER".to_owned());
        }
        let offer = match Lease::from_message(message) {
            Ok(lease) => Offer::from(&lease),
            Err(error) => return self.refuse(error),
        };
        let failed = match &self.failure {
            Some(Failure::NoAck { server, .. } | Failure::Nak { server, .. }) => *server == offer.server,
            None => false,
        };
        if failed {
            let reason = format!("{} failed before; kept in case no other server answers", offer.server);
            self.state = State::Selecting { discovers, spare: Some(offer) };
            return Received::Ignored(reason);
        }
        let Offer { server, address } = offer;
        self.state = State::Requesting { offer, requests: 0 };
        self.retry = Retry::new(now);
        Received::Offer { server, address }
    }

    fn receive_ack(&mut self, offer: &Offer, message: &Message) -> Received {
        let lease = match Lease::from_message(message) {
            Ok(lease) => lease,
            Err(error) => return self.refuse(error),
        };
        if lease.server != offer.server {
            return Received::Ignored(format!(
                "an ACK from {}, but {} was asked",
                lease.server, offer.server
            ));
        }
        self.state = State::Bound(Offer::from(&lease));
        Received::Lease(lease)
    }

    fn receive_nak(&mut self, now: Duration, offer: &Offer, message: &Message) -> Received {
        // The server identifier is mandatory in a NAK. If it is missing, the sender is still clear.
        if let Some(server) =
            message.options.address(code::SERVER_ID).filter(|server| *server != offer.server)
        {
            return Received::Ignored(format!("a NAK from {server}, but {} was asked", offer.server));
        }
        let words = match message.options.get(code::MESSAGE) {
            Some(words) => quoted(String::from_utf8_lossy(words).trim_end_matches('\0')),
            None => "no reason given".to_owned(),
        };
        self.failure = Some(Failure::Nak { server: offer.server, words: words.clone() });
        self.restart(now);
        // Without this pause, a server that refuses all its own offers would be asked as fast as it answers.
        self.retry.postpone(now, &mut self.random);
        Received::Nak(words)
    }

    /// Returns to INIT as a new attempt with a new xid and a new start time.
    fn restart(&mut self, now: Duration) {
        self.state = State::Selecting { discovers: 0, spare: None };
        self.xid = self.random.next() as u32;
        self.began = None;
        self.retry = Retry::new(now);
    }
}

fn article(kind: MessageType) -> &'static str {
    if matches!(kind, MessageType::Offer | MessageType::Ack | MessageType::Inform) { "an" } else { "a" }
}

fn count(number: u32, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
