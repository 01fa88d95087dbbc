//! The `ip=` kernel parameter.
//!
//! Sources: dracut.cmdline(7), the kernel's `Documentation/admin-guide/nfs/nfsroot.rst`, and the actual behaviour of
//! both programs. The forms:
//!
//! ```text
//! ip=<method>
//! ip=<iface>:<method>[:[<mtu>][:<mac>]]
//! ip=<client>:[<peer>]:[<gateway>]:<netmask|prefix>:[<hostname>]:[<iface>]:[<method>][:[<mtu>][:<mac>]]
//! ip=<client>:[<peer>]:[<gateway>]:<netmask|prefix>:[<hostname>]:[<iface>]:[<method>][:[<dns1>][:[<dns2>][:<ntp>]]]
//! ```
//!
//! An IPv6 address is written in `[]`. As in the kernel, `0.0.0.0` is the same as an empty field, and fields may be
//! missing at the end. `<client>` and `<peer>` may include their prefix (`10.0.0.2/24`). The second field is dracut's
//! peer. In the kernel's own `ip=` the same field is the NFS server, so only its address family is checked.

mod error;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

pub use error::{Field, IpArgError};

use crate::mac::Mac;

/// One `ip=` parameter. `to_string()` writes it back in one of the forms above, without `ip=`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IpArg {
    /// The address to set. A static configuration has one; other methods must not have one.
    pub client: Option<IpAddr>,
    /// The other end of a point-to-point link (dracut) or the NFS server (kernel).
    pub peer: Option<IpAddr>,
    /// The default router.
    pub gateway: Option<IpAddr>,
    /// Prefix length of `client`: 1 to 32, or to 128 for IPv6. Always set if `client` is.
    pub prefix: Option<u8>,
    /// The host name as written. [`crate::hostname::given`] adapts it to a valid name for a node, or rejects it.
    pub hostname: Option<String>,
    /// The interface. `None`: every interface.
    pub iface: Option<String>,
    /// How the interface gets its addresses.
    pub method: Method,
    /// MTU to set, in bytes: 68 to 65535.
    pub mtu: Option<u32>,
    /// Ethernet address to set on the interface.
    pub mac: Option<Mac>,
    /// Name servers, best first: at most two.
    pub dns: Vec<IpAddr>,
    /// Time servers: at most one.
    pub ntp: Vec<IpAddr>,
}

/// How an interface gets its addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Method {
    /// `dhcp`, `on`, `any`, or nothing: DHCPv4.
    #[default]
    Dhcp,
    /// `dhcp6`: DHCPv6.
    Dhcp6,
    /// `auto6`: IPv6 by router advertisements (SLAAC).
    Auto6,
    /// `either6`: `auto6`, and `dhcp6` when that fails.
    Either6,
    /// `link6`: up, only with the IPv6 link-local address.
    Link6,
    /// `link-local`: up, with link-local addresses of both families (systemd-network-generator(8)).
    LinkLocal,
    /// `single-dhcp`: DHCPv4 on every interface at once, the first lease wins.
    SingleDhcp,
    /// `auto`: DHCPv4, and IPv6 by router advertisements with DHCPv6 if they request it. As in NetworkManager's
    /// nm-initrd-generator(8), dracut's lists `dhcp,dhcp6` and `dhcp,auto6` mean the same.
    Auto,
    /// `none`, `off`: the static configuration of the other fields. Without a client address, no configuration.
    Off,
}

impl Method {
    /// The methods as written in `ip=`.
    pub const NAMES: [&str; 12] = [
        "dhcp",
        "on",
        "any",
        "dhcp6",
        "auto6",
        "either6",
        "link6",
        "link-local",
        "single-dhcp",
        "auto",
        "none",
        "off",
    ];

    /// The method with this name. `None` if the name is unknown.
    pub fn from_name(name: &str) -> Option<Method> {
        Some(match name {
            "dhcp" | "on" | "any" => Method::Dhcp,
            "dhcp6" => Method::Dhcp6,
            "auto6" => Method::Auto6,
            "either6" => Method::Either6,
            "link6" => Method::Link6,
            "link-local" => Method::LinkLocal,
            "single-dhcp" => Method::SingleDhcp,
            "auto" | "dhcp,dhcp6" | "dhcp6,dhcp" | "dhcp,auto6" | "auto6,dhcp" => Method::Auto,
            "none" | "off" => Method::Off,
            _ => return None,
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Dhcp => "dhcp",
            Method::Dhcp6 => "dhcp6",
            Method::Auto6 => "auto6",
            Method::Either6 => "either6",
            Method::Link6 => "link6",
            Method::LinkLocal => "link-local",
            Method::SingleDhcp => "single-dhcp",
            Method::Auto => "auto",
            Method::Off => "none",
        })
    }
}

impl FromStr for IpArg {
    type Err = IpArgError;

    /// Parses the text after `ip=`.
    fn from_str(text: &str) -> Result<IpArg, IpArgError> {
        parse::parse(text)
    }
}

impl fmt::Display for IpArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = |address: Option<IpAddr>| match address {
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            None => String::new(),
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let full = self.client.is_some()
            || self.peer.is_some()
            || self.gateway.is_some()
            || self.prefix.is_some()
            || self.hostname.is_some()
            || !self.dns.is_empty()
            || !self.ntp.is_empty();
        if full {
            let prefix = self.prefix.map(|prefix| prefix.to_string()).unwrap_or_default();
            write!(f, "{}:{}:{}:", address(self.client), address(self.peer), address(self.gateway))?;
            write!(f, "{prefix}:{}:{}:{}", text(&self.hostname), text(&self.iface), self.method)?;
        } else if self.iface.is_some() || self.mtu.is_some() || self.mac.is_some() {
            write!(f, "{}:{}", text(&self.iface), self.method)?;
        } else {
            write!(f, "{}", self.method)?;
        }
        if !self.dns.is_empty() || !self.ntp.is_empty() {
            let mut dns = self.dns.iter().copied();
            write!(f, ":{}:{}", address(dns.next()), address(dns.next()))?;
            if let Some(ntp) = self.ntp.first() {
                write!(f, ":{}", address(Some(*ntp)))?;
            }
        } else if self.mtu.is_some() || self.mac.is_some() {
            write!(f, ":{}", self.mtu.map(|mtu| mtu.to_string()).unwrap_or_default())?;
            if let Some(mac) = self.mac {
                write!(f, ":{mac}")?;
            }
        }
        Ok(())
    }
}

/// The network part of an address as a number, with all host bits zero. The flag for the family ensures that IPv4 and
/// IPv6 never compare equal.
fn network(address: IpAddr, prefix: u8) -> (bool, u128) {
    let (v6, bits, number) = match address {
        IpAddr::V4(address) => (false, 32, u128::from(address.to_bits())),
        IpAddr::V6(address) => (true, 128, address.to_bits()),
    };
    let host_bits = u32::saturating_sub(bits, prefix.into());
    (v6, number.checked_shr(host_bits).unwrap_or(0))
}
