//! The texts of NetworkManager's connection profiles: nm-settings-keyfile(5).

use std::net::IpAddr;

use dayfly_formats::mac::Mac;
use dayfly_formats::scoped::ScopedAddr;
use dayfly_plan::network::{AddressSource, Kind, Link as Wanted, Route, needs_onlink};
use dayfly_sys::Link;

use super::super::observed::{Lines, servers};
use super::{mac_of, uuid};
use crate::os::WRITTEN;
use crate::steps::network::{METRIC, dhcp6};
use crate::{AddressOrigin, AddressUp, NetworkUp};

/// Options of bonds that NetworkManager knows by the kernel's names. It ignores a profile with any other one.
const BOND_OPTIONS: [&str; 18] = [
    "mode",
    "miimon",
    "updelay",
    "downdelay",
    "primary",
    "primary_reselect",
    "fail_over_mac",
    "lacp_rate",
    "xmit_hash_policy",
    "ad_select",
    "arp_interval",
    "arp_ip_target",
    "arp_validate",
    "arp_all_targets",
    "all_slaves_active",
    "min_links",
    "use_carrier",
    "num_grat_arp",
];

/// The profile of a link with addresses.
pub fn of_addresses(network: &NetworkUp, links: &[Link], link: &Link, addresses: &[&AddressUp]) -> String {
    let mut profile = head(network, links, link, addresses.iter().find_map(|up| up.mtu));
    let servers = servers(network, &link.name, addresses);
    profile.0.push_str("\n[ipv4]\n");
    let own = |up: &&&AddressUp| up.address.is_ipv4();
    let wants_dhcp =
        addresses.iter().any(|up| up.lease().is_some() || up.sources.contains(&AddressSource::Dhcp4));
    let fixed: Vec<&AddressUp> = addresses.iter().filter(own).filter(|up| is_static(up)).copied().collect();
    profile.put(
        "method",
        if wants_dhcp {
            "auto"
        } else if fixed.is_empty() {
            "disabled"
        } else {
            "manual"
        },
    );
    if wants_dhcp {
        // Type 1 and the MAC address, as the boot sent it.
        profile.put("dhcp-client-id", "mac");
    }
    if wants_dhcp || !fixed.is_empty() {
        let metric = addresses.iter().find(own).map_or(METRIC, |up| up.metric);
        put_addresses(&mut profile, network, &link.name, &fixed, metric, IpAddr::is_ipv4);
        put_servers(&mut profile, network, &servers, IpAddr::is_ipv4);
    }
    profile.0.push_str("\n[ipv6]\n");
    let fixed: Vec<&AddressUp> =
        addresses.iter().filter(|up| !own(up)).filter(|up| is_static(up)).copied().collect();
    let dhcp6 = addresses.iter().find(|up| matches!(up.origin, AddressOrigin::Dhcp6(_)));
    let wants = |source| addresses.iter().any(|up| up.sources.contains(&source));
    let by_routers = wants(AddressSource::RouterAdvertisement)
        || addresses.iter().any(|up| up.origin == AddressOrigin::RouterAdvertisement);
    let is_local = addresses.iter().any(|up| up.origin == AddressOrigin::LinkLocal);
    profile.put(
        "method",
        match (dhcp6, by_routers) {
            (Some(_), false) => "dhcp",
            (None, false) if !fixed.is_empty() => "manual",
            (None, false) if is_local => "link-local",
            // Also by the routers that the boot has not asked.
            _ => "auto",
        },
    );
    // The interface identifier that the kernel uses, so that the address stays the same.
    profile.put("addr-gen-mode", "eui64");
    profile.put("ip6-privacy", "0");
    if let Some(duid) = dhcp6.and_then(|up| dhcp6::duid_of(network.uuid, up.mac)) {
        profile.put("dhcp-duid", duid);
        profile.put("dhcp-iaid", "mac");
    }
    let metric = fixed.first().map_or(METRIC, |up| up.metric);
    put_addresses(&mut profile, network, &link.name, &fixed, metric, IpAddr::is_ipv6);
    put_servers(&mut profile, network, &servers, IpAddr::is_ipv6);
    profile.0
}

/// The profile of a link without an address.
pub fn of_member(network: &NetworkUp, links: &[Link], link: &Link) -> String {
    let mut profile = head(network, links, link, None);
    if bond_or_bridge(network, &link.name).is_none() {
        profile.0.push_str("\n[ipv4]\nmethod=disabled\n\n[ipv6]\nmethod=disabled\n");
    }
    profile.0
}

fn is_static(up: &AddressUp) -> bool {
    up.origin == AddressOrigin::Static
}

/// The sections that say what the link is.
fn head(network: &NetworkUp, links: &[Link], link: &Link, mtu: Option<u32>) -> Lines {
    let mut profile = Lines(format!("{WRITTEN}[connection]\nid=dayfly-{}\nuuid={}\n", link.name, uuid(link)));
    let made = network.made.iter().find(|made| made.name == link.name);
    profile.put(
        "type",
        match made.map(|made| &made.kind) {
            None | Some(Kind::Physical) => "ethernet",
            Some(Kind::Vlan { .. }) => "vlan",
            Some(Kind::Bond { .. }) => "bond",
            Some(Kind::Bridge { .. }) => "bridge",
        },
    );
    if made.is_some() {
        profile.put("interface-name", &link.name);
    }
    // Before profiles of the image that fit any interface.
    profile.put("autoconnect-priority", 100);
    let uuid_of = |name: &str| links.iter().find(|link| link.name == name).map(uuid);
    if let Some((controller, kind)) = bond_or_bridge(network, &link.name) {
        // The names of before NetworkManager 1.46, which later versions read as well.
        profile.put("master", uuid_of(controller).unwrap_or_else(|| controller.to_owned()));
        profile.put("slave-type", kind);
    }
    let mac = made.is_none().then(|| mac_of(link)).flatten();
    let mtu = mtu.or_else(|| made?.config.as_ref()?.mtu);
    if mac.is_some() || mtu.is_some() {
        profile.0.push_str("\n[ethernet]\n");
    }
    if let Some(mac) = mac {
        profile.put("mac-address", mac);
        if let Some(own) = link.mac.map(Mac).filter(|own| *own != mac && link.port_of.is_none()) {
            profile.put("cloned-mac-address", own);
        }
    }
    if let Some(mtu) = mtu {
        profile.put("mtu", mtu);
    }
    if let Some(made) = made {
        put_kind(&mut profile, made, uuid_of);
    }
    profile
}

fn put_kind(profile: &mut Lines, made: &Wanted, uuid_of: impl Fn(&str) -> Option<String>) {
    match &made.kind {
        Kind::Physical => {}
        Kind::Vlan { id, parent } => {
            profile.put("\n[vlan]\nid", id);
            // The OS may rename the parent; its profile has the same UUID.
            profile.put("parent", uuid_of(parent).unwrap_or_else(|| parent.clone()));
        }
        Kind::Bond { options, .. } => {
            profile.0.push_str("\n[bond]\n");
            for (name, value) in options.iter().filter(|(name, _)| BOND_OPTIONS.contains(&name.as_str())) {
                profile.put(name, value);
            }
        }
        Kind::Bridge { .. } => profile.put("\n[bridge]\nstp", "false"),
    }
}

/// The bond or bridge whose port the link is, and what it is.
fn bond_or_bridge<'a>(network: &'a NetworkUp, iface: &str) -> Option<(&'a str, &'static str)> {
    let made = network.made.iter().find(|made| made.kind.ports().iter().any(|port| port == iface))?;
    Some((&made.name, if matches!(made.kind, Kind::Bond { .. }) { "bond" } else { "bridge" }))
}

/// Addresses, routes and their metric, of one IP version.
fn put_addresses(
    profile: &mut Lines,
    network: &NetworkUp,
    iface: &str,
    fixed: &[&AddressUp],
    metric: u32,
    is_own: fn(&IpAddr) -> bool,
) {
    for (up, number) in fixed.iter().zip(1..) {
        profile.put(&format!("address{number}"), format!("{}/{}", up.address, up.prefix));
    }
    let mut routes: Vec<(Route, bool)> = Vec::new();
    for up in fixed {
        match (up.gateway, up.peer) {
            (Some(gateway), None) if !needs_onlink(up.address, up.prefix, gateway) => {
                profile.put("gateway", gateway);
            }
            (gateway, peer) => {
                // Profiles have no peers: a route to the other end does the same.
                let to = |destination: IpAddr, prefix, gateway| Route {
                    destination,
                    prefix,
                    gateway,
                    interface: None,
                };
                let host = if up.address.is_ipv4() { 32 } else { 128 };
                routes.extend(peer.map(|peer| (to(peer, host, None), false)));
                let any: IpAddr = if up.address.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
                routes.extend(gateway.map(|gateway| (to(any, 0, Some(gateway)), true)));
            }
        }
    }
    let wanted = network.routes.iter().filter(|(on, route)| on == iface && is_own(&route.destination));
    routes.extend(
        wanted.map(|(_, route)| (route.clone(), route.gateway.is_some() && route.interface.is_some())),
    );
    for ((route, on_link), number) in routes.iter().zip(1..) {
        let gateway = route.gateway.map_or_else(String::new, |gateway| gateway.to_string());
        let text = format!("{}/{},{gateway},{metric}", route.destination, route.prefix);
        profile.put(&format!("route{number}"), text);
        if *on_link {
            profile.put(&format!("route{number}_options"), "onlink=true");
        }
    }
    profile.put("route-metric", metric);
    profile.put("may-fail", "true");
}

fn put_servers(
    profile: &mut Lines,
    network: &NetworkUp,
    servers: &[ScopedAddr],
    is_own: fn(&IpAddr) -> bool,
) {
    // A profile takes no interface with an address; NetworkManager adds its own in resolv.conf.
    let addresses = servers.iter().map(|server| server.address).filter(is_own);
    let own: Vec<String> = addresses.map(|address| format!("{address};")).collect();
    if !own.is_empty() {
        profile.put("dns", own.concat());
    }
    if !network.peer_dns {
        profile.put("ignore-auto-dns", "true");
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::networkd::tests::{up, with_lease};
    use super::*;
    use crate::samples::ethernet;
    use dayfly_plan::network::Config;

    fn link(index: u32, name: &str, own: u8, port_of: Option<u32>) -> Link {
        let mac = |last| Some([0x52, 0x54, 0, 0x77, 0, last]);
        Link { mac: mac(1), permanent_mac: mac(own), port_of, ..ethernet(index, name) }
    }

    fn profile(network: &NetworkUp, links: &[Link], name: &str) -> String {
        let link = links.iter().find(|link| link.name == name).unwrap();
        let addresses: Vec<&AddressUp> = network.addresses().filter(|up| up.iface == name).collect();
        let text = if addresses.is_empty() {
            of_member(network, links, link)
        } else {
            of_addresses(network, links, link, &addresses)
        };
        text.strip_prefix(WRITTEN).unwrap().to_owned()
    }

    #[test]
    fn an_interface_goes_on_with_what_it_has() {
        let links = [link(2, "eth0", 1, None)];
        let leased = with_lease(up("10.0.2.11", 24, Some("10.0.2.2")));
        let has = |text: &str, lines: &str| assert!(text.contains(lines), "{text}");
        has(
            &profile(&leased, &links, "eth0"),
            "\n[ipv4]\nmethod=auto\ndhcp-client-id=mac\nroute-metric=1024\nmay-fail=true\ndns=9.9.9.9;\n",
        );
        let fixed = up("10.0.2.50", 24, Some("10.0.2.2"));
        has(
            &profile(&fixed, &links, "eth0"),
            "\n[ipv4]\nmethod=manual\naddress1=10.0.2.50/24\ngateway=10.0.2.2\nroute-metric=1024\n",
        );
        let mut outside = up("2001:db8::5", 128, Some("2001:db8:1::1"));
        outside.peer_dns = false;
        let text = profile(&outside, &links, "eth0");
        has(&text, "\n[ipv4]\nmethod=disabled\n");
        has(
            &text,
            "\naddress1=2001:db8::5/128\nroute1=::/0,2001:db8:1::1,1024\nroute1_options=onlink=true\n",
        );
        has(&text, "\nignore-auto-dns=true\n");
    }

    #[test]
    fn created_links_are_described_with_what_they_are_made_of() {
        let made = |name: &str, kind| Wanted { name: name.to_owned(), kind, config: None };
        let ports = vec!["eth1".to_owned(), "eth2".to_owned()];
        let options = [("mode", "active-backup"), ("miimon", "100"), ("tlb_dynamic_lb", "1")];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let base = with_lease(up("10.0.2.11", 24, None));
        let first = AddressUp { iface: "vlan5".to_owned(), ..base.first.clone() };
        let bridge = Wanted {
            config: Some(Config { mtu: Some(1400), ..Config::default() }),
            ..made("br0", Kind::Bridge { ports: vec!["eth3".to_owned()] })
        };
        let vlan = Kind::Vlan { id: 5, parent: "bond0".to_owned() };
        let network = NetworkUp {
            first,
            made: vec![made("bond0", Kind::Bond { ports, options }), made("vlan5", vlan), bridge],
            ..base
        };
        let links = [
            link(3, "eth1", 1, Some(6)),
            link(4, "eth2", 2, Some(6)),
            link(5, "eth3", 3, Some(7)),
            link(6, "bond0", 1, None),
            link(7, "br0", 3, None),
            link(8, "vlan5", 1, None),
        ];
        let uuid_of = |name: &str| uuid(links.iter().find(|link| link.name == name).unwrap());
        let (bond, bridge) = (uuid_of("bond0"), uuid_of("br0"));
        for (name, lines) in [
            ("vlan5", format!("\n[vlan]\nid=5\nparent={bond}\n")),
            ("bond0", "\n[bond]\nmode=active-backup\nmiimon=100\n\n[ipv4]\nmethod=disabled\n".to_owned()),
            (
                "eth2",
                format!("\nmaster={bond}\nslave-type=bond\n\n[ethernet]\nmac-address=52:54:00:77:00:02\n"),
            ),
            ("br0", "\n[ethernet]\nmtu=1400\n\n[bridge]\nstp=false\n".to_owned()),
            ("eth3", format!("\nmaster={bridge}\nslave-type=bridge\n")),
        ] {
            let text = profile(&network, &links, name);
            assert!(text.contains(&lines), "{name}: {text}");
        }
    }
}
