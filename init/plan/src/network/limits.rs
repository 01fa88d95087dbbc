//! How long the boot waits for the parts of an interface's configuration.

use std::fmt;
use std::time::Duration;

/// The limits that the parameters or settings give; without one, a wait lasts as long as the step `network`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// For a carrier, from when the interface is set up (`rd.net.timeout.carrier=`).
    pub carrier: Option<Duration>,
    /// For a DHCP server, of all attempts (`rd.net.timeout.dhcp=`, `rd.net.dhcp.retry=`).
    pub dhcp: Option<Duration>,
    /// For an IPv6 address from routers (`rd.net.timeout.ipv6auto=`).
    pub autoconf: Option<Duration>,
    /// For duplicate address detection (`rd.net.timeout.ipv6dad=`).
    pub dad: Option<Duration>,
}

impl Limits {
    /// Those that are given, with what they are for.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        let all =
            [("carrier", self.carrier), ("dhcp", self.dhcp), ("slaac", self.autoconf), ("dad", self.dad)];
        all.into_iter().filter_map(|(what, limit)| Some((what, limit?)))
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, limit) in self.given() {
            write!(f, " {what} within {} s", limit.as_secs())?;
        }
        Ok(())
    }
}
