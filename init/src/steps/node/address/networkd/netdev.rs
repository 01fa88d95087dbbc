//! The files of the links that the boot created, and of those that they are made of: systemd.netdev(5) and systemd.network(5).

use dayfly_formats::mac::Mac;
use dayfly_plan::network::{Kind, Link as Wanted};
use dayfly_sys::Link;

use super::super::observed::{Lines, vlans};
use super::text::{created, permanent, physical};
use crate::NetworkUp;
use crate::os::WRITTEN;

/// The files that describe the links that the boot created, and those that they are made of: name and text. networkd takes over a
/// link that is there already, if it has the kind of its file.
pub(super) fn virtual_links(network: &NetworkUp, links: &[Link]) -> Vec<(String, String)> {
    let has_address = |name: &str| network.addresses().any(|up| up.iface == name);
    let mut files = Vec::new();
    let mut done: Vec<&str> = Vec::new();
    for made in &network.made {
        let mac = links.iter().find(|link| link.name == made.name).and_then(|link| link.mac).map(Mac);
        files.push((format!("00-dayfly-{}.netdev", made.name), netdev_file(made, mac)));
        let below = made.kind.below().iter().map(String::as_str);
        for name in std::iter::once(made.name.as_str()).chain(below) {
            if has_address(name) || done.contains(&name) {
                continue;
            }
            done.push(name);
            if let Some(matches) = matches(network, links, name) {
                files.push((format!("00-dayfly-{name}.network"), member_file(network, name, &matches)));
            }
        }
    }
    files
}

/// The `[Match]` sections of the physical interfaces that the network uses, each with its MAC address.
pub(super) fn in_use(network: &NetworkUp, links: &[Link]) -> Vec<(Mac, String)> {
    let is_made = |name: &str| network.made.iter().any(|link| link.name == name);
    let with_address = network.addresses().filter(|up| !is_made(&up.iface));
    let mut found: Vec<(Mac, String)> =
        with_address.filter_map(|up| up.mac.map(|mac| (mac, physical(mac)))).collect();
    for name in network.made.iter().flat_map(|link| link.kind.below()).filter(|name| !is_made(name)) {
        let mac = links.iter().find(|link| link.name == *name).and_then(|link| link.permanent_mac).map(Mac);
        found.extend(mac.map(|mac| (mac, permanent(mac))));
    }
    found.dedup();
    found
}

fn matches(network: &NetworkUp, links: &[Link], name: &str) -> Option<String> {
    if network.made.iter().any(|link| link.name == name) {
        return Some(created(name));
    }
    let link = links.iter().find(|link| link.name == name)?;
    link.permanent_mac.or(link.mac).map(|mac| permanent(Mac(mac)))
}

/// The `.network` file of a link without an address. networkd sets a port down before it makes it a port, also where it is one, so the
/// ports stay as they are.
fn member_file(network: &NetworkUp, name: &str, matches: &str) -> String {
    let is_port = network.made.iter().any(|made| made.kind.ports().iter().any(|port| port == name));
    if is_port {
        return format!("{WRITTEN}{matches}\n[Link]\nUnmanaged=yes\n");
    }
    let mut lines = Lines(format!("{WRITTEN}{matches}\n[Network]\nLinkLocalAddressing=no\n"));
    for vlan in vlans(network, name) {
        lines.put("VLAN", vlan);
    }
    lines.0
}

fn netdev_file(made: &Wanted, mac: Option<Mac>) -> String {
    let kind = match &made.kind {
        Kind::Vlan { .. } => "vlan",
        Kind::Bond { .. } => "bond",
        Kind::Bridge { .. } | Kind::Physical => "bridge",
    };
    let mut lines = Lines(format!("{WRITTEN}[NetDev]\nName={}\nKind={kind}\n", made.name));
    if let Some(mac) = mac {
        lines.put("MACAddress", mac);
    }
    if let Some(mtu) = made.config.as_ref().and_then(|config| config.mtu) {
        lines.put("MTUBytes", mtu);
    }
    match &made.kind {
        Kind::Vlan { id, .. } => lines.put("\n[VLAN]\nId", id),
        Kind::Bond { options, .. } if !options.is_empty() => {
            lines.0.push_str("\n[Bond]\n");
            for (name, value) in options {
                if let Some((key, unit)) = bond_option(name) {
                    lines.put(key, format!("{}{unit}", value.replace(',', " ")));
                }
            }
        }
        Kind::Physical | Kind::Bond { .. } | Kind::Bridge { .. } => {}
    }
    lines.0
}

/// The key of `[Bond]` for an option of the kernel's, and the unit of its value. Only a bond that networkd creates anew uses them.
fn bond_option(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "mode" => ("Mode", ""),
        "miimon" => ("MIIMonitorSec", "ms"),
        "updelay" => ("UpDelaySec", "ms"),
        "downdelay" => ("DownDelaySec", "ms"),
        "lacp_rate" => ("LACPTransmitRate", ""),
        "xmit_hash_policy" => ("TransmitHashPolicy", ""),
        "ad_select" => ("AdSelect", ""),
        "fail_over_mac" => ("FailOverMACPolicy", ""),
        "arp_interval" => ("ARPIntervalSec", "ms"),
        "arp_ip_target" => ("ARPIPTargets", ""),
        "arp_validate" => ("ARPValidate", ""),
        "min_links" => ("MinLinks", ""),
        "primary_reselect" => ("PrimaryReselectPolicy", ""),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{up, with_lease};
    use super::super::text::network_file;
    use super::*;
    use crate::samples::ethernet;
    use crate::{AddressOrigin, AddressUp};
    use dayfly_plan::network::Route;

    #[test]
    fn created_links_are_described_with_what_they_are_made_of() {
        let made = |name: &str, kind| Wanted { name: name.to_owned(), kind, config: None };
        let vlan = |id| Kind::Vlan { id, parent: "bond0".to_owned() };
        let ports = vec!["eth0".to_owned(), "eth1".to_owned()];
        let options = [("mode", "802.3ad"), ("miimon", "100"), ("all_slaves_active", "1")];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let base = with_lease(up("10.0.2.11", 24, None));
        let dns = [base.dns.clone(), vec!["10.6.0.1".parse().unwrap()]].concat();
        let first = AddressUp { iface: "vlan5".to_owned(), ..base.first.clone() };
        let other = AddressUp {
            iface: "vlan6".to_owned(),
            address: "10.6.0.2".parse().unwrap(),
            metric: 1025,
            sources: Vec::new(),
            given_dns: Vec::new(),
            origin: AddressOrigin::Static,
            dns: vec!["10.6.0.1".parse().unwrap()],
            ..base.first.clone()
        };
        let route = Route {
            destination: "10.7.0.0".parse().unwrap(),
            prefix: 16,
            gateway: Some("10.6.0.1".parse().unwrap()),
            interface: None,
        };
        let network = NetworkUp {
            first,
            others: vec![other],
            made: vec![
                made("bond0", Kind::Bond { ports, options }),
                made("vlan5", vlan(5)),
                made("vlan6", vlan(6)),
            ],
            routes: vec![("vlan6".to_owned(), route)],
            dns,
            ..base
        };
        let link = |index, name, own| Link {
            mac: Some([2, 0, 0, 0, 0, 1]),
            permanent_mac: Some([2, 0, 0, 0, 0, own]),
            ..ethernet(index, name)
        };
        let links = [link(2, "eth0", 1), link(3, "eth1", 2), link(4, "bond0", 1)];
        let files: Vec<(String, String)> = virtual_links(&network, &links)
            .into_iter()
            .map(|(name, text)| (name, text.strip_prefix(WRITTEN).unwrap().to_owned()))
            .collect();
        let expected = [
            (
                "00-dayfly-bond0.netdev",
                "[NetDev]\nName=bond0\nKind=bond\nMACAddress=02:00:00:00:00:01\n\n[Bond]\nMode=802.3ad\nMIIMonitorSec=100ms\n",
            ),
            (
                "00-dayfly-bond0.network",
                "[Match]\nName=bond0\n\n[Network]\nLinkLocalAddressing=no\nVLAN=vlan5\nVLAN=vlan6\n",
            ),
            (
                "00-dayfly-eth0.network",
                "[Match]\nPermanentMACAddress=02:00:00:00:00:01\nKind=!*\n\n[Link]\nUnmanaged=yes\n",
            ),
            (
                "00-dayfly-eth1.network",
                "[Match]\nPermanentMACAddress=02:00:00:00:00:02\nKind=!*\n\n[Link]\nUnmanaged=yes\n",
            ),
            ("00-dayfly-vlan5.netdev", "[NetDev]\nName=vlan5\nKind=vlan\n\n[VLAN]\nId=5\n"),
            ("00-dayfly-vlan6.netdev", "[NetDev]\nName=vlan6\nKind=vlan\n\n[VLAN]\nId=6\n"),
        ];
        assert_eq!(files, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
        let interfaces = network.interfaces();
        let (_, addresses) = &interfaces[1];
        assert_eq!(
            network_file(&network, "vlan6", addresses, &created("vlan6")),
            format!(
                "{WRITTEN}[Match]\nName=vlan6\n\n[Network]\nAddress=10.6.0.2/24\nKeepConfiguration=static\n\
                 ConfigureWithoutCarrier=yes\nDNS=10.6.0.1\n\n[Route]\nDestination=10.7.0.0/16\nGateway=10.6.0.1\nMetric=1024\n"
            )
        );
    }
}
