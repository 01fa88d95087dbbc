//! The texts of systemd-networkd's files for interfaces: systemd.network(5), systemd.link(5).

use dayfly_formats::mac::Mac;
use dayfly_plan::network::{AddressSource, Route, needs_onlink};

use super::super::observed::{Lines, servers, vlans};
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
pub(super) fn permanent(mac: Mac) -> String {
    format!("[Match]\nPermanentMACAddress={mac}\nKind=!*\n")
}

/// The same of a link that the boot created.
pub(super) fn created(name: &str) -> String {
    format!("[Match]\nName={name}\n")
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
    let dhcp4 = of(|origin| matches!(origin, AddressOrigin::Dhcp4(..) | AddressOrigin::Withdrawn));
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
        // They are those of this link: networkd reads an interface's name when it starts, before udev may give another one.
        lines.put("DNS", server.address);
    }
    let named = network.named_time_servers();
    for (server, _) in named.iter().filter(|(_, up)| up.iface == iface) {
        lines.put("NTP", server);
    }
    if wants_dhcp4 {
        lines.put("\n[DHCPv4]\nClientIdentifier", "mac");
        lines.put("RouteMetric", dhcp4.map_or(METRIC, |up| up.metric));
        if network.peer_dns {
            lines.put("UseDomains", "yes");
        } else {
            lines.put("UseDNS", "no");
        }
        // Otherwise systemd-timesyncd asks those of the lease as well.
        if !named.is_empty() {
            lines.put("UseNTP", "no");
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
            if needs_onlink(up.address, up.prefix, gateway) {
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
    if !network.named_time_servers().is_empty() {
        lines.put("UseNTP", "no");
    }
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
        let with_mtu = NetworkUp { first: with_mtu, ..leased.clone() };
        let expected = format!("\n[Link]\nMTUBytes=1400\n{}", dhcp.replace("UseMTU=yes", "UseMTU=no"));
        assert_eq!(sections(&with_mtu), expected);
        // Servers of a lease are not written, because networkd asks for them itself.
        let mut given = leased.clone();
        given.first.given_ntp = vec!["10.0.2.9".parse().unwrap()];
        assert_eq!(sections(&given), dhcp);
        let named =
            NetworkUp { ntp: vec!["ntp.example.org".parse().unwrap(), "10.0.2.8".parse().unwrap()], ..given };
        let expected = dhcp.replace("DNS=9.9.9.9\n", "DNS=9.9.9.9\nNTP=ntp.example.org\nNTP=10.0.2.8\n");
        assert_eq!(sections(&named), expected.replace("UseHostname", "UseNTP=no\nUseHostname"));
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
        // Two link-local servers of other links, and one of this link.
        let dns = ["fe80::1%eth1", "fe80::1%eth0", "fe80::2%eth2"].map(|server| server.parse().unwrap());
        let scoped = NetworkUp { dns: dns.to_vec(), ..up("10.0.2.50", 24, None) };
        assert_eq!(
            sections(&scoped),
            fixed("10.0.2.50/24").replace("DNS=10.0.2.3\nDNS=9.9.9.9", "DNS=fe80::1")
        );
        let six = "\n[Route]\nGateway=fe80::1\nMetric=1024\n";
        assert_eq!(sections(&up("2001:db8::5", 64, Some("fe80::1"))), fixed("2001:db8::5/64") + six);
    }
}
