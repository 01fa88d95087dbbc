//! A DHCPv6 client for one interface, without sockets or clock.
//!
//! The caller owns the socket and the clock and does three things: it sends what [`Client::poll`] gives (from port 546 of the
//! interface's link-local address to port 547 of ff02::1:2), hands in what arrives with [`Client::receive`], and calls `poll`
//! again right after an arrival and at [`Client::next_wakeup`]. `now` is the time since any fixed start, and never goes
//! backwards.
//!
//! Differences from RFC 8415: the first message goes out at once (18.2.1 and 18.2.6 wait up to 1 s against a power-on storm).
//! The lease is neither confirmed nor renewed nor released, and a Reconfigure is ignored: all that belongs to the network
//! manager of the OS that follows. Whether another host has the address is found out by the kernel.
//!
//! There is no vendor class (option 16), as DHCPv4 has it: it starts with the vendor's number at IANA, and Dayfly has none. The
//! user class (option 15), which needs no number, has its place.

mod message;
mod retry;
#[cfg(test)]
mod tests;

use std::fmt;
use std::mem;
use std::net::Ipv6Addr;
use std::time::Duration;

use super::{Duid, Information6, Lease6, Message, MessageType, code, lease};
use crate::hostname;
use crate::random::Random;
use retry::{Pace, Retry, moved};

/// SOL_TIMEOUT, SOL_MAX_RT.
const SOLICIT: Pace =
    Pace { first: Duration::from_secs(1), longest: Duration::from_secs(3600), collects: true };
/// REQ_TIMEOUT, REQ_MAX_RT.
const REQUEST: Pace =
    Pace { first: Duration::from_secs(1), longest: Duration::from_secs(30), collects: false };
/// INF_TIMEOUT, INF_MAX_RT.
const INFORM: Pace =
    Pace { first: Duration::from_secs(1), longest: Duration::from_secs(3600), collects: false };
/// Requests sent to one server (REQ_MAX_RC).
const MOST_REQUESTS: u32 = 10;
/// The wait before servers are looked for again after a refusal, so that a server that refuses whatever it offers is not asked
/// as fast as it answers (RFC 8415 14.1).
const PAUSE: Duration = Duration::from_secs(1);
/// Values of SOL_MAX_RT and INF_MAX_RT that a server may set, in seconds (RFC 8415 21.24 and 21.25).
const MAX_RT: std::ops::RangeInclusive<u32> = 60..=86_400;
/// The preference that ends the search at once.
const BEST_PREFERENCE: u8 = 255;
/// Most Advertises kept: a hostile network may not fill memory.
const MOST_ADVERTS: usize = 8;

/// What the client is for; router advertisements say which (RFC 4861 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// An address and settings: the flag M.
    Address {
        /// The number of the association: the same at each boot for the same interface.
        iaid: u32,
    },
    /// Settings only: the flag O without M.
    Information,
}

/// What became of a payload handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
// A lease is returned once per boot; a box would spare nothing.
#[allow(clippy::large_enum_variant)]
pub enum Received {
    /// It changed nothing, for this reason.
    Ignored(String),
    /// An offer was kept. `poll` gives the Request for the best one at [`Client::next_wakeup`]: at once, or after about one
    /// second in which others may come.
    Advertise {
        /// The server's DUID.
        server: String,
        /// The address it offers.
        address: Ipv6Addr,
        /// Its preference.
        preference: u8,
    },
    /// The lease is granted and the exchange is over.
    Lease(Lease6),
    /// The settings are here and the exchange is over.
    Information(Information6),
    /// The server asked for a lease does not grant what it offered, for this reason; another server is asked.
    Refused(String),
}

/// An offer of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Advert {
    server: Duid,
    address: Ipv6Addr,
    /// Whether the server has not failed before, then its preference: the largest is asked first.
    rank: (bool, u8),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Solicits go out; the offers, best first.
    Soliciting(Vec<Advert>),
    /// Requests for the first offer go out; the others are for later.
    Requesting(Advert, Vec<Advert>),
    /// Information-requests go out.
    Informing,
    /// Done: what came, from which server.
    Done(String),
}

/// The exchange on one interface.
#[derive(Debug, Clone)]
pub struct Client {
    duid: Duid,
    want: Want,
    hostname: Option<String>,
    xid: u32,
    random: Random,
    retry: Retry,
    state: State,
    /// SOL_MAX_RT and INF_MAX_RT, which servers may change.
    solicit: Pace,
    inform: Pace,
    /// The server that failed last, and how.
    failure: Option<(Duid, String)>,
    refused: u32,
    last_refusal: String,
}

impl Client {
    /// A client that has sent nothing yet. `seed` should be random: it makes the numbers of the exchanges, and it tells the
    /// hosts of a rack that power on together apart. `hostname` is sent (option 39) when it is a valid name.
    pub fn new(duid: Duid, want: Want, hostname: Option<String>, seed: u64) -> Client {
        let mut client = Client {
            duid,
            want,
            hostname: hostname.filter(|name| hostname::check(name).is_ok()),
            xid: 0,
            random: Random::new(seed),
            retry: Retry::new(Duration::ZERO),
            state: match want {
                Want::Address { .. } => State::Soliciting(Vec::new()),
                Want::Information => State::Informing,
            },
            solicit: SOLICIT,
            inform: INFORM,
            failure: None,
            refused: 0,
            last_refusal: String::new(),
        };
        client.begin(Duration::ZERO);
        client
    }

    /// The payload to send now; `None` when nothing is due.
    pub fn poll(&mut self, now: Duration) -> Option<Vec<u8>> {
        if now < self.next_wakeup() {
            return None;
        }
        match &mut self.state {
            State::Soliciting(adverts) if !adverts.is_empty() => {
                let adverts = mem::take(adverts);
                self.ask(adverts, now, now);
            }
            State::Requesting(advert, spares) if self.retry.sent >= MOST_REQUESTS => {
                let reason = format!("no Reply after {}", count(self.retry.sent, "Request"));
                self.failure = Some((advert.server.clone(), reason));
                let spares = mem::take(spares);
                self.ask(spares, now, now);
            }
            _ => {}
        }
        let pace = match self.state {
            State::Soliciting(_) => self.solicit,
            State::Requesting(..) => REQUEST,
            State::Informing => self.inform,
            State::Done(_) => return None,
        };
        let message = self.message(now)?;
        self.retry.sent(now, pace, &mut self.random);
        Some(message.encode())
    }

    /// When `poll` has something to do next, on the clock of `now`, if nothing arrives before; zero at the beginning,
    /// `Duration::MAX` when the exchange is over.
    pub fn next_wakeup(&self) -> Duration {
        if matches!(self.state, State::Done(_)) { Duration::MAX } else { self.retry.due }
    }

    /// Takes the payload of a UDP datagram for port 546.
    pub fn receive(&mut self, now: Duration, payload: &[u8]) -> Received {
        let message = match Message::parse(payload) {
            Ok(message) => message,
            Err(error) => return Received::Ignored(error.to_string()),
        };
        if let Some(reason) = self.not_for_us(&message) {
            return Received::Ignored(reason);
        }
        let server = match lease::server(&message.options) {
            Ok(server) => server,
            Err(error) => return self.refuse(error),
        };
        self.take_longest_intervals(&message);
        match (&self.state, self.want, message.kind) {
            (State::Soliciting(_), Want::Address { iaid }, MessageType::Advertise) => {
                self.receive_advertise(now, iaid, server, &message)
            }
            (State::Soliciting(_), Want::Address { iaid }, _) => self.receive_rapid_reply(iaid, &message),
            (State::Requesting(advert, _), _, MessageType::Reply) if advert.server != server => {
                Received::Ignored(format!("a Reply from {server}, but {} was asked", advert.server))
            }
            (State::Requesting(..), Want::Address { iaid }, MessageType::Reply) => {
                self.receive_reply(now, iaid, server, &message)
            }
            (State::Informing, _, MessageType::Reply) => self.receive_information(&message),
            _ => Received::Ignored("an Advertise, which was not asked for".to_owned()),
        }
    }

    /// How far the exchange came, in plain words, for a screen that tells why there is no network.
    pub fn status(&self) -> String {
        let sent = self.retry.sent;
        let current = match &self.state {
            State::Done(result) => return result.clone(),
            State::Requesting(advert, _) => {
                format!("Advertise from {}, no Reply after {}", advert.server, count(sent, "Request"))
            }
            _ if sent == 0 => "nothing sent yet".to_owned(),
            State::Soliciting(adverts) => match adverts.first() {
                None => format!("sent {}, no Advertise", count(sent, "Solicit")),
                Some(best) => format!(
                    "sent {}, {}, the best from {}",
                    count(sent, "Solicit"),
                    count(u32::try_from(adverts.len()).unwrap_or(u32::MAX), "Advertise"),
                    best.server
                ),
            },
            State::Informing => format!("sent {}, no Reply", count(sent, "Information-request")),
        };
        let before = match &self.failure {
            Some((server, reason)) => format!("{server} failed: {reason}; then "),
            None => String::new(),
        };
        let refusals = match self.refused {
            0 => String::new(),
            number => {
                format!("; refused {}, the last because {}", count(number, "answer"), self.last_refusal)
            }
        };
        format!("{before}{current}{refusals}")
    }

    /// Starts an exchange with a number of its own, whose first message is due then.
    fn begin(&mut self, due: Duration) {
        let [a, b, c, ..] = self.random.next().to_be_bytes();
        self.xid = u32::from_be_bytes([0, a, b, c]);
        self.retry = Retry::new(due);
    }

    /// Asks the first of the servers now; when there is none, looks for servers from `search` on.
    fn ask(&mut self, adverts: Vec<Advert>, now: Duration, search: Duration) {
        let mut adverts = adverts.into_iter();
        if let Some(advert) = adverts.next() {
            self.state = State::Requesting(advert, adverts.collect());
            self.begin(now);
        } else {
            self.state = State::Soliciting(Vec::new());
            self.begin(search);
        }
    }

    fn not_for_us(&self, message: &Message) -> Option<String> {
        match message.kind {
            MessageType::Advertise | MessageType::Reply => {}
            MessageType::Reconfigure => return Some("a Reconfigure, which is not supported".to_owned()),
            other => return Some(format!("a message of the type {other}, which no server sends")),
        }
        if matches!(self.state, State::Done(_)) {
            return Some("the exchange is over already".to_owned());
        }
        if message.xid != self.xid {
            return Some(format!("transaction {:06x}, ours is {:06x}", message.xid, self.xid));
        }
        if self.retry.sent == 0 {
            return Some("an answer before any message was sent".to_owned());
        }
        // RFC 8415 16.3 and 16.10: an answer repeats the identifier that it got.
        let is_ours = message.options.get(code::CLIENT_ID) == Some(self.duid.as_bytes());
        (!is_ours).then(|| "for another client identifier, or for none".to_owned())
    }

    /// A server may slow the hosts down, and it does so also when it refuses (RFC 8415 18.2.9).
    fn take_longest_intervals(&mut self, message: &Message) {
        let longest = |code| {
            let seconds = message.options.number(code).filter(|seconds| MAX_RT.contains(seconds))?;
            Some(Duration::from_secs(seconds.into()))
        };
        self.solicit.longest = longest(code::SOL_MAX_RT).unwrap_or(self.solicit.longest);
        self.inform.longest = longest(code::INF_MAX_RT).unwrap_or(self.inform.longest);
    }

    fn refuse(&mut self, reason: impl fmt::Display) -> Received {
        self.refused = self.refused.saturating_add(1);
        self.last_refusal = reason.to_string();
        Received::Ignored(self.last_refusal.clone())
    }

    fn receive_advertise(&mut self, now: Duration, iaid: u32, server: Duid, message: &Message) -> Received {
        let offered = match Lease6::from_message(message, iaid) {
            Ok(lease) => lease,
            Err(error) => return self.refuse(error),
        };
        let preference = message.options.byte(code::PREFERENCE).unwrap_or(0);
        let is_fresh = self.failure.as_ref().is_none_or(|(failed, _)| *failed != server);
        let received =
            Received::Advertise { server: server.to_string(), address: offered.address, preference };
        let advert = Advert { server, address: offered.address, rank: (is_fresh, preference) };
        let State::Soliciting(adverts) = &mut self.state else { return received };
        adverts.retain(|other| other.server != advert.server);
        let place = adverts.partition_point(|other| other.rank >= advert.rank);
        adverts.insert(place, advert);
        adverts.truncate(MOST_ADVERTS);
        // After the first interval, the first server that answers is taken (RFC 8415 18.2.1).
        if self.retry.sent > 1 || (is_fresh && preference == BEST_PREFERENCE) {
            let adverts = mem::take(adverts);
            self.ask(adverts, now, now);
        }
        received
    }

    fn receive_rapid_reply(&mut self, iaid: u32, message: &Message) -> Received {
        if message.options.get(code::RAPID_COMMIT).is_none() {
            return Received::Ignored("a Reply without rapid commit, but nothing was requested".to_owned());
        }
        match Lease6::from_message(message, iaid) {
            Ok(lease) => self.done(lease),
            Err(error) => self.refuse(error),
        }
    }

    fn receive_reply(&mut self, now: Duration, iaid: u32, server: Duid, message: &Message) -> Received {
        let reason = match Lease6::from_message(message, iaid) {
            Ok(lease) => return self.done(lease),
            Err(error) => error.to_string(),
        };
        self.failure = Some((server, reason.clone()));
        let spares = match &mut self.state {
            State::Requesting(_, spares) => mem::take(spares),
            _ => Vec::new(),
        };
        let pause = moved(PAUSE, 1.0, &mut self.random);
        self.ask(spares, now, now.saturating_add(pause));
        Received::Refused(reason)
    }

    fn receive_information(&mut self, message: &Message) -> Received {
        match Information6::from_message(message) {
            Ok(information) => {
                self.state = State::Done(format!("settings from {}", information.server));
                Received::Information(information)
            }
            Err(error) => self.refuse(error),
        }
    }

    fn done(&mut self, lease: Lease6) -> Received {
        self.state = State::Done(format!("lease of {} from {}", lease.address, lease.server));
        Received::Lease(lease)
    }
}

fn count(number: u32, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
