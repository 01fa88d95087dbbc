//! Errors in an `ip=` parameter, as messages for the user.

use std::borrow::Cow;
use std::fmt;

/// A field of `ip=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The whole value.
    Whole,
    /// The address of this host.
    Client,
    /// The second field.
    Peer,
    /// The default router.
    Gateway,
    /// Netmask or prefix length.
    Netmask,
    /// This host's name.
    Hostname,
    /// The interface.
    Interface,
    /// The method, dracut's `<autoconf>`.
    Method,
    /// The MTU.
    Mtu,
    /// The Ethernet address to set.
    Mac,
    /// A name server.
    Dns,
    /// A time server.
    Ntp,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Whole => "value",
            Field::Client => "client address",
            Field::Peer => "peer address",
            Field::Gateway => "gateway",
            Field::Netmask => "netmask",
            Field::Hostname => "hostname",
            Field::Interface => "interface",
            Field::Method => "method",
            Field::Mtu => "MTU",
            Field::Mac => "MAC address",
            Field::Dns => "name server",
            Field::Ntp => "time server",
        })
    }
}

/// An error in an `ip=` parameter. `Display` gives field, text and what is expected, in one line: `client address
/// "10.0.0.300" is not an IP address`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpArgError {
    /// The field with the error.
    pub field: Field,
    /// The text of the field, as given.
    pub text: String,
    /// The rest of the sentence.
    pub problem: Cow<'static, str>,
}

impl IpArgError {
    pub(super) fn new(field: Field, text: &str, problem: impl Into<Cow<'static, str>>) -> IpArgError {
        IpArgError { field, text: text.to_owned(), problem: problem.into() }
    }
}

impl fmt::Display for IpArgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.field, self.text, self.problem)
    }
}

impl std::error::Error for IpArgError {}
