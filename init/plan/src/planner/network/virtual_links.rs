//! VLANs, bonds and bridges among the links that are wanted.

use dayfly_formats::mac::Mac;

use crate::network::{Config, Kind, Link};
use crate::settings::wanted::NetworkSettings;

/// Adds them to the links that `ip=` names, and notes what of it is impossible. One that no `ip=` names is configured as every other
/// interface is, unless another link is made of it.
pub(super) fn add(
    links: &mut Vec<Link>,
    wanted: &NetworkSettings,
    others: Option<&Config>,
    notes: &mut Vec<String>,
) {
    let mut made: Vec<Made> = Vec::new();
    let mut refuse =
        |made: Made, why: String| notes.push(format!("{}: {why}; it is not created.", made.parameter));
    for new in all(wanted) {
        if made.iter().any(|one| one.name == new.name) {
            let why = format!("another parameter creates {} already", new.name);
            refuse(new, why);
        } else if let Some(port) = shared_port(&made, &new) {
            let why = format!("{port} is a port of another link already");
            refuse(new, why);
        } else if leads_to(&made, &new, &new.name) {
            let why = format!("{} would be made of itself", new.name);
            refuse(new, why);
        } else {
            made.push(new);
        }
    }
    notes.extend(made.iter().filter_map(|one| unknown_parent(&made, one)));
    for port in made.iter().flat_map(|one| one.kind.ports()) {
        if let Some(at) = links.iter().position(|link| link.name == *port && link.config.is_some()) {
            links.remove(at);
            notes.push(format!(
                "ip= names {port}, which is a port of a bond or bridge and can have no address; name the bond or bridge."
            ));
        }
    }
    let is_below = |name: &str| made.iter().any(|one| one.kind.below().iter().any(|below| below == name));
    let mut more = Vec::new();
    for one in &made {
        let config = if let Some(link) = links.iter_mut().find(|link| link.name == one.name) {
            link.kind = one.kind.clone();
            link.config.as_mut()
        } else {
            let others = others.filter(|config| !is_below(&one.name) && config.static_address().is_none());
            let config = others.cloned().unwrap_or_default();
            if config.addresses.is_empty() && !is_below(&one.name) {
                notes.push(format!("{}: no ip= names {}, so it has no address.", one.parameter, one.name));
            }
            more.push(Link { name: one.name.clone(), kind: one.kind.clone(), config: Some(config) });
            more.last_mut().and_then(|link| link.config.as_mut())
        };
        if let Some(config) = config {
            config.mtu = config.mtu.or(one.mtu);
            config.mac = config.mac.or(one.mac);
        }
    }
    links.extend(more);
}

/// One that is to be made.
struct Made {
    name: String,
    kind: Kind,
    /// As it is written, for a note.
    parameter: String,
    /// What its own parameter says; that of `ip=` comes first.
    mtu: Option<u32>,
    mac: Option<Mac>,
}

/// All of them, those below first.
fn all(wanted: &NetworkSettings) -> Vec<Made> {
    let bonds = wanted.bond.iter().map(|arg| Made {
        name: arg.value.name.clone(),
        kind: Kind::Bond { ports: arg.value.ports.clone(), options: arg.value.options.clone() },
        parameter: format!("bond={}", arg.value),
        mtu: arg.value.mtu,
        mac: arg.value.mac,
    });
    let vlans = wanted.vlan.iter().map(|arg| Made {
        name: arg.value.name.clone(),
        kind: Kind::Vlan { id: arg.value.id, parent: arg.value.parent.clone() },
        parameter: format!("vlan={}", arg.value),
        mtu: None,
        mac: None,
    });
    let bridges = wanted.bridge.iter().map(|arg| Made {
        name: arg.value.name.clone(),
        kind: Kind::Bridge { ports: arg.value.ports.clone() },
        parameter: format!("bridge={}", arg.value),
        mtu: None,
        mac: None,
    });
    bonds.chain(vlans).chain(bridges).collect()
}

/// A note, if a VLAN is made of a link whose name is usual for a bond, a bridge, a team or a VLAN, but no parameter creates it.
fn unknown_parent(made: &[Made], new: &Made) -> Option<String> {
    let Kind::Vlan { parent, .. } = &new.kind else { return None };
    let is_virtual = ["bond", "br", "team", "vlan"].into_iter().any(|kind| {
        parent.strip_prefix(kind).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    (is_virtual && made.iter().all(|one| one.name != *parent)).then(|| {
        format!(
            "{} is made of {parent}, which no parameter creates: it must be an interface of the machine.",
            new.name
        )
    })
}

/// A port of this one that is a port of another one.
fn shared_port<'a>(made: &[Made], new: &'a Made) -> Option<&'a String> {
    let is_taken = |port: &&String| made.iter().any(|one| one.kind.ports().contains(port));
    new.kind.ports().iter().find(is_taken)
}

/// Whether `from` is made, directly or not, of the link `name`.
fn leads_to(made: &[Made], from: &Made, name: &str) -> bool {
    from.kind
        .below()
        .iter()
        .any(|below| below == name || made.iter().any(|one| one.name == *below && leads_to(made, one, name)))
}
