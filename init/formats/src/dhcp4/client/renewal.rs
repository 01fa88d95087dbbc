//! Extends a lease: RENEWING and REBINDING (RFC 2131 4.4.5), without sockets or clock.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::identity::Identity;
use super::status::nak_words;
use crate::dhcp4::{Lease, Message, MessageType};
use crate::random::Random;

/// The shortest pause between two REQUESTs. RFC 2131 has 60 s, which would leave a lease of two minutes, the shortest of
/// dnsmasq, a single REQUEST to its server and a single one to all servers.
const LEAST_PAUSE: Duration = Duration::from_secs(10);

/// The result of a received payload.
#[derive(Debug, Clone, PartialEq, Eq)]
// A lease is returned once in many seconds; a box would save nothing.
#[allow(clippy::large_enum_variant)]
pub enum Renewed {
    /// It was ignored, for this reason.
    Ignored(String),
    /// The lease is extended.
    Lease(Lease),
    /// The server ends the lease, with this message. The address must not be used any more.
    Nak(String),
}

/// The extensions of one lease. All times are on the clock of `now`.
#[derive(Debug, Clone)]
pub struct Renewal {
    identity: Identity,
    random: Random,
    lease: Lease,
    /// From when the times of the lease count.
    granted: Duration,
    pub(super) xid: u32,
    /// When to send next.
    due: Duration,
    /// When the first REQUEST of this round was sent, when the last one was, and their number.
    began: Duration,
    sent: Duration,
    requests: u32,
}

impl Renewal {
    pub(super) fn new(identity: Identity, random: Random, lease: Lease, granted: Duration) -> Renewal {
        let mut renewal = Renewal {
            identity,
            random,
            lease,
            granted,
            xid: 0,
            due: Duration::MAX,
            began: Duration::ZERO,
            sent: Duration::ZERO,
            requests: 0,
        };
        renewal.begin();
        renewal
    }

    /// Waits for T1.
    fn begin(&mut self) {
        self.xid = self.random.next() as u32;
        self.requests = 0;
        self.due = self.at(self.lease.renew_seconds);
    }

    /// A time of the lease; `None` is never.
    fn at(&self, seconds: Option<u32>) -> Duration {
        seconds
            .map_or(Duration::MAX, |seconds| self.granted.saturating_add(Duration::from_secs(seconds.into())))
    }

    /// When the lease ends if nothing extends it; `Duration::MAX` is never.
    pub fn expires(&self) -> Duration {
        self.at(self.lease.lease_seconds)
    }

    /// From when the times of the lease count: when the REQUEST was sent that it answers.
    pub fn granted(&self) -> Duration {
        self.granted
    }

    /// When `poll` must be called next; `Duration::MAX` if never.
    pub fn next_wakeup(&self) -> Duration {
        self.due.min(self.expires())
    }

    /// The payload to send now, and the server to send it to: the one that granted the lease until T2, all servers of the
    /// link (255.255.255.255) after that. `None` if nothing is due, or the lease has expired.
    pub fn poll(&mut self, now: Duration) -> Option<(Vec<u8>, Ipv4Addr)> {
        if now < self.due || now >= self.expires() {
            return None;
        }
        if self.requests == 0 {
            self.began = now;
        }
        self.requests = self.requests.saturating_add(1);
        self.sent = now;
        let rebind = self.at(self.lease.rebind_seconds);
        let (server, end) =
            if now < rebind { (self.lease.server, rebind) } else { (Ipv4Addr::BROADCAST, self.expires()) };
        // Half of the time that is left in the state (RFC 2131 4.4.5).
        let pause = end.saturating_sub(now).div_f64(2.0).max(LEAST_PAUSE);
        self.due = now.saturating_add(pause).min(end);
        let mut message = self.identity.message(MessageType::Request, self.xid);
        message.secs = u16::try_from(now.saturating_sub(self.began).as_secs()).unwrap_or(u16::MAX);
        // RFC 2131 4.3.2: the address is here and not in an option, and no server is named.
        message.ciaddr = self.lease.address;
        Some((message.encode(), server))
    }

    /// Handles the payload of a UDP datagram for port 68.
    pub fn receive(&mut self, payload: &[u8]) -> Renewed {
        let message = match Message::parse(payload) {
            Ok(message) => message,
            Err(error) => return Renewed::Ignored(error.to_string()),
        };
        if let Some(reason) = self.identity.not_for_us(&message, self.xid) {
            return Renewed::Ignored(reason);
        }
        if self.requests == 0 {
            return Renewed::Ignored("nothing was requested".to_owned());
        }
        match message.options.message_type() {
            Some(MessageType::Ack) => {}
            Some(MessageType::Nak) => return Renewed::Nak(nak_words(&message)),
            _ => return Renewed::Ignored("neither an ACK nor a NAK".to_owned()),
        }
        let lease = match Lease::from_message(&message) {
            Ok(lease) => Lease { message: payload.to_vec(), ..lease },
            Err(error) => return Renewed::Ignored(error.to_string()),
        };
        if lease.address != self.lease.address {
            let reason = format!("an ACK for {}, but the lease is of {}", lease.address, self.lease.address);
            return Renewed::Ignored(reason);
        }
        self.granted = self.sent;
        self.lease = lease.clone();
        self.begin();
        Renewed::Lease(lease)
    }

    /// The state as text.
    pub fn status(&self) -> String {
        let count = super::status::count(self.requests, "REQUEST");
        format!("the lease of {} was not extended after {count}", self.lease.address)
    }
}
