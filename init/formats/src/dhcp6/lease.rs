//! What an Advertise or Reply grants, with everything in it checked.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::Ipv6Addr;

use super::code;
use super::config::Config6;
use super::duid::Duid;
use super::ia::{IaAddress, IaNa};
use super::message::Message;
use super::options::Options;
use super::status::Status;
use crate::field::{Notes, ipv6_fault};

/// Seconds until information is asked for again when the server names none (IRT_DEFAULT), and the fewest (IRT_MINIMUM;
/// RFC 8415 7.6).
const REFRESH_DEFAULT: u32 = 86_400;
const REFRESH_LEAST: u32 = 600;

/// An address and the settings that come with it. Times are in seconds; `u32::MAX` is for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease6 {
    /// This host's address, a /128: router advertisements say which prefixes are on the link.
    pub address: Ipv6Addr,
    /// How long it may be used for new connections.
    pub preferred: u32,
    /// How long it may be used at all.
    pub valid: u32,
    /// When this server is to be asked for more time (else half of `preferred`).
    pub t1: u32,
    /// When any server is to be asked for more time (else 4/5 of `preferred`).
    pub t2: u32,
    /// The server's DUID, as [`Duid`] prints it.
    pub server: String,
    /// The settings. Its notes tell also which addresses were left out.
    pub config: Config6,
    /// The message that grants all this.
    pub raw: Vec<u8>,
}

/// Settings without an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Information6 {
    /// The server's DUID, as [`Duid`] prints it.
    pub server: String,
    /// The settings.
    pub config: Config6,
    /// Seconds until they are to be asked for again (32, else a day), at least 600; `u32::MAX` is never.
    pub refresh: u32,
    /// The message that says all this.
    pub raw: Vec<u8>,
}

/// Why an answer gives nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerError {
    /// The server identifier (2) is missing or has a length that no identifier has.
    Server,
    /// A status option has no code.
    Status(&'static str),
    /// The server refuses.
    Refused(Status),
    /// No association with the IAID asked for.
    NoAssociation(u32),
    /// The association can't be read; the end of a sentence.
    Association(&'static str),
    /// T1 is after T2 (RFC 8415 21.4: the association is discarded).
    Times(u32, u32),
    /// No address that can be used; the last one's fault, if there was one.
    NoAddress(Option<String>),
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnswerError::Server => f.write_str("the server gives no usable server identifier (option 2)"),
            AnswerError::Status(fault) => write!(f, "the answer {fault}"),
            AnswerError::Refused(status) => write!(f, "the server says {status}"),
            AnswerError::NoAssociation(iaid) => {
                write!(f, "the answer has no addresses (IA_NA) for the IAID {iaid:08x}")
            }
            AnswerError::Association(fault) => write!(f, "the answer's list of addresses (IA_NA) {fault}"),
            AnswerError::Times(t1, t2) => {
                write!(f, "the answer's T1 of {t1} s is after its T2 of {t2} s")
            }
            AnswerError::NoAddress(None) => f.write_str("the answer has no address"),
            AnswerError::NoAddress(Some(fault)) => write!(f, "the answer has no usable address: {fault}"),
        }
    }
}

impl std::error::Error for AnswerError {}

impl Lease6 {
    /// How long the address is valid, in seconds from when it was given; `None` is for ever (RFC 8415 7.7).
    pub fn lifetime(&self) -> Option<u32> {
        Some(self.valid).filter(|seconds| *seconds != u32::MAX)
    }

    /// Reads the lease for an IAID out of an Advertise or Reply; does not look at kind, number and client identifier.
    pub fn from_message(message: &Message, iaid: u32) -> Result<Lease6, AnswerError> {
        let server = server(&message.options)?;
        granted(Status::of(&message.options).map_err(AnswerError::Status)?)?;
        let association = association(&message.options, iaid)?;
        granted(association.status.clone())?;
        if association.t1 > association.t2 && association.t2 > 0 {
            return Err(AnswerError::Times(association.t1, association.t2));
        }
        let mut notes = Notes::default();
        let chosen = choose(&association.addresses, &mut notes)?;
        let (t1, t2) = times(&association, chosen.preferred);
        let mut config = Config6::from_options(&message.options);
        config.notes.splice(..0, notes.list);
        Ok(Lease6 {
            address: chosen.address,
            preferred: chosen.preferred,
            valid: chosen.valid,
            t1,
            t2,
            server: server.to_string(),
            config,
            raw: message.encode(),
        })
    }
}

impl Information6 {
    /// Reads the settings out of a Reply to an Information-request; does not look at kind, number and client identifier.
    pub fn from_message(message: &Message) -> Result<Information6, AnswerError> {
        let server = server(&message.options)?;
        granted(Status::of(&message.options).map_err(AnswerError::Status)?)?;
        let refresh = message.options.number(code::INFORMATION_REFRESH_TIME).unwrap_or(REFRESH_DEFAULT);
        Ok(Information6 {
            server: server.to_string(),
            config: Config6::from_options(&message.options),
            refresh: refresh.max(REFRESH_LEAST),
            raw: message.encode(),
        })
    }
}

/// The server's identifier.
pub(super) fn server(options: &Options) -> Result<Duid, AnswerError> {
    options.get(code::SERVER_ID).and_then(Duid::from_bytes).ok_or(AnswerError::Server)
}

fn granted(status: Option<Status>) -> Result<(), AnswerError> {
    match status.filter(Status::is_error) {
        Some(status) => Err(AnswerError::Refused(status)),
        None => Ok(()),
    }
}

/// The association with this IAID. Others, which were not asked for, are not looked at beyond their number.
fn association(options: &Options, iaid: u32) -> Result<IaNa, AnswerError> {
    let bytes = options
        .all(code::IA_NA)
        .find(|bytes| bytes.starts_with(&iaid.to_be_bytes()))
        .ok_or(AnswerError::NoAssociation(iaid))?;
    IaNa::parse(bytes).map_err(AnswerError::Association)
}

/// The first address that can be used. One interface needs one address; those after it are left out with a note.
fn choose<'a>(addresses: &'a [IaAddress], notes: &mut Notes) -> Result<&'a IaAddress, AnswerError> {
    let mut chosen: Option<&IaAddress> = None;
    let mut last_fault = None;
    for offered in addresses {
        let fault = match (lease_fault(offered), chosen) {
            (Some(fault), _) => format!("the address {} {fault}", offered.address),
            (None, None) => {
                chosen = Some(offered);
                continue;
            }
            (None, Some(first)) => {
                format!("the address {} comes after {}, which is enough", offered.address, first.address)
            }
        };
        notes.add(format!("{fault}, ignored"));
        last_fault = Some(fault);
    }
    chosen.ok_or(AnswerError::NoAddress(last_fault))
}

/// Why an address can't be taken, as the end of a sentence.
fn lease_fault(offered: &IaAddress) -> Option<String> {
    if let Some(fault) = ipv6_fault(offered.address) {
        return Some(fault.to_owned());
    }
    if offered.address.is_unicast_link_local() {
        return Some("is a link-local address, which no server gives".to_owned());
    }
    if let Some(status) = offered.status.as_ref().filter(|status| status.is_error()) {
        return Some(format!("is refused: {status}"));
    }
    if offered.preferred == 0 || offered.valid == 0 {
        return Some("has a lifetime of 0 seconds".to_owned());
    }
    // RFC 8415 21.6: the client discards it.
    (offered.preferred > offered.valid).then(|| "is preferred for longer than it is valid".to_owned())
}

/// T1 and T2, where the server leaves them to the client at the shares that RFC 8415 21.4 recommends to servers.
fn times(association: &IaNa, preferred: u32) -> (u32, u32) {
    let (half, four_fifths) = if preferred == u32::MAX {
        (u32::MAX, u32::MAX)
    } else {
        (preferred >> 1, preferred.saturating_sub(preferred.div_ceil(5)))
    };
    let t2 = if association.t2 == 0 { four_fifths.max(association.t1) } else { association.t2 };
    let t1 = if association.t1 == 0 { half.min(t2) } else { association.t1 };
    (t1, t2)
}
