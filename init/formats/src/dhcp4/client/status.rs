//! How far the exchange has come, and what servers say, as text.

use super::{Client, Declined, Failure, State};
use crate::dhcp4::{Message, MessageType, code};
use crate::field::quoted;

/// The message of a NAK.
pub(super) fn nak_words(message: &Message) -> String {
    match message.options.get(code::MESSAGE) {
        Some(words) => quoted(String::from_utf8_lossy(words).trim_end_matches('\0')),
        None => "no reason given".to_owned(),
    }
}

/// The article before the name of a message.
pub(super) fn article(kind: MessageType) -> &'static str {
    if matches!(kind, MessageType::Offer | MessageType::Ack | MessageType::Inform) { "an" } else { "a" }
}

impl Client {
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
            (Some(Failure::Declined(Declined { address, owner, .. })), _) => {
                format!("{address} is in use by {owner} and was declined; then ")
            }
            (Some(Failure::NotConfirmed { address, why }), _) => {
                format!("REQUEST for {address}, the address of the last boot: {why}; then ")
            }
        };
        let current = match &self.state {
            State::Bound(offer) => return format!("lease of {} from {}", offer.address, offer.server),
            State::Ipv6Only { server, wait } => format!(
                "the DHCP server {server} prefers IPv6 only (option 108), so no lease is requested for {} s",
                wait.as_secs()
            ),
            State::Selecting { discovers: 0, .. } | State::Rebooting { is_asked: false, .. } => {
                "nothing sent yet".to_owned()
            }
            State::Rebooting { address, .. } => {
                format!("sent REQUEST for {address}, the address of the last boot, no answer")
            }
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
}

pub(super) fn count(number: u32, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
