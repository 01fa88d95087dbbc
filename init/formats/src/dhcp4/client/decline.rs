//! DHCPDECLINE (RFC 2131 3.1 point 5): another host has the address of the lease, so it is given back. After a pause, the search
//! begins again, and a server whose address was not declined comes first.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::{Client, Failure, MessageType, Offer, Retry, State, code};
use crate::mac::Mac;

/// How long a client waits after a DECLINE (RFC 2131 3.1 point 5).
const PAUSE: Duration = Duration::from_secs(10);

/// An address that was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declined {
    /// The server that gave it.
    pub server: Ipv4Addr,
    /// The address.
    pub address: Ipv4Addr,
    /// The host that has it.
    pub owner: Mac,
    /// The end of the pause, on the clock of `now`.
    pub until: Duration,
}

impl Client {
    /// Continues after a DECLINE of another client for the same interface: nothing is sent before the end of the pause, and the
    /// declined address is not the first that is requested. Call it after [`Client::with_last_address`].
    #[must_use]
    pub fn after_decline(mut self, declined: Option<Declined>) -> Client {
        let Some(declined) = declined else { return self };
        if matches!(self.state, State::Rebooting { address, .. } if address == declined.address) {
            self.state = State::Selecting { discovers: 0, spare: None };
        }
        self.declined = Some(declined);
        self.failure = Some(Failure::Declined(declined));
        self.retry = Retry::new(declined.until);
        self
    }

    /// Gives up the granted lease because another host, `owner`, has its address. Returns the DECLINE to send. The search
    /// starts again after 10 s. `None` without a lease.
    pub fn decline(&mut self, now: Duration, owner: Mac) -> Option<Vec<u8>> {
        let State::Bound(Offer { server, address }) = self.state else { return None };
        let mut message = self.identity.bare(MessageType::Decline, self.xid);
        message.options.set(code::REQUESTED_ADDRESS, address.octets());
        message.options.set(code::SERVER_ID, server.octets());
        message.options.set(code::MESSAGE, format!("in use by {owner}"));
        let declined = Declined { server, address, owner, until: now.saturating_add(PAUSE) };
        self.declined = Some(declined);
        self.failure = Some(Failure::Declined(declined));
        self.restart(now);
        Some(message.encode())
    }

    /// The last address that was given back.
    pub fn declined(&self) -> Option<Declined> {
        self.declined
    }

    /// Whether a server may answer a DISCOVER with the lease. Not after a DECLINE: the server of that address would be the first
    /// again, before another one has made its offer.
    pub(super) fn wants_rapid_commit(&self) -> bool {
        self.declined.is_none()
    }

    /// The time from which on messages may be sent: `now`, or the end of the pause.
    pub(super) fn end_of_pause(&self, now: Duration) -> Duration {
        self.declined.map_or(now, |declined| now.max(declined.until))
    }
}
