//! Compiles the parameters and settings into the wanted network.

use std::net::IpAddr;

use dayfly_formats::hostname;
use dayfly_formats::ip::{IpArg, Method};

use super::{conflicts, impossible, limits, link_local, virtual_links};
use crate::network::{
    AddressSource, Config, Kind, Limits, Link, Network, Preferred, Ready, Route, StaticAddress,
};
use crate::planner::values;
use crate::settings::value::HostName;
use crate::settings::{Gathered, ImageSource};
use crate::{Discovered, Way};

/// The network, and notes on what is not carried out as written.
pub(super) fn network(settings: &Gathered, discovered: &Discovered) -> (Network, Vec<String>) {
    let wanted = &settings.network;
    let words = values(&wanted.ip);
    let mut notes = notes(&words, settings.hostname.is_some());
    let mut unnamed = words.iter().filter(|word| word.iface.is_none());
    let mut others = match unnamed.next() {
        Some(word) => unnamed.fold(config(word), |mut config, word| {
            join(&mut config, word);
            config
        }),
        None => words.is_empty().then(Config::automatic),
    };
    let mut links: Vec<Link> = Vec::new();
    for word in &words {
        let Some(name) = &word.iface else { continue };
        match links.iter_mut().find(|link| link.name == *name) {
            None => links.push(Link { name: name.clone(), kind: Kind::Physical, config: config(word) }),
            Some(link) => join(&mut link.config, word),
        }
    }
    notes.extend(missing_links(&links, wanted));
    virtual_links::add(&mut links, wanted, others.as_ref(), &mut notes);
    let ready = ready(settings, discovered);
    notes.extend(link_local::add(&mut links, others.as_ref(), &ready));
    let (names, more) = conflicts::names(&values(&wanted.ifname));
    notes.extend(more);
    let routes = wanted.route.iter().map(|route| {
        notes.extend(route.value.note().map(|note| format!("rd.route={}: {note}.", route.value)));
        Route {
            destination: route.value.destination,
            prefix: route.value.prefix,
            gateway: route.value.gateway,
            interface: route.value.iface.clone(),
        }
    });
    let routes = routes.collect();
    let bootif = wanted.bootif.as_ref().filter(|_| wanted.uses_bootif.value);
    let limits = limits::limits(wanted);
    let configs = links.iter_mut().filter_map(|link| link.config.as_mut()).chain(&mut others);
    configs.for_each(|config| config.limits = limits);
    let network = Network {
        names,
        links,
        others,
        preferred: match (&wanted.bootdev, bootif) {
            (Some(name), _) => Some(Preferred::Name(name.value.clone())),
            (None, Some(mac)) => Some(Preferred::Mac(mac.value)),
            (None, None) => None,
        },
        routes,
        dns: values(&wanted.dns),
        ntp: values(&wanted.ntp),
        peer_dns: wanted.peerdns.value,
        ready,
        hostname: settings.hostname.as_ref().map(|name| name.value.clone()),
        uuid: discovered.machine.uuid.as_deref().and_then(bytes),
        vendor_class: wanted.dhcp_vendor_class.as_ref().map(|class| class.value.clone()),
        needs_ipv4: limits::needs_ipv4(settings),
        link_wait: wanted.link_timeout.as_ref().map(|time| time.value),
    };
    notes.extend(impossible::note(&network));
    notes.extend(conflicts::addresses(&network));
    for (arg, route) in wanted.route.iter().zip(&network.routes) {
        let why = conflicts::unreachable(&network, route);
        notes.extend(why.map(|why| format!("rd.route={}: {why}.", arg.value)));
    }
    (network, notes)
}

/// Notes on interfaces that look like VLANs, bonds or bridges, and that no parameter creates.
fn missing_links(links: &[Link], wanted: &crate::settings::wanted::NetworkSettings) -> Vec<String> {
    let created = |name: &str| {
        wanted.vlan.iter().any(|arg| arg.value.name == name)
            || wanted.bond.iter().any(|arg| arg.value.name == name)
            || wanted.bridge.iter().any(|arg| arg.value.name == name)
            || wanted.ifname.iter().any(|arg| arg.value.name == name)
    };
    let missing = links.iter().filter(|link| link.config.is_some() && !created(&link.name));
    let note = |link: &Link| {
        let name = &link.name;
        let is_numbered = |kind: &str| {
            name.strip_prefix(kind)
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let parameter = if is_numbered("bond") {
            format!("bond={name}:PORT,PORT")
        } else if is_numbered("br") {
            format!("bridge={name}:PORT")
        } else if is_numbered("vlan") {
            format!("vlan={name}:PARENT")
        } else {
            let (parent, id) = name.rsplit_once('.')?;
            id.parse::<u16>().ok()?;
            format!("vlan={name}:{parent}")
        };
        Some(format!(
            "ip= names {name}, which no parameter creates; add {parameter}, unless the machine has an interface of this name."
        ))
    };
    missing.filter_map(note).collect()
}

/// The network is ready when the first server that the boot needs answers. An image that settings from that server name comes
/// later, so it does not count.
fn ready(settings: &Gathered, discovered: &Discovered) -> Ready {
    let image = settings.image.as_ref().filter(|_| discovered.way != Way::Root);
    let image = image.and_then(|image| match &image.value {
        ImageSource::Url(url) => Some(url.server()),
        _ => None,
    });
    let file = settings.settings_url.as_ref().map(|template| template.value.server());
    file.or(image).map_or(Ready::Address, Ready::Server)
}

/// The 16 bytes of a UUID in its usual form (RFC 9562 4).
fn bytes(uuid: &str) -> Option<[u8; 16]> {
    let digits: String = uuid.chars().filter(|c| *c != '-').collect();
    u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32).map(u128::to_be_bytes)
}

/// The configuration of one `ip=` parameter; `None` leaves the interface alone.
fn config(word: &IpArg) -> Option<Config> {
    let addresses = sources(word);
    if addresses.is_empty() {
        return None;
    }
    Some(Config {
        addresses,
        mac: word.mac,
        mtu: word.mtu,
        dns: word.dns.clone(),
        ntp: word.ntp.clone(),
        hostname: HostName::of_ip(word),
        limits: Limits::default(),
    })
}

fn sources(word: &IpArg) -> Vec<AddressSource> {
    use AddressSource::{Dhcp4, Dhcp6, LinkLocal, RouterAdvertisement, Static};
    match (word.client, word.method) {
        (Some(address), _) => {
            vec![Static(StaticAddress {
                address,
                prefix: word.prefix.unwrap_or(if address.is_ipv4() { 24 } else { 64 }),
                // In the kernel's own ip=, this field is the NFS server. Only an address without a network has a peer.
                peer: word.peer.filter(|_| word.prefix == Some(longest(address))),
                gateway: word.gateway,
            })]
        }
        (None, Method::Off) => Vec::new(),
        (None, Method::Dhcp | Method::SingleDhcp) => vec![Dhcp4],
        (None, Method::Dhcp6) => vec![Dhcp6],
        (None, Method::Auto6) => vec![RouterAdvertisement],
        (None, Method::Either6) => vec![RouterAdvertisement, Dhcp6],
        (None, Method::Link6 | Method::LinkLocal) => vec![LinkLocal],
        (None, Method::Auto) => vec![Dhcp4, RouterAdvertisement],
    }
}

/// The longest prefix of the address's IP version.
fn longest(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Adds the addresses of a second parameter for the same interface, if they are of the other IP version.
fn join(config: &mut Option<Config>, word: &IpArg) {
    let more = sources(word);
    if let Some(config) = config
        && are_apart(&config.addresses, &more)
    {
        config.addresses.extend(more);
        config.dns.extend(word.dns.iter().filter(|server| !config.dns.contains(server)).collect::<Vec<_>>());
        config.ntp.extend(word.ntp.iter().filter(|server| !config.ntp.contains(server)).collect::<Vec<_>>());
        config.mtu = config.mtu.or(word.mtu);
        config.mac = config.mac.or(word.mac);
    }
}

/// Whether all addresses of the first are of another IP version than all of the second.
fn are_apart(first: &[AddressSource], second: &[AddressSource]) -> bool {
    first.iter().all(|one| second.iter().all(|other| one.is_v6() != other.is_v6()))
}

/// Lists what Dayfly does differently from the parameters. Their host names only count if no setting gives one.
fn notes(words: &[IpArg], is_named: bool) -> Vec<String> {
    let mut notes = Vec::new();
    for (position, ip) in words.iter().enumerate() {
        let before = words.get(..position).unwrap_or_default();
        // Report identical parameters only once.
        if before.contains(ip) {
            continue;
        }
        if let Some(first) = before.iter().find(|first| first.iface == ip.iface && !go_together(first, ip)) {
            notes.push(format!("ip={ip}: {}.", second(ip, first)));
            continue;
        }
        let name = if is_named { None } else { other_name(ip) };
        notes.extend(not_done(ip).into_iter().chain(name).map(|what| format!("ip={ip}: {what}.")));
    }
    notes
}

/// Whether one interface can have both: their addresses are of different IP versions.
fn go_together(first: &IpArg, second: &IpArg) -> bool {
    let (first, second) = (sources(first), sources(second));
    !first.is_empty() && !second.is_empty() && are_apart(&first, &second)
}

/// The first parameter for an interface configures it.
fn second(ip: &IpArg, first: &IpArg) -> String {
    let interface = ip.iface.as_deref().unwrap_or("every interface");
    format!("it is not used, because ip={first} comes first and is also for {interface}; remove one of them")
}

/// The part of an `ip=` parameter that Dayfly parses but does not carry out, with an alternative.
fn not_done(ip: &IpArg) -> Option<String> {
    let instead = "use ip=INTERFACE:dhcp, or a static address, for IPv4";
    if ip.method == Method::LinkLocal {
        return Some(format!("only the IPv6 link-local address is used; {instead}"));
    }
    let client = ip.client?;
    let peer = ip.peer.filter(|_| ip.prefix != Some(longest(client)))?;
    Some(format!(
        "{peer} in the field PEER is not used: a peer needs the prefix 32 (IPv6: 128), and the NFS server of the kernel's ip= is not \
         needed"
    ))
}

/// What happens to an invalid host name in an `ip=` parameter.
fn other_name(ip: &IpArg) -> Option<String> {
    let name = ip.hostname.as_ref()?;
    match hostname::given(name) {
        Ok(given) => given.change.map(|change| format!("host name \"{name}\" {change}")),
        Err(reason) => Some(format!("host name \"{name}\" {reason}; it is not used")),
    }
}
