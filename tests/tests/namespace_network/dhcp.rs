//! DHCPv4 with a real dnsmasq: rapid commit, vendor classes, IPv6-only networks, addresses that another host has, and leases that
//! are extended during a long download.

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use dayfly_formats::arp::Arp;
use dayfly_formats::mac::Mac;
use dayfly_init::boot::Ended;
use dayfly_sys::{Kernel, Network as _};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::boots::{GOOD, Network, booted, booted_on, booted_under, serve};
use crate::namespace::{run, shell};

const NOTHING: Network = Network { dhcp: None, has_image: false, refuses: true };

fn dnsmasq(options: &'static [&'static str]) -> Network {
    Network { dhcp: Some(options), ..GOOD }
}

#[test]
fn a_server_with_rapid_commit_gives_the_lease_in_one_answer() {
    let booted = booted("ip=va:dhcp rd.debug", [dnsmasq(&["--dhcp-rapid-commit", "--log-dhcp"]), NOTHING]);
    booted.assert_only("va", "vb");
    assert!(!booted.log.contains("Offer {"), "an OFFER was sent\n{}", booted.log);
    assert!(!booted.servers_log.contains("DHCPREQUEST"), "{}", booted.servers_log);
    assert!(booted.servers_log.contains("DHCPACK(lan)"), "{}", booted.servers_log);
}

#[test]
fn a_server_answers_by_vendor_class() {
    let by_class: &[&str] = &[
        "--dhcp-vendorclass=set:ours,dayfly",
        "--dhcp-vendorclass=set:red,RedHat",
        "--dhcp-range=tag:ours,10.9.1.70,10.9.1.79,255.255.255.0,1h",
        "--dhcp-range=tag:red,10.9.1.80,10.9.1.89,255.255.255.0,1h",
    ];
    for (words, start) in [("", "10.9.1.7"), ("rd.net.dhcp.vendor-class=RedHat", "10.9.1.8")] {
        let booted = booted(&format!("ip=va:dhcp {words}"), [dnsmasq(by_class), NOTHING]);
        booted.assert_only("va", "vb");
        let address = booted.addresses_of("va")[0].clone();
        assert!(address.starts_with(start), "{words}: {address}");
    }
}

#[test]
fn an_interface_of_an_ipv6_only_network_has_no_lease() {
    // 1800 s. The image has a name there; its address would need IPv4.
    let only: &[&str] = &[
        "--dhcp-range=10.9.1.50,10.9.1.60,255.255.255.0,1h",
        "--dhcp-option=108,00:00:07:08",
        "--enable-ra",
        "--dhcp-range=fd09:1::,ra-only,64,1h",
    ];
    let words = "root=live:http://[fd09:9::9]/os.squashfs ip=va:auto";
    let booted = booted(words, [dnsmasq(only), NOTHING]);
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    assert_eq!(booted.addresses_of("va"), [""; 0], "{}", booted.addresses);
    assert_eq!(booted.addresses6_of("va").len(), 1, "{}", booted.addresses);
    let told = "prefers IPv6 only (option 108), so no lease is requested for 1800 s";
    assert!(booted.log.contains(told), "{}", booted.log);
    assert!(!booted.servers_log.contains("DHCPREQUEST"), "{}", booted.servers_log);
    // The option alone, which any host of the link can send, does not leave a node without an address: the server has a name, and
    // there is no router.
    let lies: &[&str] =
        &["--dhcp-range=10.9.1.50,10.9.1.60,255.255.255.0,1h", "--dhcp-option=108,00:00:07:08"];
    let words = "root=live:http://image.test/os.squashfs ip=va:auto";
    let booted = self::booted(words, [dnsmasq(lies), NOTHING]);
    assert!(booted.servers_log.contains("DHCPACK(lan)"), "{}", booted.log);
    assert!(booted.log.contains("no IPv6 address within 10 s, so IPv4 is used after all"), "{}", booted.log);
    // A server with an IPv4 address needs the lease.
    let booted = self::booted("ip=va:auto", [dnsmasq(only), NOTHING]);
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    assert_eq!(booted.addresses_of("va").len(), 1, "{}", booted.addresses);
}

/// The server of the image has its address only after this time.
fn comes_late(time: Duration) {
    let network = fs::File::open("/run/netns/net-va").unwrap();
    shell("ip netns exec net-va ip address del 10.9.9.9/32 dev lo");
    std::thread::spawn(move || {
        setns(network, CloneFlags::CLONE_NEWNET).unwrap();
        std::thread::sleep(time);
        run("ip", &["address", "add", "10.9.9.9/32", "dev", "lo"]);
    });
}

/// Answers, in the network of va, for an address that the server gives to the node, from the probe of this number on.
fn other_host(address: Ipv4Addr, mac: Mac, probes: usize) {
    let network = fs::File::open("/run/netns/net-va").unwrap();
    std::thread::spawn(move || {
        setns(network, CloneFlags::CLONE_NEWNET).unwrap();
        let kernel = Kernel::new();
        let lan = kernel.links().unwrap().into_iter().find(|link| link.name == "lan").unwrap();
        let mut port = kernel.arp_port(lan.index, address).unwrap();
        let started = Instant::now();
        let mut heard = 0;
        while started.elapsed() < Duration::from_secs(60) {
            // The network disappears with the test.
            let Ok(packet) = port.receive(Duration::from_millis(200)) else { return };
            let Some(Ok(asked)) = packet.map(|(packet, _)| Arp::parse(&packet)) else { continue };
            heard += 1;
            if heard < probes {
                continue;
            }
            let answer = Arp {
                is_reply: true,
                sender_mac: mac,
                sender: address,
                target_mac: asked.sender_mac,
                target: asked.sender,
            };
            let _ = port.send(&answer.encode());
        }
    });
}

#[test]
fn an_address_that_another_host_has_is_declined() {
    let (address, mac) = (Ipv4Addr::new(10, 9, 1, 55), Mac([2, 0, 0, 0, 0, 0x77]));
    let fixed: &[&str] = &[
        "--dhcp-host=02:00:00:00:00:01,10.9.1.55",
        "--dhcp-range=10.9.1.50,10.9.1.60,255.255.255.0,1h",
        "--log-dhcp",
    ];
    // The second answers when it has heard two packets with the address: the node has configured it, and asks for its image over it.
    for (probes, networks) in [(1, [dnsmasq(fixed), NOTHING]), (2, [dnsmasq(fixed), NOTHING])] {
        let words = "ip=va:dhcp rd.route=10.66.0.0/16:10.9.1.9";
        let booted = booted_under(words, networks, || {
            // The answer of the other host must come during the boot, also on a busy machine.
            comes_late(Duration::from_secs(3));
            other_host(address, mac, probes);
        });
        booted.assert_only("va", "vb");
        assert_ne!(booted.addresses_of("va"), ["10.9.1.55/24"], "{}", booted.log);
        // A static route goes with the address, and comes back with the next one.
        let routes = booted.routes.as_array().unwrap();
        let has = |route: &Value| route["dst"] == "10.66.0.0/16" && route["gateway"] == "10.9.1.9";
        assert!(routes.iter().any(has), "{}\n{}", booted.routes, booted.log);
        let told = "va: 10.9.1.55 is in use by 02:00:00:00:00:77, which answered by ARP";
        assert!(booted.log.contains(told), "{}", booted.log);
        assert!(booted.servers_log.contains("DHCPDECLINE(lan) 10.9.1.55"), "{}", booted.servers_log);
        // RFC 2131 has a pause of 10 s, also if the boot begins again with the network.
        assert!(booted.took >= Duration::from_secs(10), "{:?}", booted.took);
    }
}

/// A switch that answers by ARP for every address (proxy ARP). The first answer looks like a conflict, the second one shows what it is.
#[test]
fn a_proxy_that_answers_for_every_address_is_no_conflict() {
    let range: &[&str] = &["--dhcp-range=10.9.1.50,10.9.1.60,255.255.255.0,1h"];
    let proxy = Mac([2, 0, 0, 0, 0, 0x77]);
    let booted = booted_under("ip=va:dhcp rd.retry=90", [dnsmasq(range), NOTHING], || {
        // The second address comes after the pause of 10 s. The answer for it must come during the boot, also on a busy machine.
        comes_late(Duration::from_secs(15));
        for last in 50..=60 {
            other_host(Ipv4Addr::new(10, 9, 1, last), proxy, 1);
        }
    });
    booted.assert_only("va", "vb");
    let told = "va: 02:00:00:00:00:77 answers by ARP for 10.9.1.";
    assert_eq!(booted.log.matches(told).count(), 1, "{}", booted.log);
    assert_eq!(booted.servers_log.matches("DHCPDECLINE(lan)").count(), 1, "{}", booted.servers_log);
}

/// The kernel answers for an address of the host on all its interfaces. If vb is in the network of va, its hardware address answers.
#[test]
fn another_interface_of_the_host_is_no_conflict() {
    let fixed: &[&str] =
        &["--dhcp-host=02:00:00:00:00:01,10.9.1.55", "--dhcp-range=10.9.1.50,10.9.1.60,255.255.255.0,1h"];
    let (address, vb) = (Ipv4Addr::new(10, 9, 1, 55), Mac([2, 0, 0, 0, 0, 2]));
    let booted = booted_under("ip=va:dhcp", [dnsmasq(fixed), NOTHING], || other_host(address, vb, 1));
    booted.assert_only("va", "vb");
    assert_eq!(booted.addresses_of("va"), ["10.9.1.55/24"], "{}", booted.log);
}

/// The server gives other routes and another name server when the lease is renewed. systemd-networkd would apply them, too.
#[test]
fn what_a_renewed_lease_changes_is_applied() {
    const OPTIONS: &[&str] = &[
        "--dhcp-range=10.9.1.50,10.9.1.60,255.255.255.0,2m",
        "--dhcp-option-force=option:T1,3",
        "--dhcp-option-force=option:T2,100",
        "--dhcp-optsfile=/run/options",
    ];
    let booted = booted_on("ip=va:dhcp", |site| {
        let before = "121,0.0.0.0/0,10.9.1.1,10.77.0.0/16,10.9.1.1\noption:dns-server,10.9.1.52\n";
        let after = "121,0.0.0.0/0,10.9.1.2,10.78.0.0/16,10.9.1.1\noption:dns-server,10.9.1.53\n";
        fs::write("/run/options", before).unwrap();
        let mut options = fs::File::options().write(true).open("/run/options").unwrap();
        let servers = serve(site, "va", dnsmasq(OPTIONS));
        shell("ip netns exec net-va ip address add 10.9.1.2/24 dev lan");
        comes_late(Duration::from_secs(12));
        let script =
            "for pid in $(ip netns pids net-va); do grep -qx dnsmasq /proc/$pid/comm && echo $pid; done";
        let pid: i32 = shell(&format!("{script}; true")).trim().parse().unwrap();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(5));
            // Both have the same length.
            options.write_all(after.as_bytes()).unwrap();
            kill(Pid::from_raw(pid), Signal::SIGHUP).unwrap();
        });
        servers
    });
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    let routes = booted.routes.as_array().unwrap();
    let via = |to: &str| -> Vec<&str> {
        let to_it = routes.iter().filter(|route| route["dst"] == to);
        to_it.map(|route| route["gateway"].as_str().unwrap()).collect()
    };
    assert_eq!(via("default"), ["10.9.1.2"], "{}\n{}", booted.routes, booted.log);
    assert_eq!(via("10.77.0.0/16"), [""; 0], "{}", booted.routes);
    assert_eq!(via("10.78.0.0/16"), ["10.9.1.1"], "{}", booted.routes);
    assert!(booted.resolv_conf.contains("nameserver 10.9.1.53\n"), "{}", booted.resolv_conf);
    assert!(!booted.resolv_conf.contains("10.9.1.52"), "{}", booted.resolv_conf);
}

#[test]
fn a_lease_is_extended_while_the_image_is_awaited() {
    // Two minutes are the shortest lease of dnsmasq; T1 is 3 s, and the client waits at least 10 s.
    let short: &[&str] = &[
        "--dhcp-range=10.9.1.50,10.9.1.60,255.255.255.0,2m",
        "--dhcp-option-force=option:T1,3",
        "--dhcp-option-force=option:T2,100",
    ];
    let booted = booted_under("ip=va:dhcp", [dnsmasq(short), NOTHING], || {
        comes_late(Duration::from_secs(14));
    });
    booted.assert_only("va", "vb");
    assert!(booted.took >= Duration::from_secs(10), "{:?}", booted.took);
    let extended = booted.log.matches(" is extended for 120 s by 10.9.1.1").count();
    assert!(extended >= 1, "{extended} times\n{}\n{}", booted.log, booted.servers_log);
    let address = &booted.card("va")["addr_info"][0];
    let left = address["valid_life_time"].as_u64().unwrap();
    assert!((112..=120).contains(&left), "{left} s of 120 s are left: {address}");
}
