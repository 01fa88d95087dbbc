//! What the plan says of `ip=` words.

use dayfly_wire::hostname;
use dayfly_wire::ip::{IpArg, Method};

/// What is not as the word says; its name counts where no setting gives one.
pub(super) fn notes(ip: &IpArg, is_named: bool) -> Vec<String> {
    let name = if is_named { None } else { other_name(ip) };
    unsupported(ip).into_iter().chain(name).map(|what| format!("ip={ip}: {what}.")).collect()
}

/// What is understood of an `ip=` word but not done.
fn unsupported(ip: &IpArg) -> Option<String> {
    let method = match ip.method {
        Method::Dhcp | Method::SingleDhcp | Method::Off => None,
        other => Some(format!("{other} is not supported yet, DHCPv4 is used")),
    };
    method
        .or_else(|| ip.mac.map(|mac| format!("the MAC address {mac} is not set")))
        .or_else(|| ip.peer.map(|peer| format!("the peer {peer} is not used")))
}

/// What becomes of a name in an `ip=` word that a node cannot have.
fn other_name(ip: &IpArg) -> Option<String> {
    let name = ip.hostname.as_ref()?;
    match hostname::given(name) {
        Ok(given) => given.change.map(|change| format!("host name \"{name}\" {change}")),
        Err(reason) => Some(format!("host name \"{name}\" {reason}; it is not used")),
    }
}
