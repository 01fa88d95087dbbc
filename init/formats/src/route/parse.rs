//! From text to a checked [`RouteArg`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{RouteArg, longest_prefix, network};
use crate::iface;
use crate::net_arg::{ArgError, Checked, Field, decimal, interface, mask_bits, no_address};

/// A field, without its brackets, and what stands behind it.
struct Part<'a> {
    text: &'a str,
    bracketed: bool,
    after: &'a str,
}

/// The net and its prefix length; `None` is `default`, whose family is the gateway's.
type Destination = Option<(IpAddr, u8)>;

pub(super) fn parse(text: &str) -> Checked<RouteArg> {
    let (destination, after) = destination(text)?;
    let gateway_part = match next(text, after)? {
        Some(rest) => part(text, rest)?,
        None => Part { text: "", bracketed: false, after: "" },
    };
    let gateway = gateway(&gateway_part)?;
    let iface = match next(text, gateway_part.after)?.filter(|name| !name.is_empty()) {
        Some(name) => Some(interface(Field::Interface, name)?),
        None => None,
    };
    if gateway.is_none() && iface.is_none() {
        let problem = "has neither a gateway nor an interface; expected <net>/<prefix>:<gateway>[:<interface>], like \
                       10.0.0.0/8:192.168.0.1:eth0";
        return Err(ArgError::new(Field::Whole, text, problem));
    }
    check_gateway(&gateway_part, gateway, destination, iface.is_some())?;
    let (address, prefix) = match (destination, gateway) {
        (Some(destination), _) => destination,
        (None, Some(IpAddr::V6(_))) => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
        (None, _) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
    };
    let net = network(address, prefix);
    Ok(RouteArg { destination: net, prefix, written: (address != net).then_some(address), gateway, iface })
}

/// The first field of `rest`: up to a colon, or to the closing bracket.
fn part<'a>(whole: &str, rest: &'a str) -> Checked<Part<'a>> {
    let Some(inner) = rest.strip_prefix('[') else {
        let (text, after) = until_colon(rest);
        return Ok(Part { text, bracketed: false, after });
    };
    let Some((text, after)) = inner.split_once(']') else {
        let problem = format!(
            "has no \"]\" for the \"[\" in {rest:?}; an IPv6 network is written like [2001:db8::/32]"
        );
        return Err(ArgError::new(Field::Whole, whole, problem));
    };
    Ok(Part { text, bracketed: true, after })
}

/// The text up to the first colon, and the rest with it.
fn until_colon(text: &str) -> (&str, &str) {
    text.split_at_checked(text.find(':').unwrap_or(text.len())).unwrap_or((text, ""))
}

/// What stands after the colon that ends a field; `None` at the end of the parameter.
fn next<'a>(whole: &str, after: &'a str) -> Checked<Option<&'a str>> {
    if after.is_empty() {
        return Ok(None);
    }
    let Some(rest) = after.strip_prefix(':') else {
        let problem = format!("has {:?} after \"]\"; expected \":\" or the end", until_colon(after).0);
        return Err(ArgError::new(Field::Whole, whole, problem));
    };
    Ok(Some(rest))
}

/// The destination, and what stands behind it.
fn destination(text: &str) -> Checked<(Destination, &str)> {
    // The one IPv6 net that is usual without brackets.
    if let Some(after) = text.strip_prefix("::/0").filter(|after| after.is_empty() || after.starts_with(':'))
    {
        return Ok((Some((IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0)), after));
    }
    let Part { text: net, bracketed, mut after } = part(text, text)?;
    if net == "default" && !bracketed {
        return Ok((None, after));
    }
    let (address_text, mut prefix_text) = match net.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (net, None),
    };
    if let (None, true, Some(rest)) = (prefix_text, bracketed, after.strip_prefix('/')) {
        let (prefix, rest) = until_colon(rest);
        prefix_text = Some(prefix);
        after = rest;
    }
    let address = address(Field::Destination, address_text, bracketed)?;
    let prefix = match prefix_text {
        Some(prefix) => prefix_length(address, prefix)?,
        None => longest_prefix(address),
    };
    Ok((Some((address, prefix)), after))
}

fn address(field: Field, text: &str, bracketed: bool) -> Checked<IpAddr> {
    let problem = match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) if bracketed => "is an IPv4 address; write it without brackets",
        Ok(address) => return Ok(address),
        Err(_) if bracketed => "is not an IPv6 address; expected one like [2001:db8::1]",
        Err(_) if text.is_empty() => "is empty; expected a net like 10.0.0.0/8, or default",
        Err(_) if field == Field::Gateway && is_interface(text) => {
            "is not an IP address; without a gateway, two colons come before the interface, like 10.9.0.0/16::eth0"
        }
        Err(_) => no_address(text),
    };
    Err(ArgError::new(field, text, problem))
}

/// Whether a text is likely to be the name of an interface: a letter first, a digit last, and no dots as in an address.
fn is_interface(text: &str) -> bool {
    iface::check_new(text).is_ok()
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.ends_with(|last: char| last.is_ascii_digit())
        && text.len() > 2
        && !text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn prefix_length(address: IpAddr, text: &str) -> Checked<u8> {
    let fail = |problem: &'static str| Err(ArgError::new(Field::Netmask, text, problem));
    let bits = match (text.parse::<Ipv4Addr>(), address) {
        (Ok(mask), IpAddr::V4(_)) => match mask_bits(mask) {
            Ok(bits) => Some(bits),
            Err(problem) => return fail(problem),
        },
        (Ok(_), IpAddr::V6(_)) => {
            return fail("is an IPv4 mask, but the destination is IPv6; expected a prefix length like 64");
        }
        (Err(_), _) => decimal(text),
    };
    let Some(bits) = bits else {
        return fail("is neither a mask like 255.255.255.0 nor a prefix length like 24");
    };
    match (u8::try_from(bits).ok().filter(|bits| *bits <= longest_prefix(address)), address) {
        (Some(bits), _) => Ok(bits),
        (None, IpAddr::V4(_)) => fail("is out of range for a prefix length; expected 0 to 32"),
        (None, IpAddr::V6(_)) => fail("is out of range for a prefix length; expected 0 to 128"),
    }
}

/// The gateway; empty and all-zero are both "none".
fn gateway(part: &Part<'_>) -> Checked<Option<IpAddr>> {
    if part.text.is_empty() && !part.bracketed {
        return Ok(None);
    }
    let address = address(Field::Gateway, part.text, part.bracketed)?;
    let problem = match address {
        address if address.is_unspecified() => return Ok(None),
        address if address.is_multicast() => "is a multicast address; expected one of a router",
        address if address.is_loopback() => "is a loopback address; expected one of a router",
        IpAddr::V4(Ipv4Addr::BROADCAST) => "is the broadcast address; expected one of a router",
        address => return Ok(Some(address)),
    };
    Err(ArgError::new(Field::Gateway, part.text, problem))
}

/// The gateway is of the destination's family, and a link-local one has its link.
fn check_gateway(
    part: &Part<'_>,
    gateway: Option<IpAddr>,
    destination: Destination,
    has_iface: bool,
) -> Checked<()> {
    let problem = match (gateway, destination) {
        (Some(IpAddr::V4(_)), Some((IpAddr::V6(_), _))) => {
            "is IPv4, but the destination is IPv6; both must be of one IP version"
        }
        (Some(IpAddr::V6(_)), Some((IpAddr::V4(_), _))) => {
            "is IPv6, but the destination is IPv4; both must be of one IP version"
        }
        (Some(IpAddr::V6(address)), _) if address.is_unicast_link_local() && !has_iface => {
            "is link-local and needs an interface; expected one after it, like [fe80::1]:eth0"
        }
        _ => return Ok(()),
    };
    Err(ArgError::new(Field::Gateway, part.text, problem))
}
