//! DHCPv4: messages, leases and a client without sockets or clock.
//!
//! Sources: RFC 2131 (protocol), RFC 2132 (options), RFC 3396 (long options), RFC 3397 (search list), RFC 3442 (classless
//! routes), RFC 6842 (client identifier in replies).
//!
//! [`Message`] is the packet, [`Lease`] is the checked content of an answer, and [`client::Client`] is the exchange on
//! one interface. [`crate::udp4`] handles the headers around a payload.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod client;
pub mod code;
mod lease;
mod message;
mod options;
#[cfg(test)]
mod oracle_tests;

pub(crate) use lease::address_fault;
pub use lease::{Lease, LeaseError, Route};
pub use message::{Message, MessageError, Op};
pub use options::{MessageType, Options};
