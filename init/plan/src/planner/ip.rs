//! What the plan says of `ip=` words.

use dayfly_formats::hostname;
use dayfly_formats::ip::{IpArg, Method};

/// What is not as the words say; their names count where no setting gives one.
pub(super) fn notes(words: &[IpArg], is_named: bool) -> Vec<String> {
    let mut notes = Vec::new();
    for (position, ip) in words.iter().enumerate() {
        let before = words.get(..position).unwrap_or_default();
        // The same word twice is one matter.
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

/// An interface is configured by the first word that is for it.
fn second(ip: &IpArg, first: &IpArg) -> String {
    let interface = ip.iface.as_deref().unwrap_or("every interface");
    format!(
        "it is not used, because ip={first} stands before it and is for {interface} as well; leave one of them out"
    )
}

/// What is understood of an `ip=` word but not done, and what does it.
fn not_done(ip: &IpArg) -> Vec<String> {
    let mut list = Vec::new();
    if !matches!(ip.method, Method::Dhcp | Method::SingleDhcp | Method::Off) {
        let instead = "write dhcp, or a static IPv6 address in brackets";
        list.push(format!("the method {} is not carried out yet, DHCPv4 is used; {instead}", ip.method));
    }
    if let Some(mac) = ip.mac {
        let instead = "have the OS set it (MACAddress= in a .link file), and leave it out here";
        list.push(format!("the MAC address {mac} is not set, the card keeps its own; {instead}"));
    }
    if let Some(peer) = ip.peer {
        let instead = "give the address the prefix that holds both ends, or name the peer as the gateway";
        list.push(format!("the peer {peer} is not used; {instead}"));
    }
    for server in &ip.ntp {
        let instead = "have the OS ask it (NTP= in a file below /etc/systemd/timesyncd.conf.d)";
        list.push(format!("the time server {server} is not asked; {instead}"));
    }
    list
}

/// What becomes of a name in an `ip=` word that a node cannot have.
fn other_name(ip: &IpArg) -> Option<String> {
    let name = ip.hostname.as_ref()?;
    match hostname::given(name) {
        Ok(given) => given.change.map(|change| format!("host name \"{name}\" {change}")),
        Err(reason) => Some(format!("host name \"{name}\" {reason}; it is not used")),
    }
}
