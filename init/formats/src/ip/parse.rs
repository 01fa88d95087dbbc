//! From text to a checked [`IpArg`].

use std::net::{IpAddr, Ipv4Addr};

use super::{Field, IpArg, IpArgError, Method, network};
use crate::hostname::{self, NameError};
use crate::iface::{self, IfaceError};
use crate::nearest::nearest;
use crate::net_arg::{self, decimal};

type Checked<T> = Result<T, IpArgError>;

/// One field between colons. `bracketed` is true for `[…]`; the text does not include the brackets.
#[derive(Clone, Copy, Default)]
struct Part<'a> {
    text: &'a str,
    bracketed: bool,
}

impl Part<'_> {
    fn is_address(self) -> bool {
        self.bracketed || self.text.parse::<IpAddr>().is_ok()
    }

    /// Whether this looks like an address: with dots or brackets, which neither an MTU nor a MAC address has.
    fn looks_like_address(self) -> bool {
        self.bracketed || self.text.contains('.')
    }
}

pub(super) fn parse(text: &str) -> Checked<IpArg> {
    if has_client_id(text) {
        // The kernel takes the rest as the identifier, also with colons.
        return Err(client_id(text));
    }
    let parts = split(text)?;
    let part = |at: usize| parts.get(at).copied().unwrap_or_default();
    if text.is_empty() {
        return Err(IpArgError::new(
            Field::Whole,
            text,
            format!("is empty; expected {}", Method::NAMES.join(", ")),
        ));
    }
    if parts.len() == 1 && !part(0).looks_like_address() {
        return match Method::from_name(text) {
            None if meant(text).is_none() && is_interface(text) => {
                let problem = format!("is unknown; for an interface of this name, write {text}:dhcp");
                Err(IpArgError::new(Field::Method, text, problem))
            }
            _ => Ok(IpArg { method: method(part(0))?, ..IpArg::default() }),
        };
    }
    if let [first, second] = parts.as_slice()
        && Method::from_name(first.text).is_some()
        && iface::check(second.text).is_ok()
        && Method::from_name(second.text).is_none()
    {
        let problem = format!("has the method before the interface; write {}:{}", second.text, first.text);
        return Err(IpArgError::new(Field::Whole, text, problem));
    }
    // If the second field is a method, or if there are two fields and the first is not an address, this is the form
    // that starts with the interface.
    let is_method = Method::from_name(part(1).text).is_some() || has_client_id(part(1).text);
    let second_is_method = is_method && !part(1).bracketed;
    if !part(0).is_address() && (second_is_method || (parts.len() == 2 && !part(0).looks_like_address())) {
        let mut arg = IpArg { iface: interface(part(0))?, method: method(part(1))?, ..IpArg::default() };
        hardware(&mut arg, parts.get(2..).unwrap_or_default())?;
        return Ok(arg);
    }
    full(text, &parts)
}

/// The form that starts with the client address.
fn full(text: &str, parts: &[Part<'_>]) -> Checked<IpArg> {
    let part = |at: usize| parts.get(at).copied().unwrap_or_default();
    let (client, client_prefix) = address_with_prefix(Field::Client, part(0))?;
    let (peer, peer_prefix) = address_with_prefix(Field::Peer, part(1))?;
    let gateway = address(Field::Gateway, part(2))?;
    let method = match (part(6).text, client) {
        ("", Some(_)) => Method::Off,
        ("", None) => Method::Dhcp,
        _ => method(part(6))?,
    };
    let mut arg = IpArg {
        client,
        peer,
        gateway,
        hostname: host(part(4))?,
        iface: interface(part(5))?,
        method,
        ..IpArg::default()
    };
    if let Some(client) = client {
        check_client(part(0).text, client, method, part(6).text)?;
    } else if method == Method::Off {
        for (field, at) in [(Field::Peer, 1), (Field::Gateway, 2), (Field::Netmask, 3)] {
            if !part(at).text.is_empty() {
                let problem = "is given without a client address; add one, or use a method like dhcp";
                return Err(IpArgError::new(field, part(at).text, problem));
            }
        }
    }
    arg.prefix = prefix(&arg, part(3), client_prefix.or(peer_prefix))?;
    check_family(&arg, parts)?;
    match (arg.client, arg.prefix) {
        (Some(_), None) if arg.peer.is_some() => arg.prefix = Some(longest_prefix(arg.client)),
        (Some(_), None) => {
            let problem = "has no netmask; expected CLIENT:PEER:GATEWAY:NETMASK:HOSTNAME:INTERFACE:METHOD, like \
                           10.0.0.2::10.0.0.1:255.255.255.0:node1:eth0:none";
            return Err(IpArgError::new(Field::Client, part(0).text, problem));
        }
        (Some(client), Some(prefix)) => check_in_net(part(0).text, client, prefix)?,
        _ => {}
    }
    if arg.gateway.is_some() && arg.gateway == arg.client {
        return Err(IpArgError::new(
            Field::Gateway,
            part(2).text,
            "is the client's own address; expected the router's",
        ));
    }
    tail(text, &mut arg, parts.get(7..).unwrap_or_default())?;
    Ok(arg)
}

/// Splits at colons outside brackets.
fn split(text: &str) -> Checked<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let part = if let Some(inner) = rest.strip_prefix('[') {
            let Some((inner, after)) = inner.split_once(']') else {
                return Err(IpArgError::new(
                    Field::Whole,
                    text,
                    format!(
                        "has no \"]\" for the \"[\" in {rest:?}; an IPv6 address is written like [2001:db8::2]"
                    ),
                ));
            };
            if let Some(extra) = after.split(':').next().filter(|extra| !extra.is_empty()) {
                let problem = match extra.strip_prefix('/') {
                    Some(prefix) => {
                        format!("has {extra:?} after \"]\"; write {:?}", format!("[{inner}/{prefix}]"))
                    }
                    None => format!("has {extra:?} after \"]\"; expected \":\" or the end"),
                };
                return Err(IpArgError::new(Field::Whole, text, problem));
            }
            rest = after;
            Part { text: inner, bracketed: true }
        } else {
            let end = rest.find(':').unwrap_or(rest.len());
            let (field, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            rest = after;
            Part { text: field, bracketed: false }
        };
        parts.push(part);
        match rest.strip_prefix(':') {
            Some(after) => rest = after,
            None => return Ok(parts),
        }
    }
}

/// Whether a word that is no method is the name of an interface, and not a misspelled method: most names end with a digit.
fn is_interface(word: &str) -> bool {
    iface::check_new(word).is_ok()
        && nearest(word, Method::NAMES.into_iter()).is_none()
        && word.ends_with(|end: char| end.is_ascii_digit())
}

/// The method for other words with the same meaning.
fn meant(text: &str) -> Option<&'static str> {
    let word = text.to_ascii_lowercase();
    Method::NAMES.into_iter().find(|name| *name == word).or(match word.as_str() {
        "slaac" | "ra" | "ipv6" | "autoconf" | "auto-6" => Some("auto6"),
        "dhcpv6" => Some("dhcp6"),
        "ipv4" | "dhcp4" | "dhcpv4" => Some("dhcp"),
        _ => None,
    })
}

fn unknown_method(text: &str) -> String {
    if let Some(meant) = meant(text) {
        return format!("is unknown; write {meant}");
    }
    if text == "static" || text == "manual" {
        return "is unknown; with a static address, write none".to_owned();
    }
    match nearest(text, Method::NAMES.into_iter()) {
        Some(meant) => format!("is unknown; the nearest is {meant}"),
        None => format!("is unknown; expected {}", Method::NAMES.join(", ")),
    }
}

/// Whether this is the kernel's `dhcp,TYPE,ID`: a number and a client identifier for DHCP (nfsroot.rst).
fn has_client_id(method: &str) -> bool {
    let Some((kind, _)) = method.strip_prefix("dhcp,").and_then(|rest| rest.split_once(',')) else {
        return false;
    };
    let digits = kind.strip_prefix("0x").unwrap_or(kind);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn client_id(method: &str) -> IpArgError {
    let problem = "asks for another DHCP client identifier, which is not supported: the identifier is the MAC address, so that \
                   the OS gets the same lease; write dhcp, and give the node its address by its MAC address";
    IpArgError::new(Field::Method, method, problem)
}

fn method(part: Part<'_>) -> Checked<Method> {
    let fail = |problem: String| Err(IpArgError::new(Field::Method, part.text, problem));
    match part.text {
        "bootp" | "rarp" | "both" | "ibft" | "fw" => {
            fail("is not supported; use dhcp, or a static address".to_owned())
        }
        text if has_client_id(text) => Err(client_id(text)),
        text => match Method::from_name(text) {
            Some(method) => Ok(method),
            None => fail(unknown_method(text)),
        },
    }
}

/// An address field. An empty field and an all-zero address both mean "none", as in the kernel.
fn address(field: Field, part: Part<'_>) -> Checked<Option<IpAddr>> {
    if part.text.is_empty() && !part.bracketed {
        return Ok(None);
    }
    let fail = |problem: &'static str| Err(IpArgError::new(field, part.text, problem));
    let address = match part.text.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) if part.bracketed => {
            return fail("is an IPv4 address; write it without brackets");
        }
        Ok(address) => address,
        Err(_) if part.bracketed => return fail("is not an IPv6 address; expected one like [2001:db8::1]"),
        Err(_) => return fail(net_arg::no_address(part.text)),
    };
    match address {
        address if address.is_unspecified() => Ok(None),
        address if address.is_multicast() => fail("is a multicast address; expected a host address"),
        IpAddr::V4(Ipv4Addr::BROADCAST) => fail("is the broadcast address; expected a host address"),
        address => Ok(Some(address)),
    }
}

fn address_with_prefix(field: Field, part: Part<'_>) -> Checked<(Option<IpAddr>, Option<u8>)> {
    let Some((text, prefix)) = part.text.split_once('/') else { return Ok((address(field, part)?, None)) };
    let Some(address) = address(field, Part { text, ..part })? else {
        return Err(IpArgError::new(
            field,
            part.text,
            "has a prefix length but no address; expected one like 10.0.0.2/24",
        ));
    };
    match decimal(prefix).filter(|bits| (1..=u32::from(longest_prefix(Some(address)))).contains(bits)) {
        Some(bits) => Ok((Some(address), u8::try_from(bits).ok())),
        None => Err(IpArgError::new(field, part.text, prefix_range(Some(address)))),
    }
}

/// The prefix length from the netmask field. It must agree with a prefix length at an address.
fn prefix(arg: &IpArg, part: Part<'_>, at_address: Option<u8>) -> Checked<Option<u8>> {
    if part.text.is_empty() || part.text == "0.0.0.0" {
        return Ok(at_address);
    }
    let fail = |problem: String| Err(IpArgError::new(Field::Netmask, part.text, problem));
    let bits = if let Ok(mask) = part.text.parse::<Ipv4Addr>() {
        if arg.client.is_some_and(|client| client.is_ipv6()) {
            return fail(
                "is an IPv4 mask, but the client address is IPv6; expected a prefix length like 64"
                    .to_owned(),
            );
        }
        match net_arg::mask_bits(mask) {
            Ok(bits) => bits,
            Err(problem) => return fail(problem.to_owned()),
        }
    } else {
        let Some(bits) = decimal(part.text) else {
            return fail("is neither a mask like 255.255.255.0 nor a prefix length like 24".to_owned());
        };
        if !(1..=u32::from(longest_prefix(arg.client))).contains(&bits) {
            return fail(prefix_range(arg.client).to_owned());
        }
        bits
    };
    let bits = u8::try_from(bits).ok();
    match at_address {
        Some(other) if Some(other) != bits => {
            fail(format!("contradicts the prefix length /{other} at the address; remove one of them"))
        }
        _ => Ok(bits),
    }
}

fn longest_prefix(address: Option<IpAddr>) -> u8 {
    match address {
        Some(IpAddr::V4(_)) => 32,
        Some(IpAddr::V6(_)) | None => 128,
    }
}

fn prefix_range(address: Option<IpAddr>) -> &'static str {
    match address {
        Some(IpAddr::V4(_)) => "has a prefix length out of range; expected 1 to 32",
        Some(IpAddr::V6(_)) | None => "has a prefix length out of range; expected 1 to 128",
    }
}

fn check_client(text: &str, client: IpAddr, method: Method, written: &str) -> Checked<()> {
    let fail = |problem: String| Err(IpArgError::new(Field::Client, text, problem));
    if method != Method::Off {
        return fail(format!("is given, but the method is {written}; use none for a static address"));
    }
    if client.is_loopback() {
        return fail("is a loopback address; expected an address of this host on the network".to_owned());
    }
    Ok(())
}

/// Checks that the client is neither the network address nor the broadcast address (RFC 1122 3.2.1.3). Networks of one
/// or two addresses have neither (RFC 3021).
fn check_in_net(text: &str, client: IpAddr, prefix: u8) -> Checked<()> {
    let IpAddr::V4(address) = client else { return Ok(()) };
    let host_bits = 32u32.saturating_sub(u32::from(prefix));
    if host_bits < 2 {
        return Ok(());
    }
    let ones = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
    let net = Ipv4Addr::from_bits(address.to_bits() & !ones);
    let what = match address.to_bits() & ones {
        0 => "network",
        host if host == ones => "broadcast",
        _ => return Ok(()),
    };
    Err(IpArgError::new(
        Field::Client,
        text,
        format!("is the {what} address of {net}/{prefix}; expected a host address"),
    ))
}

/// Checks that peer and gateway have the client's address family.
fn check_family(arg: &IpArg, parts: &[Part<'_>]) -> Checked<()> {
    let Some(client) = arg.client else { return Ok(()) };
    for (field, at, address) in [(Field::Peer, 1, arg.peer), (Field::Gateway, 2, arg.gateway)] {
        let text = parts.get(at).copied().unwrap_or_default().text;
        if let Some(address) = address.filter(|address| address.is_ipv4() != client.is_ipv4()) {
            let family = |address: IpAddr| if address.is_ipv4() { "IPv4" } else { "IPv6" };
            let (one, other) = (family(address), family(client));
            let problem =
                format!("is {one}, but the client address is {other}; both must be of one IP version");
            return Err(IpArgError::new(field, text, problem));
        }
    }
    if let (Some(gateway), Some(prefix)) = (arg.gateway, arg.prefix) {
        let same_net = network(client, prefix) == network(gateway, prefix);
        if let (true, IpAddr::V4(gateway_v4)) = (same_net, gateway) {
            let text = parts.get(2).copied().unwrap_or_default().text;
            check_in_net(text, IpAddr::V4(gateway_v4), prefix)
                .map_err(|error| IpArgError { field: Field::Gateway, ..error })?;
        }
    }
    Ok(())
}

fn host(part: Part<'_>) -> Checked<Option<String>> {
    if part.text.is_empty() {
        return Ok(None);
    }
    // An address here means that a field is missing or too much before it. It would be a valid but useless name.
    if part.is_address() {
        return Err(IpArgError::new(
            Field::Hostname,
            part.text,
            "is an address; expected a name in the fifth field",
        ));
    }
    match hostname::given(part.text) {
        // The name is stored as written. The code that names the node adapts it.
        Ok(_) | Err(NameError::Placeholder) => Ok(Some(part.text.to_owned())),
        Err(problem @ NameError::Character(_)) => {
            Err(IpArgError::new(Field::Hostname, part.text, problem.to_string()))
        }
        Err(problem) => {
            let problem = format!("{problem}; expected a name like node1");
            Err(IpArgError::new(Field::Hostname, part.text, problem))
        }
    }
}

fn interface(part: Part<'_>) -> Checked<Option<String>> {
    let name = part.text;
    if name.is_empty() && !part.bracketed {
        return Ok(None);
    }
    if Method::from_name(name).is_some() {
        let problem = "is a method, not an interface; a field before it is missing";
        return Err(IpArgError::new(Field::Interface, name, problem));
    }
    let checked = if part.bracketed { Err(IfaceError::Address) } else { iface::check(name) };
    match checked {
        Ok(()) => Ok(Some(name.to_owned())),
        Err(problem) => Err(IpArgError::new(Field::Interface, name, problem.to_string())),
    }
}

/// The fields after the method in the long form: name and time servers if the first one looks like an address, else MTU
/// and MAC address.
fn tail(text: &str, arg: &mut IpArg, parts: &[Part<'_>]) -> Checked<()> {
    let servers = parts.iter().find(|part| !part.text.is_empty() || part.bracketed);
    if !servers.is_some_and(|part| part.looks_like_address()) {
        return hardware(arg, parts);
    }
    for (at, part) in parts.iter().enumerate() {
        match at {
            0 | 1 => arg.dns.extend(address(Field::Dns, *part)?),
            2 => arg.ntp.extend(address(Field::Ntp, *part)?),
            _ if part.text.is_empty() => {}
            _ => {
                let problem = format!("has {:?} after the time server; expected the end", part.text);
                return Err(IpArgError::new(Field::Whole, text, problem));
            }
        }
    }
    Ok(())
}

/// `[<mtu>][:<mac>]`, with the MAC address in one field (`-`) or in six (`:`).
fn hardware(arg: &mut IpArg, parts: &[Part<'_>]) -> Checked<()> {
    let Some((mtu, mac)) = parts.split_first() else { return Ok(()) };
    if !mtu.text.is_empty() || mtu.bracketed {
        let bytes =
            net_arg::mtu(mtu.text).map_err(|problem| IpArgError::new(Field::Mtu, mtu.text, problem))?;
        arg.mtu = Some(bytes);
    }
    if mac.iter().all(|part| part.text.is_empty() && !part.bracketed) {
        return Ok(());
    }
    let text = mac.iter().map(|part| part.text).collect::<Vec<_>>().join(":");
    arg.mac = Some(net_arg::mac(&text).map_err(|problem| IpArgError::new(Field::Mac, &text, problem))?);
    Ok(())
}
