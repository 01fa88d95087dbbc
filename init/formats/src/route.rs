//! The `rd.route=` kernel parameter, dracut.cmdline(7):
//!
//! ```text
//! rd.route=<net>/<prefix|netmask>:<gateway>[:<interface>]
//! rd.route=<net>/<prefix|netmask>::<interface>
//! ```
//!
//! An IPv6 address stands in `[]`; its prefix length stands inside or after them.

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::net_arg::ArgError;

/// One `rd.route=` parameter. `to_string()` writes it back, without `rd.route=`.
///
/// As for ip(8), which dracut runs, the net may be `default`, an address without a prefix length is a host, and a mask may
/// stand for the prefix length. systemd-network-generator(8) has neither `default` nor masks, and wants a gateway. A
/// gateway of zeros is none, as in `ip=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteArg {
    /// Where the route leads to; all host bits are zero.
    pub destination: IpAddr,
    /// Prefix length of the destination: 0 to 32, or to 128 for IPv6. 0 is the default route.
    pub prefix: u8,
    /// The destination as it is written, when it has host bits, with which the kernel would refuse it.
    pub written: Option<IpAddr>,
    /// The next router, of the destination's family; without one the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// The interface; there is one when there is no gateway.
    pub iface: Option<String>,
}

impl RouteArg {
    /// What the user should know about a destination with host bits.
    pub fn note(&self) -> Option<String> {
        let RouteArg { destination, prefix, written, .. } = self;
        let written = (*written)?;
        Some(format!("destination {written}/{prefix} has host bits; the route is to {destination}/{prefix}"))
    }
}

impl FromStr for RouteArg {
    type Err = ArgError;

    /// Parses what stands after `rd.route=`.
    fn from_str(text: &str) -> Result<RouteArg, ArgError> {
        parse::parse(text)
    }
}

impl fmt::Display for RouteArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.written.unwrap_or(self.destination) {
            IpAddr::V4(net) => write!(f, "{net}/{}:", self.prefix)?,
            IpAddr::V6(net) => write!(f, "[{net}/{}]:", self.prefix)?,
        }
        match self.gateway {
            Some(IpAddr::V4(gateway)) => write!(f, "{gateway}")?,
            Some(IpAddr::V6(gateway)) => write!(f, "[{gateway}]")?,
            None => {}
        }
        match &self.iface {
            Some(iface) => write!(f, ":{iface}"),
            None => Ok(()),
        }
    }
}

/// The longest prefix of the address's family.
fn longest_prefix(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with all host bits zero.
fn network(address: IpAddr, prefix: u8) -> IpAddr {
    let host_bits = u32::from(longest_prefix(address).saturating_sub(prefix));
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}
