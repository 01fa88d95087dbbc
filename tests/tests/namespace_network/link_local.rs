//! Link-local servers: name servers from a router's advertisements, and the image itself, without a router.

use dayfly_init::boot::Ended;

use crate::boots::{Booted, booted_on};
use crate::hosts::{Host, Server, Site, Switch};
use crate::servers::{radvd, radvd_after, unbound};

fn booted(words: &str, build: impl FnOnce(&Site, &Switch) -> Vec<Server> + Send) -> Booted {
    booted_on(words, |site| build(site, &Switch::of_node(site, "va")))
}

/// A host whose interface has the address fe80::1.
fn first(site: &Site, switch: &Switch, addresses: &[&str]) -> Host {
    let host = switch.host(site, "first", addresses);
    host.shell("ip address add fe80::1/64 dev lan nodad");
    host
}

/// Home routers advertise their link-local address as the name server.
#[test]
fn a_link_local_name_server_of_a_router_resolves_the_images_name() {
    for words in ["", "nameserver=fe80::1%va rd.peerdns=0"] {
        let words = format!("root=live:http://boot.lan/os.squashfs ip=va:auto6 {words}");
        let booted = booted(&words, |site, switch| {
            let router = first(site, switch, &["fd09:1::1/64"]);
            vec![
                unbound(&router, "local-data: \"boot.lan. AAAA fd09:9::9\""),
                radvd(&router, "prefix fd09:1::/64 { }; RDNSS fe80::1 { AdvRDNSSLifetime 600; };"),
                router.nginx(&site.www),
            ]
        });
        assert_eq!(booted.ended, Ended::Left, "{words}\n{}", booted.log);
        assert!(booted.resolv_conf.contains("nameserver fe80::1%va\n"), "{words}: {}", booted.resolv_conf);
    }
}

/// The first router has a network of its own, leads nowhere and names no server. The other one comes 2 s later.
#[test]
fn the_name_server_of_a_router_that_comes_late_is_asked() {
    let booted = booted("root=live:http://boot.lan/os.squashfs ip=va:auto6", |site, switch| {
        let border = switch.host(site, "border", &["fd77::1/64"]);
        let router = first(site, switch, &["fd09:1::1/64"]);
        vec![
            radvd(&border, "AdvDefaultLifetime 0; prefix fd77::/64 { };"),
            unbound(&router, "local-data: \"boot.lan. AAAA fd09:9::9\""),
            router.nginx(&site.www),
            radvd_after(2, &router, "prefix fd09:1::/64 { }; RDNSS fe80::1 { AdvRDNSSLifetime 600; };"),
        ]
    });
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    assert!(booted.log.contains("va: the routers have changed the network: "), "{}", booted.log);
    assert_eq!(booted.attempts("network").len(), 1, "{}", booted.log);
    assert!(booted.resolv_conf.contains("nameserver fe80::1%va\n"), "{}", booted.resolv_conf);
}

/// No router, no DHCP server: the link-local addresses of both ends are enough.
#[test]
fn a_link_local_url_is_fetched_over_its_interface() {
    for (words, zone) in
        [("", "%25va"), ("", "%va"), ("ip=va:dhcp", "%25va"), ("ifname=lan0:02:00:00:00:00:01", "%25lan0")]
    {
        let words = format!("root=live:http://[fe80::1{zone}]/os.squashfs {words}");
        let booted = booted(&words, |site, switch| {
            let server = first(site, switch, &[]);
            vec![server.nginx(&site.www)]
        });
        assert_eq!(booted.ended, Ended::Left, "{words}\n{}", booted.log);
        assert!(booted.log.contains(" (link-local)"), "{words}\n{}", booted.log);
    }
}

#[test]
fn a_link_local_url_with_an_unknown_interface_is_named() {
    let words = "root=live:http://[fe80::1%25vx]/os.squashfs rd.retry=4";
    let booted = booted(words, |site, switch| vec![first(site, switch, &[]).nginx(&site.www)]);
    assert_eq!(booted.ended, Ended::Failed);
    let failure = &booted.report["failure"];
    let words = "the parameters name vx, which this machine does not have: va";
    assert!(failure["wrong"].as_str().unwrap().contains(words), "{failure}");
    assert_eq!(failure["code"], "net.no-link", "{failure}");
}
