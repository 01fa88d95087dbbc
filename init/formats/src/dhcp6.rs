//! DHCPv6: messages, leases and a client without sockets or clock.
//!
//! Sources: RFC 8415 (protocol), RFC 3646 (DNS), RFC 4075 and RFC 5908 (time servers), RFC 4704 (name of the client), RFC 5970
//! (boot file), RFC 6355 (DUID-UUID).
//!
//! [`Message`] is the packet, [`Lease6`] and [`Information6`] are what an answer gives after everything in it has been
//! checked, and [`client::Client`] is the exchange on one interface.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod client;
pub mod code;
mod config;
mod duid;
mod ia;
mod lease;
mod message;
mod options;
#[cfg(test)]
mod oracle_tests;
mod status;

pub use config::{Config6, TimeServer};
pub use duid::Duid;
pub use ia::{IaAddress, IaNa};
pub use lease::{AnswerError, Information6, Lease6};
pub use message::{Message, MessageError, MessageType};
pub use options::{Options, Truncated};
pub use status::{Status, StatusCode};
