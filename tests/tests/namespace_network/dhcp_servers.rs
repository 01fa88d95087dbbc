//! Whole boots by the leases of Kea and ISC's dhcpd: what dnsmasq accepts and sends need not be what others do.

use dayfly_init::boot::Ended;
use serde_json::{Value, json};

use crate::boots::{Booted, booted_on};
use crate::hosts::{Host, Server, Site, Switch};
use crate::servers::{dhcpd, kea4, kea6, radvd};

/// More routes than the 255 bytes of one option can carry, so the server splits them (RFC 3396).
const ROUTES: u8 = 40;
/// The same for search domains.
const DOMAINS: u8 = 12;

/// Boots from the image behind a router, with servers on the same host.
fn booted_by(words: &str, serve: impl FnOnce(&Host) -> Vec<Server> + Send) -> Booted {
    let booted = booted_on(words, |site| {
        let router = Switch::of_node(site, "va").host(site, "router", &["10.9.1.1/24", "fd09:1::1/64"]);
        let mut servers = serve(&router);
        servers.push(router.nginx(&site.www));
        servers
    });
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    booted
}

/// The networks of the long option, with their router.
fn routes() -> Vec<String> {
    (0..ROUTES).map(|third| format!("192.168.{third}.0/24")).collect()
}

fn domains() -> Vec<String> {
    // Without a common end, which the server could compress.
    (0..DOMAINS).map(|number| format!("a-domain-of-the-lab.number-{number}.example{number}")).collect()
}

/// The bytes of option 121 in hexadecimal (RFC 3442), separated by `between`.
fn classless_routes(between: &str) -> String {
    let routes = (0..ROUTES).flat_map(|third| [24, 192, 168, third, 10, 9, 1, 1]);
    let all = routes.chain([0, 10, 9, 1, 1]);
    all.map(|byte: u8| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
}

fn kea(host: &Host) -> Server {
    kea4(
        host,
        &json!({
            "subnet": "10.9.1.0/24",
            "pools": [{ "pool": "10.9.1.50 - 10.9.1.60" }],
            "option-data": [
                { "name": "domain-name-servers", "data": "10.9.1.2, 10.9.1.3" },
                { "name": "interface-mtu", "data": "1400" },
                { "name": "domain-search", "data": domains().join(", ") },
                { "code": 121, "csv-format": false, "data": classless_routes("") },
            ],
        }),
    )
}

fn isc(host: &Host) -> Server {
    let domains = domains().iter().map(|domain| format!("{domain:?}")).collect::<Vec<_>>().join(", ");
    let options = format!(
        "option classless-routes code 121 = string;
         subnet 10.9.1.0 netmask 255.255.255.0 {{
           range 10.9.1.50 10.9.1.60;
           option domain-name-servers 10.9.1.2, 10.9.1.3;
           option interface-mtu 1400;
           option domain-search {domains};
           option classless-routes {};
         }}",
        classless_routes(":")
    );
    dhcpd(host, 4, &options)
}

/// The lines of a lease file that have all these words.
fn recorded<'a>(leases: &'a str, words: &[&str]) -> Vec<&'a str> {
    // dhcpd writes a block for each lease, Kea a line.
    let records = leases.split(if leases.contains("lease ") { "\n}\n" } else { "\n" });
    records.filter(|record| words.iter().all(|word| record.contains(word))).collect()
}

#[test]
fn a_lease_with_long_options_comes_from_kea_and_from_dhcpd() {
    for server in [kea, isc] {
        let booted = booted_by("ip=va:dhcp", |host| vec![server(host)]);
        let addresses = booted.addresses_of("va");
        let address = addresses[0].strip_suffix("/24").unwrap();
        assert!(address.starts_with("10.9.1.5") || address == "10.9.1.60", "{address}");
        assert_eq!(booted.card("va")["mtu"], 1400);

        let mut expected = routes();
        expected.extend(["default".into()]);
        let via_router = |route: &&Value| route["gateway"] == "10.9.1.1" && route["dev"] == "va";
        let mut found: Vec<&str> = booted
            .routes
            .as_array()
            .unwrap()
            .iter()
            .filter(via_router)
            .map(|route| route["dst"].as_str().unwrap())
            .collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{}", booted.log);

        let servers = "nameserver 10.9.1.2\nnameserver 10.9.1.3\n";
        let search = format!("search {}\n", domains().join(" "));
        assert!(booted.resolv_conf.contains(servers), "{}", booted.resolv_conf);
        assert!(booted.resolv_conf.contains(&search), "{}", booted.resolv_conf);

        let leases = &booted.leases["router"];
        assert_eq!(recorded(leases, &[address, "02:00:00:00:00:01"]).len(), 1, "{leases}");
    }
}

/// Kea knows the node by its MAC address, and gives it an address and a name.
#[test]
fn a_reservation_of_kea_is_for_this_node() {
    let subnet = json!({
        "subnet": "10.9.1.0/24",
        "pools": [{ "pool": "10.9.1.50 - 10.9.1.60" }],
        "option-data": [{ "name": "routers", "data": "10.9.1.1" }],
        "reservations": [{ "hw-address": "02:00:00:00:00:01", "ip-address": "10.9.1.77", "hostname": "worker7.lab.example" }],
    });
    let booted = booted_by("ip=va:dhcp", |host| vec![kea4(host, &subnet)]);
    assert_eq!(booted.addresses_of("va"), ["10.9.1.77/24"]);
    assert_eq!(booted.report["node"]["hostname"], "worker7.lab.example", "{}", booted.report["node"]);
    assert_eq!(recorded(&booted.leases["router"], &["10.9.1.77"]).len(), 1, "{:?}", booted.leases);
}

/// Two servers on one segment offer: one address is used, and the other server records no lease.
#[test]
fn of_two_offers_one_becomes_a_lease() {
    let booted = booted_on("ip=va:dhcp", |site: &Site| {
        let switch = Switch::of_node(site, "va");
        let router = switch.host(site, "router", &["10.9.1.1/24"]);
        let other = switch.host(site, "other", &["10.9.1.2/24"]);
        let subnet = |last: u8| {
            json!({
                "subnet": "10.9.1.0/24",
                "pools": [{ "pool": format!("10.9.1.{last} - 10.9.1.{last}") }],
                "option-data": [{ "name": "routers", "data": "10.9.1.1" }],
            })
        };
        vec![kea4(&router, &subnet(50)), kea4(&other, &subnet(60)), router.nginx(&site.www)]
    });
    assert_eq!(booted.ended, Ended::Left, "{}", booted.log);
    let addresses = booted.addresses_of("va");
    let (winner, loser) = match &*addresses {
        [one] if one == "10.9.1.50/24" => ("router", "other"),
        [one] if one == "10.9.1.60/24" => ("other", "router"),
        _ => panic!("{addresses:?}\n{}", booted.log),
    };
    let leases = |host: &str| recorded(&booted.leases[host], &["02:00:00:00:00:01"]).len();
    assert_eq!((leases(winner), leases(loser)), (1, 0), "{:?}", booted.leases);
}

/// Addresses by DHCPv6 alone: the router advertises the flag M and no prefix for others.
#[test]
fn an_ipv6_address_comes_from_kea_and_from_dhcpd() {
    let kea = |host: &Host| {
        kea6(
            host,
            &json!({
                "subnet": "fd09:1::/64",
                "interface": "lan",
                "pools": [{ "pool": "fd09:1::50 - fd09:1::59" }],
                "option-data": [
                    { "name": "dns-servers", "data": "fd09:1::53" },
                    { "name": "domain-search", "data": "lab.example" },
                ],
            }),
        )
    };
    let isc = |host: &Host| {
        let options = "subnet6 fd09:1::/64 { range6 fd09:1::50 fd09:1::59;
            option dhcp6.name-servers fd09:1::53; option dhcp6.domain-search \"lab.example\"; }";
        dhcpd(host, 6, options)
    };
    for server in [&kea as &(dyn Fn(&Host) -> Server + Sync), &isc] {
        let words = "root=live:http://[fd09:9::9]/os.squashfs";
        let booted = booted_by(words, |host| {
            vec![server(host), radvd(host, "AdvManagedFlag on; AdvOtherConfigFlag on;")]
        });
        let addresses = booted.addresses6_of("va");
        let [address] = &*addresses else { panic!("{addresses:?}\n{}", booted.log) };
        let address = address.strip_suffix("/128").unwrap();
        assert!(address.starts_with("fd09:1::5"), "{address}");
        let names = "nameserver fd09:1::53\nsearch lab.example\n";
        assert!(booted.resolv_conf.contains(names), "{}", booted.resolv_conf);
        assert!(!recorded(&booted.leases["router"], &[address]).is_empty(), "{:?}", booted.leases);
    }
}

/// The flag O: an address from the router's prefix, and names from a DHCPv6 server, which records no lease.
#[test]
fn names_come_from_kea_and_from_dhcpd_without_a_lease() {
    let kea = |host: &Host| {
        kea6(
            host,
            &json!({
                "subnet": "fd09:1::/64",
                "interface": "lan",
                "option-data": [
                    { "name": "dns-servers", "data": "fd09:1::53" },
                    { "name": "domain-search", "data": "lab.example" },
                ],
            }),
        )
    };
    let isc = |host: &Host| {
        let options = "option dhcp6.name-servers fd09:1::53; option dhcp6.domain-search \"lab.example\"; subnet6 fd09:1::/64 { }";
        dhcpd(host, 6, options)
    };
    for server in [&kea as &(dyn Fn(&Host) -> Server + Sync), &isc] {
        let words = "root=live:http://[fd09:9::9]/os.squashfs";
        let booted = booted_by(words, |host| {
            vec![server(host), radvd(host, "AdvOtherConfigFlag on; prefix fd09:1::/64 { };")]
        });
        let addresses = booted.addresses6_of("va");
        assert!(addresses.len() == 1 && addresses[0].ends_with("/64"), "{addresses:?}\n{}", booted.log);
        let names = "nameserver fd09:1::53\nsearch lab.example\n";
        assert!(booted.resolv_conf.contains(names), "{}", booted.resolv_conf);
        assert!(recorded(&booted.leases["router"], &["fd09:1::"]).is_empty(), "{:?}", booted.leases);
    }
}
