//! INIT-REBOOT (RFC 2131 3.2): the address of the last boot is requested with one REQUEST, without a DISCOVER before it. A server
//! that knows the address confirms it, and one that knows better sends a NAK. A server that knows nothing of the client must be
//! silent, so the search begins as for a new client after a short time.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::status::nak_words;
use super::{Client, Failure, Message, Received, Retry, State, code};

/// How long to wait for an answer. A server in the local network answers within milliseconds. A later answer is not lost: the
/// server gives the same address to the DISCOVER that follows. The first DISCOVER would be repeated after about 1 s as well, so a
/// lost REQUEST costs no more than a lost DISCOVER.
const WAIT: Duration = Duration::from_secs(1);

impl Client {
    /// Requests this address first, which a server gave to the host at its last boot.
    #[must_use]
    pub fn with_last_address(mut self, address: Option<Ipv4Addr>) -> Client {
        if let Some(address) = address {
            self.state = State::Rebooting { address, is_asked: false };
        }
        self
    }

    /// The REQUEST for the remembered address: with option 50, without a server (54), and with `ciaddr` 0 (RFC 2131 4.3.2).
    pub(super) fn reboot_request(&mut self, now: Duration, address: Ipv4Addr) -> Message {
        self.state = State::Rebooting { address, is_asked: true };
        self.secs = 0;
        self.retry = Retry::new(now.saturating_add(WAIT));
        let mut message = self.message(super::MessageType::Request);
        message.options.set(code::REQUESTED_ADDRESS, address.octets());
        message
    }

    /// The end of the wait for an answer.
    pub(super) fn reboot_unanswered(&mut self, now: Duration, address: Ipv4Addr) {
        self.reboot_failed(now, address, "no answer".to_owned());
    }

    /// Any server may confirm the address. An answer that is not valid is ignored, as another server may send one.
    pub(super) fn receive_confirmation(
        &mut self,
        now: Duration,
        address: Ipv4Addr,
        message: &Message,
        payload: &[u8],
    ) -> Received {
        let lease = match self.granted(now, message) {
            Ok(lease) => lease,
            Err(ended) => return *ended,
        };
        if lease.address == address {
            return self.bind(lease, payload);
        }
        let why = format!("{} confirmed {} instead of it", lease.server, lease.address);
        self.reboot_failed(now, address, why.clone());
        self.refuse(format!("{address} was requested, but {why}"))
    }

    /// A NAK is not held against the server: it says that the network or the address is another one, and the server may give
    /// that other address at once.
    pub(super) fn receive_denial(&mut self, now: Duration, address: Ipv4Addr, message: &Message) -> Received {
        let words = nak_words(message);
        let from = message.options.address(code::SERVER_ID);
        let from = from.map_or_else(String::new, |server| format!(" from {server}"));
        self.reboot_failed(now, address, format!("NAK{from} ({words})"));
        Received::Nak(words)
    }

    /// Starts the search for any address, at once.
    fn reboot_failed(&mut self, now: Duration, address: Ipv4Addr, why: String) {
        self.failure = Some(Failure::NotConfirmed { address, why });
        self.restart(now);
    }
}
