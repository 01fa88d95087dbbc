//! VLANs, bonds and bridges: made when what is below them is there, and named interfaces renamed. Options of a bond are written to
//! /sys/class/net/BOND/bonding, as the kernel's Documentation/networking/bonding.rst has them.

use std::collections::BTreeSet;

use dayfly_formats::bond::PORT_OPTIONS;
use dayfly_formats::mac::Mac;
use dayfly_plan::network::{AddressSource, Kind, Link as Wanted, Network};
use dayfly_sys::{Link, LinkChange, NewLink, NewLinkKind, SysError, own};

use super::{apply, load};
use crate::context::Context;
use crate::events::Level;

/// What was made so far, and what could not be.
#[derive(Default)]
pub struct VirtualLinks {
    /// By the names of the links.
    failed: BTreeSet<String>,
    /// Why, for the failure of the step.
    reasons: Vec<String>,
    /// Interfaces that were renamed, by index: each once, so that two names for one interface cannot replace each other without end.
    renamed: BTreeSet<u32>,
}

impl VirtualLinks {
    /// Gives interfaces their names (`ifname=`). True where one was renamed.
    pub fn rename(&mut self, cx: &Context, wanted: &Network, links: &[Link]) -> bool {
        let mut renamed = false;
        for name in &wanted.names {
            let owner = |link: &&Link| link.permanent_mac.or(link.mac).map(Mac) == Some(name.mac);
            let Some(link) = links.iter().find(|link| super::is_ethernet(&link.kind) && owner(link)) else {
                continue;
            };
            if link.name == name.name || self.failed.contains(&name.name) || !self.renamed.insert(link.index)
            {
                continue;
            }
            // Another interface may have this name, as the kernel counts them.
            if let Some(other) = links.iter().find(|other| other.name == name.name) {
                let free = LinkChange::Name(format!("rename{}", other.index));
                if let Err(error) = cx.sys.change_link(other.index, &free) {
                    self.fails(cx, &name.name, &error);
                    continue;
                }
            }
            let to = LinkChange::Name(name.name.clone());
            match cx.sys.change_link(link.index, &to) {
                Ok(()) => {
                    cx.note(Level::Info, format!("{} is named {}", link.name, name.name));
                    renamed = true;
                }
                Err(error) => self.fails(cx, &name.name, &error),
            }
        }
        renamed
    }

    /// Creates the next link that can be created by now, or adds ports to one. True if something was changed.
    /// `links` are all interfaces, `ready` those that may be used by now.
    pub fn create(&mut self, cx: &Context, wanted: &Network, links: &[Link], ready: &[Link]) -> bool {
        for link in wanted.made() {
            if self.failed.contains(&link.name) {
                continue;
            }
            let there = links.iter().find(|one| one.name == link.name);
            let result = match &link.kind {
                Kind::Physical => Ok(false),
                Kind::Vlan { id, parent } => match ready.iter().find(|one| one.name == *parent) {
                    Some(parent) if there.is_none() => vlan(cx, wanted, link, parent, *id).map(|()| true),
                    _ => Ok(false),
                },
                Kind::Bond { ports, options } => bond(cx, link, there, ready, ports, options),
                Kind::Bridge { ports } => bridge(cx, link, there, ready, ports),
            };
            match result {
                // What was listed is old now.
                Ok(true) => return true,
                Ok(false) => {}
                Err(error) => self.fails(cx, &link.name, &error),
            }
        }
        false
    }

    /// What could not be made, and what is not there to make it of.
    pub fn problems(&self, wanted: &Network, links: &[Link]) -> Vec<String> {
        let is_there = |name: &String| links.iter().any(|link| link.name == *name);
        let lacking = wanted.made().filter_map(|link| {
            let lacks: Vec<&str> =
                link.kind.below().iter().filter(|name| !is_there(name)).map(String::as_str).collect();
            (!lacks.is_empty()).then(|| format!("{}: there is no {}", link.name, lacks.join(" and no ")))
        });
        let index = |name: &str| links.iter().find(|link| link.name == name).map(|link| link.index);
        let taken = wanted.made().flat_map(|made| {
            let own = index(&made.name);
            let is_taken = move |port: &&Link| {
                made.kind.ports().contains(&port.name) && port.port_of.is_some() && port.port_of != own
            };
            let ports = links.iter().filter(is_taken);
            ports.map(|port| format!("{}: {} is a port of another link", made.name, port.name))
        });
        self.reasons.iter().cloned().chain(lacking).chain(taken).collect()
    }

    fn fails(&mut self, cx: &Context, name: &str, error: &SysError) {
        self.failed.insert(name.to_owned());
        let reason = format!("{name}: {error}");
        cx.note(Level::Warning, reason.clone());
        self.reasons.push(reason);
    }
}

/// Whether no `ifname=` gives the name of this interface to another one.
pub fn has_own_name(wanted: &Network, link: &Link) -> bool {
    let mac = link.permanent_mac.or(link.mac).map(Mac);
    wanted.names.iter().all(|name| name.name != link.name || Some(name.mac) == mac)
}

fn vlan(cx: &Context, wanted: &Network, link: &Wanted, parent: &Link, id: u16) -> Result<(), SysError> {
    load(cx, "8021q");
    let parents = wanted.config(&parent.name);
    if !parents.is_some_and(|config| config.addresses.iter().any(AddressSource::is_autoconf)) {
        // The kernel would set an address of the network without a VLAN.
        let path = own(format!("/proc/sys/net/ipv6/conf/{}/accept_ra", parent.name));
        if let Err(error) = cx.sys.write(&path, b"0", 0o644) {
            cx.note(Level::Debug, error.to_string());
        }
    }
    let mut mtu = wanted_mtu(link);
    if let Some(larger) = mtu.filter(|mtu| *mtu > parent.mtu) {
        // The kernel creates no VLAN with a larger MTU than that of the interface below it.
        let say = |level, text| cx.note(level, format!("{}: {text}", parent.name));
        let least = link.config.as_ref().map_or(0, apply::least_mtu);
        apply::set_mtu(&*cx.sys, parent, larger, least, &say)?;
        mtu = mtu.filter(|mtu| parent.nearest_mtu(*mtu) == *mtu);
    }
    set_up(cx, parent)?;
    create(cx, link, NewLinkKind::Vlan { parent: parent.index, id }, wanted_mac(link), mtu).map(drop)
}

/// Creates a bond, and adds the ports that are there. True if it was changed.
fn bond(
    cx: &Context,
    link: &Wanted,
    there: Option<&Link>,
    links: &[Link],
    ports: &[String],
    options: &[(String, String)],
) -> Result<bool, SysError> {
    let has_ports = |index: u32| links.iter().any(|link| link.port_of == Some(index));
    let (index, is_new) = match there {
        // One without ports came with the driver, or from elsewhere: it has other options.
        Some(there) if has_ports(there.index) || ports.iter().all(|port| !is_there(links, port)) => {
            (there.index, false)
        }
        _ => (new_bond(cx, link, options)?, true),
    };
    let added = add_ports(cx, index, ports, links)?;
    // The port must be there before.
    let of_ports = options.iter().filter(|(name, _)| PORT_OPTIONS.contains(&name.as_str()));
    for (name, port) in of_ports.filter(|(_, port)| added.contains(&port.as_str())) {
        set_option(cx, &link.name, name, port)?;
    }
    Ok(is_new || !added.is_empty())
}

fn is_there(links: &[Link], name: &str) -> bool {
    links.iter().any(|link| link.name == name && link.port_of.is_none())
}

/// A bond with its options, without ports.
fn new_bond(cx: &Context, link: &Wanted, options: &[(String, String)]) -> Result<u32, SysError> {
    load(cx, "bonding");
    // The driver creates a bond0 when it is loaded, unless its parameter max_bonds is 0.
    let index = match cx.sys.links()?.iter().find(|one| one.name == link.name) {
        Some(there) => there.index,
        None => create(cx, link, NewLinkKind::Bond, wanted_mac(link), wanted_mtu(link))?,
    };
    // The driver accepts most of the others for some modes only.
    let is_mode = |(name, _): &&(String, String)| name == "mode";
    let (mode, others): (Vec<_>, Vec<_>) = options.iter().partition(is_mode);
    for (name, value) in mode.into_iter().chain(others) {
        if PORT_OPTIONS.contains(&name.as_str()) {
            continue;
        }
        if let Err(error) = set_option(cx, &link.name, name, value) {
            // Without this option, it would be another bond than the one that was asked for.
            cx.sys.remove_link(index)?;
            return Err(error);
        }
    }
    Ok(index)
}

/// Creates a bridge when its first port is there, and adds the ports. True if it was changed.
fn bridge(
    cx: &Context,
    link: &Wanted,
    there: Option<&Link>,
    links: &[Link],
    ports: &[String],
) -> Result<bool, SysError> {
    let Some(first) = ports.iter().find_map(|port| links.iter().find(|one| one.name == *port)) else {
        return Ok(false);
    };
    let index = if let Some(there) = there {
        there.index
    } else {
        load(cx, "bridge");
        // udev gives another address to a bridge whose address is random, and then the DHCP server another lease.
        let mac = wanted_mac(link).or(first.permanent_mac).or(first.mac);
        create(cx, link, NewLinkKind::Bridge, mac, wanted_mtu(link))?
    };
    let added = add_ports(cx, index, ports, links)?;
    Ok(there.is_none() || !added.is_empty())
}

fn wanted_mtu(link: &Wanted) -> Option<u32> {
    link.config.as_ref().and_then(|config| config.mtu)
}

fn wanted_mac(link: &Wanted) -> Option<[u8; 6]> {
    link.config.as_ref().and_then(|config| config.mac).map(|mac| mac.0)
}

fn create(
    cx: &Context,
    link: &Wanted,
    kind: NewLinkKind,
    mac: Option<[u8; 6]>,
    mtu: Option<u32>,
) -> Result<u32, SysError> {
    let index = cx.sys.create_link(&NewLink { name: link.name.clone(), kind, mac, mtu })?;
    cx.note(Level::Info, format!("created {}{}", link.name, link.kind));
    Ok(index)
}

fn set_option(cx: &Context, bond: &str, name: &str, value: &str) -> Result<(), SysError> {
    let path = format!("/sys/class/net/{bond}/bonding/{name}");
    // The values of a list are written one by one, each with a sign.
    let is_list = matches!(name, "arp_ip_target" | "ns_ip6_target");
    let values: Vec<String> = if is_list {
        value.split(',').map(|one| format!("+{one}")).collect()
    } else {
        vec![value.to_owned()]
    };
    values.iter().try_for_each(|value| cx.sys.write(&own(&path), value.as_bytes(), 0o644))
}

/// Adds the ports that are there and that it does not have yet. Returns their names.
fn add_ports<'a>(
    cx: &Context,
    index: u32,
    ports: &[String],
    links: &'a [Link],
) -> Result<Vec<&'a str>, SysError> {
    let mut added = Vec::new();
    for port in links.iter().filter(|link| ports.contains(&link.name) && link.port_of.is_none()) {
        cx.sys.change_link(port.index, &LinkChange::Flush(None))?;
        // A bond takes no port that is up.
        cx.sys.change_link(port.index, &LinkChange::Down)?;
        cx.sys.change_link(port.index, &LinkChange::Port(Some(index)))?;
        cx.sys.change_link(port.index, &LinkChange::Up)?;
        added.push(port.name.as_str());
    }
    Ok(added)
}

fn set_up(cx: &Context, link: &Link) -> Result<(), SysError> {
    if link.up { Ok(()) } else { cx.sys.change_link(link.index, &LinkChange::Up) }
}
