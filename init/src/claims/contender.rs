//! One way that takes part in the race: an interface and an IP version, and how far its probe has come.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use dayfly_formats::dhcp4::Lease;
use dayfly_formats::dhcp6::Lease6;
use dayfly_formats::scoped::ScopedAddr;
use dayfly_plan::network::{Config, StaticAddress};
use dayfly_sys::{Family, Link, SysError};

use crate::{AddressUp, Autoconf};

/// A way to the server: an interface and an IP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The interface's index.
    pub index: u32,
    /// The IP version.
    pub family: Family,
}

/// Why a way has no claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The interface has no carrier: its cable is unplugged or the other end is down.
    NoCarrier,
    /// No DHCP lease yet; the text says how far DHCP got.
    NoLease(String),
    /// The kernel or a server refused, with this message.
    Refused(String),
}

impl From<SysError> for Reason {
    fn from(error: SysError) -> Self {
        Reason::Refused(error.to_string())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NoCarrier => f.write_str("no carrier"),
            Reason::NoLease(text) | Reason::Refused(text) => f.write_str(text),
        }
    }
}

/// Where a claim's address comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The parameters or settings.
    Static(StaticAddress),
    /// A lease of a DHCP server, and when it was given on the machine's clock.
    Lease(Box<Lease>, Duration),
    /// Router advertisements or a DHCPv6 server, and when that was on the machine's clock.
    Autoconf(Box<Autoconf>, Duration),
}

impl Origin {
    /// Whether a lease should have been renewed by now.
    pub(super) fn is_old(&self, now: Duration) -> bool {
        let (renew, since) = match self {
            Origin::Static(_) => return false,
            Origin::Lease(lease, since) => (lease.renew_seconds, since),
            Origin::Autoconf(autoconf, since) => {
                (autoconf.lease.as_ref().map(|lease: &Lease6| lease.t1), since)
            }
        };
        renew.is_some_and(|renew| now.saturating_sub(*since) >= Duration::from_secs(renew.max(1).into()))
    }
}

/// The state of an interface's probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The probe is still running; the reason says what it waits for.
    Waiting(Reason),
    /// The probe failed for this reason.
    Failed(Reason),
    /// The interface can be configured with this address.
    Claims(Origin),
}

/// One way that takes part in the race.
#[derive(Debug, Clone)]
pub struct Contender {
    /// The number of its probe, while the owner waits for it.
    pub probe: Option<u64>,
    /// The IP version.
    pub family: Family,
    /// The interface as it was before the boot changed it.
    pub link: Link,
    /// The driver, if known.
    pub driver: Option<String>,
    /// How the interface is to be configured.
    pub config: Config,
    /// A parameter names the interface, so it is configured even if another interface wins.
    pub is_named: bool,
    /// The state of its probe.
    pub state: State,
    /// How often it was the winner.
    pub turns: u32,
    /// Why it is no longer the winner.
    pub lost: Option<String>,
    /// Routers have changed its claim since it won.
    pub has_changed: bool,
    /// Its address, while it is configured.
    pub up: Option<AddressUp>,
    /// Since when the server is asked over it, on the machine's clock.
    pub asked: Option<Duration>,
    /// When the server was first asked over it. An address that two interfaces have in turn does not begin anew each time.
    pub first_asked: Option<Duration>,
    /// Whether the server answered, or why it is not reached over this way.
    pub answer: Option<Result<(), String>>,
}

impl Contender {
    /// Its interface and IP version.
    pub fn way(&self) -> Way {
        Way { index: self.link.index, family: self.family }
    }

    /// Name servers that come with its interface.
    pub fn learnt(&self, servers: impl Iterator<Item = IpAddr>) -> Vec<ScopedAddr> {
        servers.map(|server| ScopedAddr::learnt_on(server, &self.link.name)).collect()
    }

    /// The server is asked anew over it, because it has changed.
    pub(super) fn begins_anew(&mut self) {
        (self.asked, self.first_asked, self.answer) = (None, None, None);
    }

    /// Changes what it is configured with to what routers say now.
    pub(super) fn takes(&mut self, autoconf: &Autoconf) {
        let given_dns = self.learnt(autoconf.dns.iter().copied());
        let Some(up) = &mut self.up else { return };
        up.given_dns = given_dns;
        (up.address, up.prefix) = (IpAddr::V6(autoconf.address), autoconf.prefix);
        up.gateway = autoconf.gateway.map(IpAddr::V6);
        up.search.clone_from(&autoconf.search);
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.link.name)?;
        if let Some(driver) = &self.driver {
            write!(f, " ({driver})")?;
        }
        match &self.state {
            State::Waiting(reason) | State::Failed(reason) => write!(f, ": {reason}")?,
            State::Claims(Origin::Static(fixed)) => write!(f, ": {} from ip=", fixed.address)?,
            State::Claims(Origin::Lease(lease, _)) => {
                write!(f, ": {}/{} from the DHCP server {}", lease.address, lease.prefix, lease.server)?;
            }
            State::Claims(Origin::Autoconf(autoconf, _)) => write!(f, ": {autoconf}")?,
        }
        match (&self.lost, &self.answer) {
            (Some(lost), _) => write!(f, ", dropped after a failure: {lost}"),
            (None, Some(Err(words))) => write!(f, ", does not lead to the server: {words}"),
            (None, _) if self.up.is_none() && matches!(self.state, State::Claims(_)) => {
                f.write_str(", not used: another interface was first")
            }
            (None, _) => Ok(()),
        }
    }
}
