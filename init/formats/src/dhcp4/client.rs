//! A DHCPv4 client for one interface, from INIT or INIT-REBOOT to BOUND, without sockets or clock.
//!
//! The caller owns the socket and the clock and does three things: it sends the packets of [`Client::poll`] (broadcast,
//! from 0.0.0.0:68 to 255.255.255.255:67), passes received packets to [`Client::receive`], and calls `poll` again
//! directly after each of them and at [`Client::next_wakeup`]. `now` is the time since any fixed start, and never goes
//! backwards.
//!
//! Differences from RFC 2131 4.1: the first packet is sent at once (the RFC waits 1 to 10 s against a power-on storm,
//! which is too long for a boot), retransmission starts at 1 s instead of 4 s, and the first acceptable offer is used.
//! A [`Renewal`] extends the lease. The caller looks for another host with the same address ([`crate::arp`]), and reports
//! it with [`Client::decline`].

mod decline;
mod identity;
mod reboot;
mod renewal;
mod retry;
mod status;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::{Lease, Message, MessageType, code};
use crate::mac::Mac;
use crate::random::Random;
pub use decline::Declined;
use identity::Identity;
pub use renewal::{Renewal, Renewed};
use retry::Retry;
use status::{article, nak_words};

/// REQUESTs sent for one offer before the client looks for another.
const MOST_REQUESTS: u32 = 3;
/// DISCOVERs without any answer before the client requests broadcast answers (RFC 2131 4.1: some stacks and switches
/// drop unicast to an address that is not yet set).
const SILENT_TRIES: u32 = 3;
/// The vendor class that is sent unless another one is given, for servers that answer by class.
pub const VENDOR_CLASS: &[u8] = b"dayfly";

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
    /// The server refused its own offer, or the address of the last boot, with this message. The search starts again.
    Nak(String),
    /// The network prefers hosts without IPv4 (RFC 8925). The search starts again after this time.
    Ipv6Only(Duration),
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
    /// INIT-REBOOT, then REBOOTING: one REQUEST is sent for the address of the last boot.
    Rebooting { address: Ipv4Addr, is_asked: bool },
    /// DISCOVERs are sent. `spare` is an offer of a server that failed before. It is used if no other server answers.
    Selecting { discovers: u32, spare: Option<Offer> },
    /// REQUESTs for this offer are sent.
    Requesting { offer: Offer, requests: u32 },
    /// The lease is granted.
    Bound(Offer),
    /// This server asked the host to do without IPv4 for this time.
    Ipv6Only { server: Ipv4Addr, wait: Duration },
}

/// Why an earlier round failed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    NoAck {
        server: Ipv4Addr,
        requests: u32,
    },
    Nak {
        server: Ipv4Addr,
        words: String,
    },
    Declined(Declined),
    /// The address of the last boot, and what became of the REQUEST.
    NotConfirmed {
        address: Ipv4Addr,
        why: String,
    },
}

/// The exchange on one interface.
#[derive(Debug, Clone)]
pub struct Client {
    identity: Identity,
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
    /// The last address that was given back.
    declined: Option<Declined>,
    refused: u32,
    last_refusal: String,
}

impl Client {
    /// A client that has sent nothing yet. `xid` and `jitter_seed` should be random, so that the hosts of a rack that
    /// power on together differ. `hostname` is sent (option 12) if it is a valid name.
    pub fn new(mac: Mac, xid: u32, hostname: Option<String>, jitter_seed: u64) -> Client {
        Client {
            identity: Identity::new(mac, hostname),
            broadcast: false,
            xid,
            random: Random::new(jitter_seed),
            retry: Retry::new(Duration::ZERO),
            state: State::Selecting { discovers: 0, spare: None },
            began: None,
            secs: 0,
            failure: None,
            declined: None,
            refused: 0,
            last_refusal: String::new(),
        }
    }

    /// Sends this vendor class (option 60) instead of [`VENDOR_CLASS`].
    #[must_use]
    pub fn with_vendor_class(mut self, class: &str) -> Client {
        self.identity.vendor_class = class.as_bytes().to_vec();
        self
    }

    /// Tells servers whether this host can do without IPv4 (RFC 8925).
    #[must_use]
    pub fn without_ipv4(mut self, can: bool) -> Client {
        self.identity.can_do_without_ipv4 = can;
        self
    }

    /// The payload to send now. `None` if nothing is due.
    pub fn poll(&mut self, now: Duration) -> Option<Vec<u8>> {
        if now < self.retry.due {
            return None;
        }
        // There was no answer to the last packet in time.
        match &self.state {
            State::Bound(_) => return None,
            State::Rebooting { address, is_asked: true } => self.reboot_unanswered(now, *address),
            State::Selecting { spare: Some(offer), .. } => {
                self.state = State::Requesting { offer: offer.clone(), requests: 0 };
                self.retry = Retry::new(now);
            }
            State::Requesting { offer, requests } if *requests >= MOST_REQUESTS => {
                self.failure = Some(Failure::NoAck { server: offer.server, requests: *requests });
                self.restart(now);
            }
            State::Ipv6Only { .. } => self.restart(now),
            _ => {}
        }
        let message = match &mut self.state {
            State::Bound(_) | State::Ipv6Only { .. } => return None,
            State::Rebooting { address, .. } => {
                let address = *address;
                return Some(self.reboot_request(now, address).encode());
            }
            State::Selecting { discovers, .. } => {
                if *discovers >= SILENT_TRIES {
                    self.broadcast = true;
                }
                *discovers = discovers.saturating_add(1);
                let began = *self.began.get_or_insert(now);
                self.secs = u16::try_from(now.saturating_sub(began).as_secs()).unwrap_or(u16::MAX);
                let mut message = self.message(MessageType::Discover);
                if self.wants_rapid_commit() {
                    // RFC 4039 4: the option has no bytes.
                    message.options.set(code::RAPID_COMMIT, []);
                }
                message
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
        if let Some(reason) = self.identity.not_for_us(&message, self.xid) {
            return Received::Ignored(reason);
        }
        match (self.state.clone(), message.options.message_type()) {
            (State::Bound(_), _) => Received::Ignored("the lease is already granted".to_owned()),
            (State::Ipv6Only { .. }, _) => Received::Ignored("the network prefers IPv6 only".to_owned()),
            (State::Rebooting { address, is_asked: true }, Some(MessageType::Ack)) => {
                self.receive_confirmation(now, address, &message, payload)
            }
            (State::Rebooting { address, is_asked: true }, Some(MessageType::Nak)) => {
                self.receive_denial(now, address, &message)
            }
            (State::Rebooting { .. }, Some(MessageType::Offer)) => {
                Received::Ignored("an OFFER before any DISCOVER".to_owned())
            }
            (State::Selecting { discovers, .. }, Some(MessageType::Offer)) => {
                self.receive_offer(now, discovers, &message)
            }
            // RFC 4039 3.1: only an ACK with this option grants what was not requested.
            (State::Selecting { discovers: 1.., .. }, Some(MessageType::Ack))
                if self.wants_rapid_commit() && message.options.get(code::RAPID_COMMIT).is_some() =>
            {
                match self.granted(now, &message) {
                    Ok(lease) => self.bind(lease, payload),
                    Err(ended) => *ended,
                }
            }
            (State::Requesting { offer, .. }, Some(MessageType::Ack)) => {
                self.receive_ack(&offer, &message, payload)
            }
            (State::Requesting { offer, .. }, Some(MessageType::Nak)) => {
                self.receive_nak(now, &offer, &message)
            }
            (State::Requesting { offer, .. }, Some(MessageType::Offer)) => {
                Received::Ignored(format!("an OFFER, but {} has already been asked", offer.server))
            }
            (
                State::Selecting { .. } | State::Rebooting { .. },
                Some(kind @ (MessageType::Ack | MessageType::Nak)),
            ) => Received::Ignored(format!("{} {kind}, but nothing was requested", article(kind))),
            (_, Some(kind)) => Received::Ignored(format!("{} {kind}, which no server sends", article(kind))),
            (_, None) => Received::Ignored("a BOOTP reply without a DHCP message type".to_owned()),
        }
    }

    fn message(&self, kind: MessageType) -> Message {
        Message { secs: self.secs, broadcast: self.broadcast, ..self.identity.message(kind, self.xid) }
    }

    /// The address of the offer or lease that this client has by now, or that of the last boot while it is requested.
    pub fn address(&self) -> Option<Ipv4Addr> {
        match &self.state {
            State::Requesting { offer, .. } | State::Bound(offer) => Some(offer.address),
            State::Rebooting { address, .. } => Some(*address),
            State::Selecting { .. } | State::Ipv6Only { .. } => None,
        }
    }

    /// Asks for IPv4 although the network prefers that this host does without, because it cannot.
    pub fn needs_ipv4(&mut self, now: Duration) {
        self.identity.can_do_without_ipv4 = false;
        self.restart(now);
    }

    /// Searches again from the beginning, because the lease is no longer valid.
    pub fn lapse(&mut self, now: Duration) {
        self.restart(now);
    }

    /// Extends the lease that was granted at this time.
    pub fn renewal(&mut self, lease: Lease, granted: Duration) -> Renewal {
        Renewal::new(self.identity.clone(), Random::new(self.random.next()), lease, granted)
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
        let offer = match self.granted(now, message) {
            Ok(lease) => Offer::from(&lease),
            Err(ended) => return *ended,
        };
        let failed = match &self.failure {
            Some(
                Failure::NoAck { server, .. }
                | Failure::Nak { server, .. }
                | Failure::Declined(Declined { server, .. }),
            ) => *server == offer.server,
            Some(Failure::NotConfirmed { .. }) | None => false,
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

    fn receive_ack(&mut self, offer: &Offer, message: &Message, payload: &[u8]) -> Received {
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
        self.bind(lease, payload)
    }

    fn bind(&mut self, lease: Lease, payload: &[u8]) -> Received {
        self.state = State::Bound(Offer::from(&lease));
        Received::Lease(Lease { message: payload.to_vec(), ..lease })
    }

    /// The lease of an OFFER, or of the ACK to a DISCOVER, unless the network prefers that this host does without.
    fn granted(&mut self, now: Duration, message: &Message) -> Result<Lease, Box<Received>> {
        let lease = Lease::from_message(message).map_err(|error| Box::new(self.refuse(error)))?;
        let Some(wait) = self.identity.ipv6_only(message) else { return Ok(lease) };
        self.state = State::Ipv6Only { server: lease.server, wait };
        self.retry = Retry::new(now.saturating_add(wait));
        Err(Box::new(Received::Ipv6Only(wait)))
    }

    fn receive_nak(&mut self, now: Duration, offer: &Offer, message: &Message) -> Received {
        // The server identifier is mandatory in a NAK. If it is missing, the sender is still clear.
        if let Some(server) =
            message.options.address(code::SERVER_ID).filter(|server| *server != offer.server)
        {
            return Received::Ignored(format!("a NAK from {server}, but {} was asked", offer.server));
        }
        let words = nak_words(message);
        self.failure = Some(Failure::Nak { server: offer.server, words: words.clone() });
        self.restart(now);
        // Without this pause, a server that refuses all its own offers would be asked as fast as it answers.
        self.retry.postpone(now, &mut self.random);
        Received::Nak(words)
    }

    /// Returns to INIT as a new attempt with a new xid and a new start time, after the pause of a DECLINE.
    fn restart(&mut self, now: Duration) {
        self.state = State::Selecting { discovers: 0, spare: None };
        self.xid = self.random.next() as u32;
        self.began = None;
        self.retry = Retry::new(self.end_of_pause(now));
    }
}
