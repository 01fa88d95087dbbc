//! Whole boots over IPv6 alone, with real router advertisements and a real DHCPv6 server.

use std::time::Duration;

use crate::boots::{Booted, Network, booted, booted_then, serve};
use crate::namespace::{run, shell};
use dayfly_init::boot::Ended;

/// The image by IPv6.
const IMAGE: &str = "root=live:http://[fd09:9::9]/os.squashfs";

/// A network whose dnsmasq answers no DHCPv4.
const fn v6(options: &'static [&'static str]) -> Network {
    Network { dhcp: Some(options), has_image: true, refuses: true }
}

const NONE: Network = Network { dhcp: None, has_image: false, refuses: false };

fn boots(words: &str, networks: [Network; 2]) -> Booted {
    let booted = booted(&format!("{IMAGE} {words}"), networks);
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    booted
}

fn default6(booted: &Booted) -> Vec<&str> {
    let routes = booted.routes6.as_array().unwrap();
    routes
        .iter()
        .filter(|route| route["dst"] == "default")
        .map(|route| route["dev"].as_str().unwrap())
        .collect()
}

/// Router advertisements with a prefix and a name server. No word of the command line asks for IPv6.
#[test]
fn a_node_boots_by_router_advertisements_alone() {
    let options: &[&str] = &[
        "--dhcp-range=fd09:1::,ra-only",
        "--enable-ra",
        "--dhcp-option=option6:dns-server,[fd09:1::53]",
        "--dhcp-option=option6:domain-search,lab.example",
    ];
    let booted = boots("", [v6(options), NONE]);
    let addresses = booted.addresses6_of("va");
    assert!(addresses.len() == 1 && addresses[0].starts_with("fd09:1::"), "{addresses:?}\n{}", booted.log);
    assert_eq!(booted.addresses_of("va"), Vec::<String>::new());
    assert_eq!(default6(&booted), ["va"], "{}", booted.routes6);
    let network = booted.attempts("network");
    let detail = network[0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("va has fd09:1::") && detail.ends_with("(slaac)"), "{detail}");
    assert!(
        booted.resolv_conf.contains("nameserver fd09:1::53\nsearch lab.example\n"),
        "{}\n{}",
        booted.resolv_conf,
        booted.log
    );
    // One second of duplicate address detection, for the link-local address.
    assert!(booted.took < Duration::from_secs(10), "{:?}", booted.took);
}

/// The routers say that addresses are to be had from DHCPv6 (the flag M), and give no prefix for others.
#[test]
fn a_node_gets_its_address_from_a_dhcpv6_server() {
    let options: &[&str] = &[
        "--dhcp-range=fd09:1::50,fd09:1::60,64,1h",
        "--enable-ra",
        "--dhcp-option=option6:dns-server,[fd09:1::53]",
    ];
    for words in ["", "ip=dhcp6", "ip=va:either6"] {
        let booted = boots(words, [v6(options), NONE]);
        let addresses = booted.addresses6_of("va");
        let leased = addresses.iter().any(|address| {
            address
                .strip_suffix("/128")
                .and_then(|one| one.strip_prefix("fd09:1::"))
                .is_some_and(|last| last.len() == 2)
        });
        assert!(leased, "{words}: {addresses:?}\n{}", booted.log);
        let network = booted.attempts("network");
        let detail = network[0]["detail"].as_str().unwrap();
        assert!(detail.ends_with("(dhcp6)"), "{words}: {detail}");
        assert!(booted.resolv_conf.contains("nameserver fd09:1::53\n"), "{words}: {}", booted.resolv_conf);
    }
}

/// Addresses from the routers, name servers from a DHCPv6 server (the flag O).
#[test]
fn name_servers_come_from_a_stateless_dhcpv6_server() {
    let options: &[&str] = &[
        "--dhcp-range=fd09:1::,ra-stateless",
        "--enable-ra",
        // Without a name server in the advertisement.
        "--ra-param=lan,0,1200",
        "--dhcp-option=option6:domain-search,lab.example",
    ];
    let booted = boots("ip=va:auto6", [v6(options), NONE]);
    let addresses = booted.addresses6_of("va");
    assert!(addresses.len() == 1 && addresses[0].starts_with("fd09:1::"), "{addresses:?}\n{}", booted.log);
    assert!(booted.resolv_conf.contains("search lab.example\n"), "{}\n{}", booted.resolv_conf, booted.log);
}

/// An IPv4 lease that leads nowhere, and IPv6 that leads to the image.
#[test]
fn the_ip_version_that_leads_to_the_image_is_used() {
    let options: &[&str] = &[
        "--dhcp-range=10.9.1.50,10.9.1.60,255.255.255.0,1h",
        "--dhcp-range=fd09:1::,ra-only",
        "--enable-ra",
    ];
    let booted = boots("ip=auto", [v6(options), NONE]);
    assert!(booted.log.contains("va has fd09:1::"), "{}", booted.log);
}

/// A static IPv6 address and its router, without any server.
#[test]
fn a_static_ipv6_address_needs_no_server() {
    let network = Network { dhcp: None, has_image: true, refuses: true };
    let booted = boots("ip=[fd09:1::77]::[fd09:1::1]:64::va:none", [network, NONE]);
    assert_eq!(booted.addresses6_of("va"), ["fd09:1::77/64"], "{}", booted.addresses);
    assert_eq!(default6(&booted), ["va"], "{}", booted.routes6);
}

/// The settings for IPv6 of an interface that the boot changes.
fn settings(interface: &str) -> Vec<String> {
    let names = [
        "accept_ra",
        "autoconf",
        "router_solicitation_delay",
        "optimistic_dad",
        "use_optimistic",
        "accept_ra_rt_info_max_plen",
        "ra_defrtr_metric",
    ];
    let text = |name| std::fs::read_to_string(format!("/proc/sys/net/ipv6/conf/{interface}/{name}"));
    // Not every kernel has each of them.
    names.iter().filter_map(|name| Some(format!("{name}={}", text(name).ok()?.trim()))).collect()
}

const ROUTER: &[&str] = &["--dhcp-range=fd09:2::,ra-only", "--enable-ra", "--ra-param=lan,4,1800"];

#[test]
fn an_interface_that_is_not_used_has_its_settings_back() {
    let (send, before) = std::sync::mpsc::channel();
    let good: &[&str] = &["--dhcp-range=fd09:1::,ra-only", "--enable-ra"];
    let (booted, after) = booted_then(
        IMAGE,
        |site| {
            let mut servers = serve(site, "va", v6(good));
            servers.extend(serve(site, "vb", Network { has_image: false, ..v6(ROUTER) }));
            // Other values than the kernel's own.
            shell("cd /proc/sys/net/ipv6/conf/vb; echo 0 > accept_ra; echo 7 > accept_ra_rt_info_max_plen");
            send.send(settings("vb")).unwrap();
            servers
        },
        |booted, _| (booted, settings("vb")),
    );
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    assert_eq!(default6(&booted), ["va"], "{}", booted.routes6);
    assert_eq!(booted.addresses6_of("vb"), [""; 0], "{}", booted.addresses);
    assert_eq!(after, before.recv().unwrap());
}

/// The kernel adds the default routes, with each advertisement again. The routers advertise on their own only when they start and after
/// ten minutes, so they are asked.
#[test]
fn default_routes_of_two_named_interfaces_have_different_metrics() {
    const SELDOM: &str = "--ra-param=lan,600,1800";
    let good: &[&str] = &["--dhcp-range=fd09:1::,ra-only", "--enable-ra", SELDOM];
    let other: &[&str] = &["--dhcp-range=fd09:2::,ra-only", "--enable-ra", SELDOM];
    let words = format!("{IMAGE} ip=va:auto6 ip=vb:auto6");
    booted_then(
        &words,
        |site| {
            let mut servers = serve(site, "va", v6(good));
            servers.extend(serve(site, "vb", Network { has_image: false, ..v6(other) }));
            servers
        },
        |booted, _| {
            assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
            if !std::path::Path::new("/proc/sys/net/ipv6/conf/va/ra_defrtr_metric").exists() {
                return;
            }
            let started = std::time::Instant::now();
            let routes = || {
                let mut lines: Vec<String> = run("ip", &["-6", "route", "show", "default"])
                    .lines()
                    .map(|line| {
                        let words: Vec<&str> = line.split_whitespace().collect();
                        let after = |key| words.iter().skip_while(|word| **word != key).nth(1).unwrap();
                        format!("{} {}", after("dev"), after("metric"))
                    })
                    .collect();
                lines.sort_unstable();
                lines
            };
            while routes() != ["va 1024", "vb 1025"] {
                assert!(started.elapsed() < Duration::from_secs(3), "{:?}\n{}", routes(), booted.log);
                std::thread::sleep(Duration::from_millis(100));
            }
        },
    );
}
