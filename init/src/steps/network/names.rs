//! Finds interfaces by the names that the OS gives them. The kernel names them `eth0`, `eth1` … in the order in which
//! drivers find them. Boot entries use the names of the OS, such as `enp0s3`.

use std::collections::BTreeMap;

use dayfly_formats::mac::Mac;
use dayfly_formats::net_id;
use dayfly_plan::network::Network;
use dayfly_sys::{Files, Link, Result, Sys, own};

use super::is_ethernet;
use crate::context::Context;
use crate::events::Level;

const CLASS: &str = "/sys/class/net";
const SLOTS: &str = "/sys/bus/pci/slots";

/// The names that systemd may give to an interface, the most likely first. Empty if sysfs lacks the attributes they are
/// made from.
pub fn of(sys: &dyn Files, interface: &str) -> Vec<String> {
    let Ok(device) = sys.resolve(&own(CLASS).join(interface)) else {
        return Vec::new();
    };
    let read = |path: &str| sys.read(&own(path)).ok();
    // A machine without hotplug slots has no such folder.
    let slots = sys.list(&own(SLOTS)).unwrap_or_default().into_iter().filter_map(|slot| {
        let address = read(&format!("{SLOTS}/{}/address", slot.name))?;
        Some((slot.name, String::from_utf8_lossy(&address).trim().to_owned()))
    });
    let names = net_id::names(&device.to_string(), &read, &slots.collect::<Vec<_>>());
    names.all().into_iter().map(str::to_owned).collect()
}

/// The kernel's name of the interface that has this name, in the kernel or in the OS; `None` if there is no such interface.
pub fn current(sys: &dyn Sys, name: &str) -> Result<Option<String>> {
    let links = sys.links()?;
    let has_name = |link: &&Link| link.name == name || link.other_names.iter().any(|other| other == name);
    let by_kernel = links.iter().find(has_name);
    let found =
        by_kernel.or_else(|| links.iter().find(|link| of(sys, &link.name).iter().any(|own| own == name)));
    Ok(found.map(|link| link.name.clone()))
}

/// A cache of the names by interface. Most boots name no interface and never fill it.
#[derive(Default)]
pub struct Names {
    known: BTreeMap<u32, Vec<String>>,
    told: Vec<String>,
}

impl Names {
    fn of(&mut self, cx: &Context, link: &Link) -> &[String] {
        self.known.entry(link.index).or_insert_with(|| {
            let mut names = of(&*cx.sys, &link.name);
            names.extend(link.other_names.iter().cloned());
            names
        })
    }

    /// Replaces the names of interfaces by the kernel's current names.
    pub fn translate(&mut self, cx: &Context, network: &Network, links: &[Link]) -> Network {
        let mut network = network.clone();
        for iface in network.interfaces_mut() {
            if links.iter().any(|link| link.name == *iface) {
                continue;
            }
            if let Some(link) = links.iter().find(|link| self.of(cx, link).contains(iface)) {
                if !self.told.contains(iface) {
                    cx.note(Level::Info, format!("{iface} is the interface {}", link.name));
                    self.told.push(iface.clone());
                }
                iface.clone_from(&link.name);
            }
        }
        network
    }

    /// The error message if a parameter names an interface that does not exist, with the existing interfaces; `None` if
    /// all exist.
    pub fn missing(&mut self, cx: &Context, network: &Network, links: &[Link]) -> Option<String> {
        let mut network = self.translate(cx, network, links);
        let mut missing: Vec<String> = Vec::new();
        for name in network.interfaces_mut() {
            if links.iter().all(|link| link.name != *name) && !missing.contains(name) {
                missing.push(name.clone());
            }
        }
        if missing.is_empty() {
            return None;
        }
        let there: Vec<String> = links
            .iter()
            .filter(|link| is_ethernet(&link.kind))
            .map(|link| {
                let name = self.of(cx, link).first().map_or_else(String::new, |name| format!(" is {name}"));
                let mac = link.mac.map_or_else(String::new, |mac| format!(" ({})", Mac(mac)));
                format!("{}{name}{mac}", link.name)
            })
            .collect();
        let there =
            if there.is_empty() { "there is no network interface".to_owned() } else { there.join(", ") };
        Some(format!(
            "the parameters name {}, which this machine does not have: {there}",
            missing.join(" and ")
        ))
    }
}
