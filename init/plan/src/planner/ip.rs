//! Notes of the plan about `ip=` parameters.

use dayfly_formats::hostname;
use dayfly_formats::ip::{IpArg, Method};

/// Lists what Dayfly does differently from the parameters. Their host names only count if no setting gives one.
pub(super) fn notes(words: &[IpArg], is_named: bool) -> Vec<String> {
    let mut notes = Vec::new();
    for (position, ip) in words.iter().enumerate() {
        let before = words.get(..position).unwrap_or_default();
        // Report identical parameters only once.
        if before.contains(ip) {
            continue;
        }
        if let Some(first) = before.iter().find(|first| first.iface == ip.iface) {
            notes.push(format!("ip={ip}: {}.", second(ip, first)));
            continue;
        }
        let name = if is_named { None } else { other_name(ip) };
        notes.extend(not_done(ip).into_iter().chain(name).map(|what| format!("ip={ip}: {what}.")));
    }
    notes
}

/// The first parameter for an interface configures it.
fn second(ip: &IpArg, first: &IpArg) -> String {
    let interface = ip.iface.as_deref().unwrap_or("every interface");
    format!("it is not used, because ip={first} comes first and is also for {interface}; remove one of them")
}

/// The parts of an `ip=` parameter that Dayfly parses but does not carry out, with an alternative for each.
fn not_done(ip: &IpArg) -> Vec<String> {
    let mut list = Vec::new();
    if !matches!(ip.method, Method::Dhcp | Method::SingleDhcp | Method::Off) {
        let instead = "use dhcp, or a static IPv6 address in brackets";
        list.push(format!("the method {} is not supported yet, DHCPv4 is used; {instead}", ip.method));
    }
    if let Some(mac) = ip.mac {
        let instead = "let the OS set it (MACAddress= in a .link file), and remove it here";
        list.push(format!("the MAC address {mac} is not set, the interface keeps its own; {instead}"));
    }
    if let Some(peer) = ip.peer {
        let instead = "use a prefix that contains both addresses, or give the peer as the gateway";
        list.push(format!("the peer {peer} is not used; {instead}"));
    }
    for server in &ip.ntp {
        let instead = "let the OS use it (NTP= in a file below /etc/systemd/timesyncd.conf.d)";
        list.push(format!("the time server {server} is not used; {instead}"));
    }
    list
}

/// What happens to an invalid host name in an `ip=` parameter.
fn other_name(ip: &IpArg) -> Option<String> {
    let name = ip.hostname.as_ref()?;
    match hostname::given(name) {
        Ok(given) => given.change.map(|change| format!("host name \"{name}\" {change}")),
        Err(reason) => Some(format!("host name \"{name}\" {reason}; it is not used")),
    }
}
