//! What the kernel parameters of the network share: the checks of single fields, and the error of all but `ip=`, which
//! names its own fields.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;

use crate::iface;
use crate::mac::Mac;

/// A field of `vlan=`, `bond=`, `bridge=`, `team=`, `ifname=` or `rd.route=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The whole value of a parameter.
    Whole,
    /// The name of the interface to make, or to give.
    Name,
    /// The interface below a VLAN.
    Parent,
    /// The interfaces of a bond, a bridge or a team.
    Ports,
    /// One of them.
    Port,
    /// An option of a bond.
    Option,
    /// The mode of a bond.
    Mode,
    /// The MTU.
    Mtu,
    /// An Ethernet address.
    Mac,
    /// The runner of a team.
    Runner,
    /// Where a route leads to.
    Destination,
    /// Netmask or prefix length of the destination.
    Netmask,
    /// The next router of a route.
    Gateway,
    /// The interface of a route.
    Interface,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Whole => "value",
            Field::Name => "name",
            Field::Parent => "parent interface",
            Field::Ports => "port list",
            Field::Port => "port",
            Field::Option => "option",
            Field::Mode => "mode",
            Field::Mtu => "MTU",
            Field::Mac => "MAC address",
            Field::Runner => "runner",
            Field::Destination => "destination",
            Field::Netmask => "netmask",
            Field::Gateway => "gateway",
            Field::Interface => "interface",
        })
    }
}

/// A fault in one of these parameters. `Display` gives field, text and what is expected, in one line:
/// `port "eth/0" holds '/'; expected a name like eth0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgError {
    /// Where the fault is.
    pub field: Field,
    /// The text of the field, as given.
    pub text: String,
    /// The rest of the sentence.
    pub problem: Cow<'static, str>,
}

impl ArgError {
    pub(crate) fn new(field: Field, text: &str, problem: impl Into<Cow<'static, str>>) -> ArgError {
        ArgError { field, text: text.to_owned(), problem: problem.into() }
    }
}

impl fmt::Display for ArgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.field, self.text, self.problem)
    }
}

impl std::error::Error for ArgError {}

pub(crate) type Checked<T> = Result<T, ArgError>;

/// The name of an interface that another program or driver makes.
pub(crate) fn interface(field: Field, name: &str) -> Checked<String> {
    iface::check(name).map_err(|error| ArgError::new(field, name, error.to_string()))?;
    Ok(name.to_owned())
}

/// The name of an interface that this parameter makes, or that it gives.
pub(crate) fn new_interface(name: &str) -> Checked<String> {
    iface::check_new(name).map_err(|error| ArgError::new(Field::Name, name, error.to_string()))?;
    Ok(name.to_owned())
}

/// The interfaces to join in `owner`, separated by commas. Empty elements are skipped, as in dracut and systemd.
pub(crate) fn ports(owner: &str, list: &str) -> Checked<Vec<String>> {
    let mut ports: Vec<String> = Vec::new();
    for port in list.split(',').filter(|port| !port.is_empty()) {
        if port.contains(':') {
            let problem = "holds ':'; names are separated by commas, like eth0,eth1";
            return Err(ArgError::new(Field::Port, port, problem));
        }
        if port.contains(['=', ';']) {
            let problem =
                "is not a name; names are separated by commas, and a colon comes before the options";
            return Err(ArgError::new(Field::Port, port, problem));
        }
        let name = interface(Field::Port, port)?;
        if name == owner {
            return Err(ArgError::new(Field::Port, port, "is the interface to make; expected one below it"));
        }
        if ports.contains(&name) {
            return Err(ArgError::new(Field::Port, port, "is listed twice; expected each port once"));
        }
        ports.push(name);
    }
    if ports.is_empty() {
        let problem = "names no interface; expected names separated by commas, like eth0,eth1";
        return Err(ArgError::new(Field::Ports, list, problem));
    }
    Ok(ports)
}

/// An MTU in bytes. 68 is the least that IPv4 can do with (RFC 791).
pub(crate) fn mtu(text: &str) -> Result<u32, &'static str> {
    let problem = if text.contains('=') {
        "is not a number from 68 to 65535; options are separated by commas"
    } else {
        "is not a number from 68 to 65535"
    };
    decimal(text).filter(|mtu| (68..=65535).contains(mtu)).ok_or(problem)
}

/// The address of an interface.
pub(crate) fn mac(text: &str) -> Result<Mac, &'static str> {
    match text.parse::<Mac>() {
        Ok(address) if address.is_group() => {
            Err("is a group address; expected the address of one interface, like 52:54:00:12:34:56")
        }
        Ok(address) if address.is_zero() => {
            Err("is all zeros; expected the address of one interface, like 52:54:00:12:34:56")
        }
        Ok(address) => Ok(address),
        Err(_) => Err("is not six pairs of hexadecimal digits, like 52:54:00:12:34:56"),
    }
}

/// The prefix length that a netmask stands for.
pub(crate) fn mask_bits(mask: Ipv4Addr) -> Result<u32, &'static str> {
    let mask = mask.to_bits();
    if mask.leading_ones() != mask.count_ones() {
        return Err("is not contiguous; expected ones, then zeros, like 255.255.255.0");
    }
    Ok(mask.count_ones())
}

/// Why a text is not an address. A group of hexadecimal digits is what remains of an IPv6 address without brackets, because
/// its colons separate fields.
pub(crate) fn no_address(text: &str) -> &'static str {
    if text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        "is not an IP address; an IPv6 address is written in brackets, like [2001:db8::2]"
    } else {
        "is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]"
    }
}

/// Digits only: `str::parse` would take a `+`.
pub(crate) fn decimal(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}
