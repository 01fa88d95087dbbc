//! The texts of systemd-networkd's files: systemd.network(5), systemd.netdev(5), systemd.link(5).

use std::fmt::{Display, Write};
use std::net::IpAddr;

use dayfly_formats::mac::Mac;
use dayfly_plan::network::{AddressSource, Kind, Link as Wanted, Route, StaticAddress};
use dayfly_sys::Link;

use crate::os::WRITTEN;
use crate::steps::network::{METRIC, dhcp6};
use crate::{AddressOrigin, AddressUp, NetworkUp};

/// A `.link` file without a name, so that the interface keeps its current name. udev cannot rename it, because it is
/// up. udev 252 would report it as "renaming" for ever, and networkd would wait for the end of that. The predictable
/// names become alternative names, which `Name=` in `.network` files also matches.
pub(super) fn link_file(matches: &str) -> String {
    format!("{WRITTEN}{matches}\n[Link]\nAlternativeNamesPolicy=database onboard slot path\n")
}

/// The `[Match]` section of a physical interface by its current MAC address. Bridges, VLANs and the interfaces of containers may
/// have the same MAC address, but they have a kind.
pub(super) fn physical(mac: Mac) -> String {
    format!("[Match]\nMACAddress={mac}\nKind=!*\n")
}

/// The same by the MAC address that its driver gave it: a port of a bond has the bond's.
fn permanent(mac: Mac) -> String {
    format!("[Match]\nPermanentMACAddress={mac}\nKind=!*\n")
}

/// The same of a link that the boot created.
pub(super) fn created(name: &str) -> String {
    format!("[Match]\nName={name}\n")
}

/// Lines of a file.
struct Lines(String);

impl Lines {
    fn put(&mut self, key: &str, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{key}={value}");
    }
}

/// The `.network` file of an interface with addresses.
pub(super) fn network_file(
    network: &NetworkUp,
    iface: &str,
    addresses: &[&AddressUp],
    matches: &str,
) -> String {
    let mut lines = Lines(format!("{WRITTEN}{matches}"));
    let of = |wanted: fn(&AddressOrigin) -> bool| addresses.iter().copied().find(|up| wanted(&up.origin));
    let dhcp4 = of(|origin| matches!(origin, AddressOrigin::Dhcp4(_)));
    let dhcp6 = of(|origin| matches!(origin, AddressOrigin::Dhcp6(_)));
    let routers = of(|origin| matches!(origin, AddressOrigin::RouterAdvertisement));
    let fixed: Vec<&AddressUp> =
        addresses.iter().copied().filter(|up| up.origin == AddressOrigin::Static).collect();
    let mtu = addresses.iter().find_map(|up| up.mtu);
    if let Some(mtu) = mtu {
        lines.put("\n[Link]\nMTUBytes", mtu);
    }
    lines.0.push_str("\n[Network]\n");
    // A DHCPv4 server that was slower than the boot is for the OS.
    let wants_dhcp4 =
        dhcp4.is_some() || addresses.iter().any(|up| up.sources.contains(&AddressSource::Dhcp4));
    match (wants_dhcp4, dhcp6) {
        (true, Some(_)) => lines.put("DHCP", "yes"),
        (true, None) => lines.put("DHCP", "ipv4"),
        (false, Some(_)) => lines.put("DHCP", "ipv6"),
        (false, None) => {}
    }
    for up in fixed.iter().filter(|up| up.peer.is_none()) {
        lines.put("Address", format!("{}/{}", up.address, up.prefix));
    }
    let kept = match (dhcp4, dhcp6.or(routers), fixed.is_empty()) {
        (Some(_), None, true) => "dhcp",
        (None, None, _) => "static",
        // Without it, networkd removes what the kernel has from the routers before it has asked them itself.
        _ => "yes",
    };
    lines.put("KeepConfiguration", kept);
    if dhcp4.or(dhcp6).or(routers).is_none() {
        // Otherwise it would wait for a router advertisement before it reports the interface as configured.
        lines.put("ConfigureWithoutCarrier", "yes");
    }
    for vlan in vlans(network, iface) {
        lines.put("VLAN", vlan);
    }
    for server in servers(network, iface, addresses) {
        lines.put("DNS", server);
    }
    if wants_dhcp4 {
        lines.put("\n[DHCPv4]\nClientIdentifier", "mac");
        lines.put("RouteMetric", dhcp4.map_or(METRIC, |up| up.metric));
        if network.peer_dns {
            lines.put("UseDomains", "yes");
        } else {
            lines.put("UseDNS", "no");
        }
        // The host name is already in the OS's /etc.
        lines.put("UseHostname", "no");
        lines.put("UseMTU", if mtu.is_some() { "no" } else { "yes" });
        lines.put("SendRelease", "no");
    }
    if let Some(up) = dhcp6 {
        put_dhcp6(&mut lines, network, up);
    }
    if dhcp6.or(routers).is_some() && !network.peer_dns {
        lines.put("\n[IPv6AcceptRA]\nUseDNS", "no");
    }
    for up in &fixed {
        if let Some(peer) = up.peer {
            lines.put("\n[Address]\nAddress", format!("{}/{}", up.address, up.prefix));
            lines.put("Peer", format!("{peer}/{}", up.prefix));
        }
        if let Some(gateway) = up.gateway {
            lines.put("\n[Route]\nGateway", gateway);
            if is_outside(up) {
                lines.put("GatewayOnLink", "yes");
            }
            lines.put("Metric", up.metric);
        }
    }
    for (_, route) in network.routes.iter().filter(|(on, _)| on == iface) {
        put_route(&mut lines, route);
    }
    lines.0
}

/// The identifiers that the boot used, by which the server knows the lease.
fn put_dhcp6(lines: &mut Lines, network: &NetworkUp, up: &AddressUp) {
    lines.0.push_str("\n[DHCPv6]\n");
    if let Some(duid) = dhcp6::duid_of(network.uuid, up.mac).map(|duid| duid.to_string())
        && let Some((kind, data)) = duid.split_at_checked("00:04:".len())
    {
        lines.put("DUIDType", if kind == "00:04:" { "uuid" } else { "link-layer" });
        lines.put("DUIDRawData", data);
    }
    if let Some(mac) = up.mac {
        lines.put("IAID", dhcp6::iaid_of(mac.0));
    }
    // Without it, the client waits for a router that refers to DHCPv6.
    lines.put("WithoutRA", "solicit");
    lines.put("UseDNS", if network.peer_dns { "yes" } else { "no" });
    lines.put("UseHostname", "no");
    lines.put("SendRelease", "no");
}

fn put_route(lines: &mut Lines, route: &Route) {
    lines.put("\n[Route]\nDestination", format!("{}/{}", route.destination, route.prefix));
    if let Some(gateway) = route.gateway {
        lines.put("Gateway", gateway);
        if route.interface.is_some() {
            lines.put("GatewayOnLink", "yes");
        }
    }
    lines.put("Metric", METRIC);
}

/// The name servers of an interface: the first one has those of the settings, and those that the network gives come with its address.
fn servers(network: &NetworkUp, iface: &str, addresses: &[&AddressUp]) -> Vec<IpAddr> {
    let given: Vec<IpAddr> = if network.peer_dns {
        addresses.iter().flat_map(|up| up.given_dns.clone()).collect()
    } else {
        Vec::new()
    };
    let is_of_others = |server: &IpAddr| {
        network
            .others
            .iter()
            .any(|up| up.iface != iface && (up.dns.contains(server) || up.given_dns.contains(server)))
    };
    let all: Vec<IpAddr> = if network.first.iface == iface {
        network.dns.iter().copied().filter(|server| !is_of_others(server)).collect()
    } else {
        addresses.iter().flat_map(|up| up.dns.clone()).collect()
    };
    all.into_iter().filter(|server| !given.contains(server)).collect()
}

/// Whether the router is outside of the network of the address.
fn is_outside(up: &AddressUp) -> bool {
    let AddressUp { address, prefix, peer, gateway, .. } = *up;
    StaticAddress { address, prefix, peer, gateway }.gateway_is_on_link()
}

/// The VLANs that are made of a link.
fn vlans<'a>(network: &'a NetworkUp, iface: &str) -> Vec<&'a str> {
    let is_of = |link: &&Wanted| matches!(&link.kind, Kind::Vlan { parent, .. } if parent == iface);
    network.made.iter().filter(is_of).map(|link| link.name.as_str()).collect()
}

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
    use super::super::tests::{MAC, up, with_lease};
    use super::*;

    fn sections(network: &NetworkUp) -> String {
        let addresses: Vec<&AddressUp> = network.addresses().collect();
        let text = network_file(network, "eth0", &addresses, &physical(MAC));
        let head = format!("{WRITTEN}[Match]\nMACAddress=52:54:00:77:00:01\nKind=!*\n");
        text.strip_prefix(&head).unwrap_or_else(|| panic!("{text}")).to_owned()
    }

    #[test]
    fn files_say_what_the_boot_has_done() {
        let leased = with_lease(up("10.0.2.11", 24, Some("10.0.2.2")));
        let dhcp = "\n[Network]\nDHCP=ipv4\nKeepConfiguration=dhcp\nDNS=9.9.9.9\n\n[DHCPv4]\nClientIdentifier=mac\n\
            RouteMetric=1024\nUseDomains=yes\nUseHostname=no\nUseMTU=yes\nSendRelease=no\n";
        assert_eq!(sections(&leased), dhcp);
        let with_mtu = AddressUp { mtu: Some(1400), ..leased.first.clone() };
        let with_mtu = NetworkUp { first: with_mtu, ..leased };
        let expected = format!("\n[Link]\nMTUBytes=1400\n{}", dhcp.replace("UseMTU=yes", "UseMTU=no"));
        assert_eq!(sections(&with_mtu), expected);
        let fixed = |address: &str| {
            format!(
                "\n[Network]\nAddress={address}\nKeepConfiguration=static\nConfigureWithoutCarrier=yes\n\
                 DNS=10.0.2.3\nDNS=9.9.9.9\n"
            )
        };
        assert_eq!(sections(&up("10.0.2.50", 24, None)), fixed("10.0.2.50/24"));
        let near = "\n[Route]\nGateway=10.0.2.2\nMetric=1024\n";
        assert_eq!(sections(&up("10.0.2.50", 24, Some("10.0.2.2"))), fixed("10.0.2.50/24") + near);
        let outside = "\n[Route]\nGateway=10.0.3.1\nGatewayOnLink=yes\nMetric=1024\n";
        assert_eq!(sections(&up("10.0.2.50", 32, Some("10.0.3.1"))), fixed("10.0.2.50/32") + outside);
        let six = "\n[Route]\nGateway=fe80::1\nMetric=1024\n";
        assert_eq!(sections(&up("2001:db8::5", 64, Some("fe80::1"))), fixed("2001:db8::5/64") + six);
    }

    /// Two VLANs of a bond: one with a lease, one with an address that is given, and a route.
    #[test]
    fn created_links_are_described_with_what_they_are_made_of() {
        let made = |name: &str, kind| Wanted { name: name.to_owned(), kind, config: None };
        let vlan = |id| Kind::Vlan { id, parent: "bond0".to_owned() };
        let ports = vec!["eth0".to_owned(), "eth1".to_owned()];
        let options = [("mode", "802.3ad"), ("miimon", "100"), ("all_slaves_active", "1")];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let base = with_lease(up("10.0.2.11", 24, None));
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
            ..base
        };
        let link = |index: u32, name: &str, own: u8| Link {
            index,
            name: name.to_owned(),
            mac: Some([2, 0, 0, 0, 0, 1]),
            permanent_mac: Some([2, 0, 0, 0, 0, own]),
            kind: dayfly_sys::LinkKind::Ethernet,
            up: true,
            carrier: true,
            mtu: 1500,
            least_mtu: 0,
            most_mtu: 0,
            other_names: Vec::new(),
            parent: None,
            port_of: None,
            router: None,
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
