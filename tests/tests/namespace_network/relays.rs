//! Whole boots by a DHCP server in another network, behind a relay.

use dayfly_init::boot::Ended;
use serde_json::json;

use crate::boots::{Booted, booted_on};
use crate::hosts::{Host, Server, Switch};
use crate::servers::{dhcpd, dhcrelay, kea4, radvd};

/// Boots behind a relay, which is the router to the image as well. The server is at 10.9.8.2 and fd09:8::2.
fn booted_behind(
    words: &str,
    relay: impl FnOnce(&Host) -> Vec<Server> + Send,
    serve: impl FnOnce(&Host) -> Server + Send,
) -> Booted {
    let booted = booted_on(words, |site| {
        let (clients, inner) = (Switch::of_node(site, "va"), Switch::new(site, "switch-up"));
        let router = clients.host(site, "router", &["10.9.1.1/24", "fd09:1::1/64"]);
        inner.plug(&router, "uplink", &["10.9.8.1/24", "fd09:8::1/64"]);
        let server = inner.host(site, "server", &["10.9.8.2/24", "fd09:8::2/64"]);
        server.shell("ip route add 10.9.1.0/24 via 10.9.8.1; ip route add fd09:1::/64 via fd09:8::1");
        let mut servers = vec![serve(&server)];
        servers.extend(relay(&router));
        servers.push(router.nginx(&site.www));
        servers
    });
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    booted
}

/// The address of the node is the only one, in the range, and in the server's records.
fn assert_leased(booted: &Booted, addresses: &[String]) {
    let [address] = addresses else { panic!("{addresses:?}\n{}", booted.log) };
    let (address, _) = address.split_once('/').unwrap();
    assert!(address.starts_with("10.9.1.5") || address.starts_with("fd09:1::5"), "{address}");
    assert!(booted.leases["server"].contains(address), "{address} is not in {:?}", booted.leases);
}

/// ISC's relay with Kea behind it, and dnsmasq as a relay with ISC's server behind it.
#[test]
fn a_lease_comes_through_a_relay() {
    let kea = |host: &Host| {
        kea4(
            host,
            &json!({
                "subnet": "10.9.1.0/24",
                "pools": [{ "pool": "10.9.1.50 - 10.9.1.59" }],
                "option-data": [{ "name": "routers", "data": "10.9.1.1" }],
            }),
        )
    };
    let isc_relay = |host: &Host| vec![dhcrelay(host, &["-4", "-id", "lan", "-iu", "uplink", "10.9.8.2"])];
    let booted = booted_behind("ip=va:dhcp", isc_relay, kea);
    assert_leased(&booted, &booted.addresses_of("va"));
    let detail = booted.attempts("settle")[0]["detail"].to_string();
    assert!(detail.contains("from the DHCP server 10.9.8.2"), "{detail}");

    let isc = |host: &Host| {
        let networks = "subnet 10.9.8.0 netmask 255.255.255.0 { }
            subnet 10.9.1.0 netmask 255.255.255.0 { range 10.9.1.50 10.9.1.59; option routers 10.9.1.1; }";
        dhcpd(host, 4, networks)
    };
    let dnsmasq = |host: &Host| vec![host.dnsmasq(&["--dhcp-relay=10.9.1.1,10.9.8.2".into()])];
    let booted = booted_behind("ip=va:dhcp", dnsmasq, isc);
    assert_leased(&booted, &booted.addresses_of("va"));
}

#[test]
fn an_ipv6_address_comes_through_a_relay() {
    let isc = |host: &Host| {
        let networks = "subnet6 fd09:8::/64 { } subnet6 fd09:1::/64 { range6 fd09:1::50 fd09:1::59; }";
        dhcpd(host, 6, networks)
    };
    let relay = |host: &Host| {
        vec![dhcrelay(host, &["-6", "-l", "lan", "-u", "uplink"]), radvd(host, "AdvManagedFlag on;")]
    };
    let booted = booted_behind("root=live:http://[fd09:9::9]/os.squashfs", relay, isc);
    assert_leased(&booted, &booted.addresses6_of("va"));
}
