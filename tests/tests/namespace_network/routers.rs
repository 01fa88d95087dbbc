//! Whole boots by the advertisements of radvd: what one router says, and what two of them say together.

use std::time::Duration;

use dayfly_init::boot::Ended;
use serde_json::Value;

use crate::boots::{Booted, booted_on};
use crate::hosts::{Host, Server, Site, Switch};
use crate::servers::radvd;

/// The image by IPv6.
const IMAGE: &str = "root=live:http://[fd09:9::9]/os.squashfs";

fn booted(build: impl FnOnce(&Site, &Switch) -> Vec<Server> + Send) -> Booted {
    let booted = booted_on(IMAGE, |site| build(site, &Switch::of_node(site, "va")));
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    booted
}

/// The routes to a network, as ip(8) shows them.
fn routes_to<'a>(booted: &'a Booted, network: &str) -> Vec<&'a Value> {
    booted.routes6.as_array().unwrap().iter().filter(|route| route["dst"] == network).collect()
}

/// The link-local address of a host on the switch.
fn link_local(host: &Host) -> String {
    let shown = host.shell("ip -6 -o address show dev lan scope link");
    let address = shown.split_whitespace().find(|word| word.starts_with("fe80::")).unwrap();
    address.strip_suffix("/64").unwrap().to_owned()
}

#[test]
fn names_and_mtu_come_from_the_router() {
    let booted = booted(|site, switch| {
        let router = switch.host(site, "router", &["fd09:1::1/64"]);
        let options = "AdvLinkMTU 1400; prefix fd09:1::/64 { };
            RDNSS fd09:1::53 fd09:1::54 { AdvRDNSSLifetime 600; };
            RDNSS fd09:1::55 { AdvRDNSSLifetime 0; };
            DNSSL lab.example rack.example { AdvDNSSLLifetime 600; };";
        vec![radvd(&router, options), router.nginx(&site.www)]
    });
    let addresses = booted.addresses6_of("va");
    assert!(addresses.len() == 1 && addresses[0].starts_with("fd09:1::"), "{addresses:?}\n{}", booted.log);
    let names = "nameserver fd09:1::53\nnameserver fd09:1::54\nsearch lab.example rack.example\n";
    assert!(booted.resolv_conf.contains(names), "{}", booted.resolv_conf);
    assert!(!booted.resolv_conf.contains("fd09:1::55"), "its lifetime is 0: {}", booted.resolv_conf);
    let default = routes_to(&booted, "default");
    assert_eq!((default.len(), &default[0]["metrics"][0]["mtu"]), (1, &1400.into()), "{default:?}");
}

/// Both routers are default routers, and one of them leads to the image: that of the higher preference.
#[test]
fn of_two_routers_the_one_of_higher_preference_is_used() {
    let booted = booted(|site, switch| {
        let (away, near) =
            (switch.host(site, "away", &["fd09:1::1/64"]), switch.host(site, "near", &["fd09:1::2/64"]));
        vec![
            radvd(&away, "AdvDefaultPreference low; prefix fd09:1::/64 { };"),
            radvd(&near, "AdvDefaultPreference high; prefix fd09:1::/64 { };"),
            near.nginx(&site.www),
        ]
    });
    let mut preferences: Vec<&str> =
        routes_to(&booted, "default").iter().map(|route| route["pref"].as_str().unwrap()).collect();
    preferences.sort_unstable();
    assert_eq!(preferences, ["high", "low"], "{}", booted.routes6);
    assert_eq!(booted.addresses6_of("va").len(), 1, "{}", booted.addresses);
}

/// One router is a default router but does not lead to the image. The other is none (lifetime 0), and advertises a route to
/// the image's network (RFC 4191).
#[test]
fn a_router_that_is_no_default_router_leads_to_the_network_that_it_names() {
    let (send, hops) = std::sync::mpsc::channel();
    let booted = booted(move |site, switch| {
        let (away, near) =
            (switch.host(site, "away", &["fd09:1::1/64"]), switch.host(site, "near", &["fd09:1::2/64"]));
        send.send((link_local(&away), link_local(&near))).unwrap();
        vec![
            radvd(&near, "AdvDefaultLifetime 0; route fd09:9::/64 { };"),
            radvd(&away, "prefix fd09:1::/64 { };"),
            near.nginx(&site.www),
        ]
    });
    let (away, near) = hops.recv().unwrap();
    let via = |network| -> Vec<&str> {
        routes_to(&booted, network).iter().map(|route| route["gateway"].as_str().unwrap()).collect()
    };
    assert_eq!(via("default"), [away], "{}", booted.routes6);
    assert_eq!(via("fd09:9::/64"), [near], "{}", booted.routes6);
}

/// The router refers to a DHCPv6 server that does not exist, and advertises a prefix as well.
#[test]
fn a_dhcpv6_server_that_is_silent_does_not_hold_up_the_routers_address() {
    let booted = booted(|site, switch| {
        let router = switch.host(site, "router", &["fd09:1::1/64"]);
        let options = "AdvManagedFlag on; prefix fd09:1::/64 { }; RDNSS fd09:1::53 { };";
        vec![radvd(&router, options), router.nginx(&site.www)]
    });
    let addresses = booted.addresses6_of("va");
    assert!(addresses.len() == 1 && addresses[0].ends_with("/64"), "{addresses:?}\n{}", booted.log);
    assert!(booted.took < Duration::from_secs(10), "{:?}", booted.took);
}

/// The same without a prefix: the message names the server that does not answer, not the router that does.
#[test]
fn a_node_that_only_dhcpv6_could_serve_says_what_it_asked() {
    let booted = booted_on(&format!("{IMAGE} dayfly.retry=8"), |site| {
        let router = Switch::of_node(site, "va").host(site, "router", &["fd09:1::1/64"]);
        vec![radvd(&router, "AdvManagedFlag on;")]
    });
    assert_eq!(booted.ended, Ended::Failed);
    assert_eq!(booted.report["failure"]["code"], "net.no-lease");
    let wrong = booted.report["failure"]["wrong"].to_string();
    assert!(wrong.contains("Solicits, no Advertise"), "{wrong}");
}
