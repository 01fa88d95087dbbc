//! Interfaces, addresses, routes and uevents against iproute2 and the real kernel.

mod namespace;

use std::time::Duration;

use dayfly_sys::{
    Devices, Files, Kernel, Link, LinkChange, LinkKind, LinkRoute, Network, NewLink, NewLinkKind, Platform,
    RouteOrigin, own,
};
use namespace::{apart, run};
use serde_json::Value;

fn ip(args: &[&str]) -> Value {
    let mut all = vec!["-json", "-details"];
    all.extend(args);
    serde_json::from_str(&run("ip", &all)).unwrap()
}

fn pair(kernel: &Kernel) -> (Link, Link) {
    run("ip", &["link", "add", "va", "type", "veth", "peer", "name", "vb"]);
    let find = |name: &str| kernel.links().unwrap().into_iter().find(|link| link.name == name).unwrap();
    (find("va"), find("vb"))
}

fn address(text: &str, prefix: u8, valid: Option<u64>) -> LinkChange {
    let valid = valid.map(Duration::from_secs);
    LinkChange::Address { address: text.parse().unwrap(), prefix, valid, peer: None }
}

fn route(to: Option<(&str, u8)>, via: Option<&str>, metric: u32, on_link: bool) -> LinkChange {
    LinkChange::Route {
        destination: to.map(|(net, bits)| (net.parse().unwrap(), bits)),
        gateway: via.map(|gateway| gateway.parse().unwrap()),
        metric,
        on_link,
        source: None,
        origin: RouteOrigin::Static,
    }
}

#[test]
fn links_are_what_ip_shows() {
    apart(|kernel, _| {
        pair(kernel);
        run("ip", &["link", "set", "va", "up", "mtu", "1400"]);
        let ours = kernel.links().unwrap();
        let theirs = ip(&["link"]);
        assert_eq!(ours.len(), theirs.as_array().unwrap().len());
        for theirs in theirs.as_array().unwrap() {
            let ours = ours.iter().find(|link| theirs["ifindex"] == link.index).unwrap();
            assert_eq!(theirs["ifname"], ours.name.as_str());
            assert_eq!(theirs["mtu"], ours.mtu);
            let flag = |name: &str| theirs["flags"].as_array().unwrap().iter().any(|flag| flag == name);
            assert_eq!((flag("UP"), flag("LOWER_UP")), (ours.up, ours.carrier), "{}", ours.name);
            let kind = match &ours.kind {
                LinkKind::Loopback => "loopback",
                LinkKind::Ethernet => "",
                LinkKind::Virtual(kind) => kind,
            };
            let expected = match (&theirs["link_type"], &theirs["linkinfo"]["info_kind"]) {
                (Value::String(kind), _) if kind == "loopback" => "loopback",
                (_, Value::String(kind)) => kind,
                _ => "",
            };
            assert_eq!(kind, expected, "{}", ours.name);
            if let Some(mac) = ours.mac {
                let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
                assert_eq!(theirs["address"], mac.as_str());
            } else {
                assert!(
                    theirs["address"] == "00:00:00:00:00:00"
                        || theirs["address"].as_str().is_none_or(|a| a.len() != 17)
                );
            }
        }
    });
}

#[test]
fn a_link_goes_up_and_changes_its_mtu() {
    apart(|kernel, _| {
        let (va, vb) = pair(kernel);
        let look = |index| kernel.links().unwrap().into_iter().find(|link| link.index == index).unwrap();
        kernel.change_link(va.index, &LinkChange::Mtu(1280)).unwrap();
        kernel.change_link(va.index, &LinkChange::Up).unwrap();
        assert_eq!((look(va.index).mtu, look(va.index).up), (1280, true));
        assert!(!look(va.index).carrier, "the other end is not up yet");
        kernel.change_link(vb.index, &LinkChange::Up).unwrap();
        assert!(look(va.index).carrier);
        kernel.change_link(va.index, &LinkChange::Down).unwrap();
        assert!(!look(va.index).up);

        let error = kernel.change_link(va.index, &LinkChange::Mtu(1)).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("set the MTU 1 of interface {}: Invalid argument", va.index)),
            "{error}"
        );
        assert!(error.words.contains('('), "the kernel's extended message: {error}");
        let error = kernel.change_link(9999, &LinkChange::Up).unwrap_err();
        assert_eq!(error.errno(), Some(nix::errno::Errno::ENODEV as i32), "{error}");
    });
}

#[test]
fn addresses_have_broadcast_and_lifetimes() {
    apart(|kernel, _| {
        let (va, vb) = pair(kernel);
        kernel.change_link(va.index, &LinkChange::Up).unwrap();
        kernel.change_link(vb.index, &LinkChange::Up).unwrap();
        kernel.change_link(va.index, &address("10.1.2.3", 24, Some(3600))).unwrap();
        kernel.change_link(va.index, &address("fd00::3", 64, Some(600))).unwrap();
        kernel.change_link(va.index, &address("10.9.0.1", 31, None)).unwrap();
        let shown = |text: &str| {
            let table = ip(&["address", "show", "dev", "va"]);
            let rows = table[0]["addr_info"].as_array().unwrap().clone();
            let found: Vec<Value> = rows.into_iter().filter(|row| row["local"] == text).collect();
            assert_eq!(found.len(), 1, "{text}");
            found[0].clone()
        };
        let row = shown("10.1.2.3");
        assert_eq!((&row["broadcast"], &row["prefixlen"]), (&"10.1.2.255".into(), &24.into()));
        assert!((3590..=3600).contains(&row["valid_life_time"].as_u64().unwrap()), "{row}");
        assert!((590..=600).contains(&shown("fd00::3")["preferred_life_time"].as_u64().unwrap()));
        assert_eq!(shown("10.9.0.1").get("broadcast"), None);
        // A refresh changes the time and nothing else.
        kernel.change_link(va.index, &address("10.1.2.3", 24, None)).unwrap();
        assert_eq!(shown("10.1.2.3")["valid_life_time"], u32::MAX);
    });
}

#[test]
fn routes_are_added_replaced_and_flushed() {
    apart(|kernel, _| {
        let (va, vb) = pair(kernel);
        for link in [&va, &vb] {
            kernel.change_link(link.index, &LinkChange::Up).unwrap();
        }
        run("ip", &["address", "add", "10.8.0.1/24", "dev", "vb"]);
        kernel.change_link(va.index, &address("10.1.2.3", 24, None)).unwrap();
        kernel.change_link(va.index, &address("fd00::3", 64, None)).unwrap();
        for change in [
            route(None, Some("10.1.2.1"), 100, false),
            route(None, Some("10.1.2.254"), 100, false),
            route(Some(("192.168.0.0", 16)), Some("10.1.2.7"), 0, false),
            route(Some(("172.16.9.9", 32)), None, 5, false),
            route(Some(("203.0.113.0", 24)), Some("198.51.100.1"), 0, true),
            route(None, Some("fe80::1"), 50, false),
            route(Some(("2001:db8::", 32)), Some("fd00::1"), 0, false),
        ] {
            kernel.change_link(va.index, &change).unwrap_or_else(|error| panic!("{change:?}: {error}"));
        }
        let table = ip(&["route", "show", "dev", "va"]);
        let row = |to: &str| -> Value {
            let found: Vec<&Value> =
                table.as_array().unwrap().iter().filter(|row| row["dst"] == to).collect();
            assert_eq!(found.len(), 1, "{to} in {table}");
            found[0].clone()
        };
        assert_eq!(
            (&row("default")["gateway"], &row("default")["metric"]),
            (&"10.1.2.254".into(), &100.into())
        );
        assert_eq!(row("192.168.0.0/16")["gateway"], "10.1.2.7");
        assert_eq!((&row("172.16.9.9")["scope"], &row("172.16.9.9")["metric"]), (&"link".into(), &5.into()));
        assert!(row("203.0.113.0/24")["flags"].as_array().unwrap().contains(&"onlink".into()));
        assert_eq!(row("10.1.2.0/24")["protocol"], "kernel");
        let six = ip(&["-6", "route", "show", "dev", "va"]).to_string();
        assert!(six.contains("fe80::1") && six.contains("2001:db8::/32"), "{six}");

        let error = kernel
            .change_link(va.index, &route(Some(("192.0.2.0", 24)), Some("198.51.100.9"), 0, false))
            .unwrap_err();
        assert!(error.words.contains("Nexthop has invalid gateway"), "{error}");

        kernel.change_link(va.index, &LinkChange::Flush(None)).unwrap();
        assert_eq!(ip(&["-4", "route", "show", "dev", "va"]), Value::Array(Vec::new()));
        let left = run("ip", &["-6", "-brief", "address", "show", "dev", "va"]);
        assert!(!left.contains("fd00::3") && left.contains("fe80::"), "{left}");
        let six = run("ip", &["-6", "route", "show", "dev", "va"]);
        assert!(!six.contains("2001:db8") && !six.contains("default"), "{six}");
        assert!(
            run("ip", &["address", "show", "dev", "vb"]).contains("10.8.0.1/24"),
            "another interface was flushed"
        );
    });
}

fn find(kernel: &Kernel, index: u32) -> Option<Link> {
    kernel.links().unwrap().into_iter().find(|link| link.index == index)
}

fn bridge(name: &str, mac: Option<[u8; 6]>, mtu: Option<u32>) -> NewLink {
    NewLink { name: name.to_owned(), kind: NewLinkKind::Bridge, mac, mtu }
}

#[test]
fn a_bridge_is_created_and_removed() {
    apart(|kernel, _| {
        let mac = [2, 0, 0, 0, 0, 9];
        let index = kernel.create_link(&bridge("br0", Some(mac), Some(1400))).unwrap();
        let found = find(kernel, index).unwrap();
        assert_eq!((found.name.as_str(), found.mac, found.mtu, found.up), ("br0", Some(mac), 1400, false));
        assert_eq!(found.kind, LinkKind::Virtual(NewLinkKind::Bridge.name().to_owned()));

        let error = kernel.create_link(&bridge("br0", None, None)).unwrap_err();
        assert_eq!(error.errno(), Some(nix::errno::Errno::EEXIST as i32), "{error}");
        assert!(error.to_string().starts_with("create the bridge br0: File exists"), "{error}");
        kernel.remove_link(index).unwrap();
        assert_eq!(find(kernel, index), None);
        let error = kernel.remove_link(index).unwrap_err();
        assert_eq!(error.errno(), Some(nix::errno::Errno::ENODEV as i32), "{error}");

        let index = kernel.create_link(&bridge("br0", None, None)).unwrap();
        assert!(find(kernel, index).unwrap().mac.is_some(), "the kernel chooses one");
        // A parent that is not there, whatever kinds of devices this kernel has.
        let vlan = NewLinkKind::Vlan { parent: 9999, id: 7 };
        let new = NewLink { name: "v7".to_owned(), kind: vlan, mac: None, mtu: None };
        let error = kernel.create_link(&new).unwrap_err();
        assert!(error.to_string().starts_with("create the vlan v7: "), "{error}");
    });
}

#[test]
fn a_port_joins_a_bridge_and_leaves_it() {
    apart(|kernel, _| {
        let (va, vb) = pair(kernel);
        assert_eq!((va.parent, vb.parent), (Some(vb.index), Some(va.index)), "the ends of a veth");
        let br0 = kernel.create_link(&bridge("br0", None, None)).unwrap();
        kernel.change_link(va.index, &LinkChange::Port(Some(br0))).unwrap();
        assert_eq!(find(kernel, va.index).unwrap().port_of, Some(br0));
        assert_eq!(ip(&["link", "show", "dev", "va"])[0]["master"], "br0");
        kernel.change_link(va.index, &LinkChange::Port(None)).unwrap();
        assert_eq!(find(kernel, va.index).unwrap().port_of, None);

        let error = kernel.change_link(va.index, &LinkChange::Port(Some(vb.index))).unwrap_err();
        let expected = format!("attach to interface {} interface {}: ", vb.index, va.index);
        assert!(error.to_string().starts_with(&expected), "{error}");
        // Its ports outlive a bridge.
        kernel.change_link(va.index, &LinkChange::Port(Some(br0))).unwrap();
        kernel.remove_link(br0).unwrap();
        assert_eq!(find(kernel, va.index).unwrap().port_of, None);
    });
}

#[test]
fn a_link_changes_its_name_and_hardware_address() {
    apart(|kernel, _| {
        let (va, _) = pair(kernel);
        let mac = [2, 0, 0, 0, 0, 0x77];
        kernel.change_link(va.index, &LinkChange::Mac(mac)).unwrap();
        kernel.change_link(va.index, &LinkChange::Name("uplink".to_owned())).unwrap();
        let found = find(kernel, va.index).unwrap();
        assert_eq!((found.name.as_str(), found.mac), ("uplink", Some(mac)));

        let error = kernel.change_link(va.index, &LinkChange::Name("vb".to_owned())).unwrap_err();
        assert_eq!(error.errno(), Some(nix::errno::Errno::EEXIST as i32), "{error}");
        // A group address.
        let error = kernel.change_link(va.index, &LinkChange::Mac([1, 0, 0, 0, 0, 1])).unwrap_err();
        let expected = format!(
            "set the hardware address 01:00:00:00:00:01 of interface {}: Cannot assign requested address",
            va.index
        );
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert_eq!(find(kernel, va.index).unwrap(), found, "a refused change changes nothing");
    });
}

#[test]
fn a_point_to_point_address_has_its_peer() {
    apart(|kernel, _| {
        let (va, _) = pair(kernel);
        kernel.change_link(va.index, &LinkChange::Up).unwrap();
        for (own, peer, prefix) in [("10.1.2.3", "10.9.9.9", 32), ("fd00::3", "fd00::9", 128)] {
            let (address, peer) = (own.parse().unwrap(), peer.parse().unwrap());
            let change = LinkChange::Address { address, prefix, valid: None, peer: Some(peer) };
            kernel.change_link(va.index, &change).unwrap();
            let listed = kernel.addresses().unwrap();
            let found = listed.iter().find(|one| one.address == address).unwrap();
            assert_eq!((found.index, found.peer, found.prefix), (va.index, Some(peer), prefix));
            assert_eq!((found.dynamic, found.valid, found.scope_link), (false, None, false));
        }
        let shown = run("ip", &["address", "show", "dev", "va"]);
        for words in ["inet 10.1.2.3 peer 10.9.9.9/32 ", "inet6 fd00::3 peer fd00::9/128 "] {
            assert!(shown.contains(words), "{shown}");
        }
    });
}

#[test]
fn addresses_and_routes_are_those_that_ip_shows() {
    apart(|kernel, _| {
        let (va, vb) = pair(kernel);
        for link in [&va, &vb] {
            kernel.change_link(link.index, &LinkChange::Up).unwrap();
        }
        kernel.change_link(va.index, &address("10.1.2.3", 24, Some(3600))).unwrap();
        let listed = kernel.addresses().unwrap();
        let found = listed.iter().find(|one| one.index == va.index && one.address.is_ipv4()).unwrap();
        assert_eq!((found.prefix, found.peer, found.dynamic, found.tentative), (24, None, true, false));
        for lifetime in [found.preferred, found.valid] {
            assert!(lifetime.is_some_and(|left| (3590..=3600).contains(&left.as_secs())), "{found:?}");
        }
        let loopback = listed.iter().find(|one| one.address.is_loopback() && one.address.is_ipv4()).unwrap();
        assert_eq!((loopback.index, loopback.prefix, loopback.valid), (1, 8, None));

        kernel.change_link(va.index, &route(None, Some("10.1.2.1"), 100, false)).unwrap();
        kernel.change_link(va.index, &route(None, Some("fe80::1"), 50, false)).unwrap();
        run("ip", &["route", "add", "192.0.2.0/24", "via", "10.1.2.7", "dev", "va", "protocol", "bird"]);
        run("ip", &["route", "add", "198.51.100.0/24", "via", "inet6", "fe80::7", "dev", "va"]);
        run("ip", &["route", "add", "unreachable", "203.0.113.0/24"]);
        run("ip", &["-6", "route", "add", "2001:db8::/32", "via", "fe80::8", "dev", "va", "expires", "90"]);
        let hops = ["nexthop", "via", "10.1.2.8", "dev", "va", "nexthop", "via", "10.1.2.9", "dev", "va"];
        run("ip", &[&["route", "add", "100.64.0.0/10"][..], &hops[..]].concat());
        let listed = kernel.routes().unwrap();
        let at = |net: &str, bits| -> Vec<&LinkRoute> {
            listed.iter().filter(|route| route.destination == (net.parse().unwrap(), bits)).collect()
        };
        let one = |net: &str, bits| {
            let found = at(net, bits);
            assert_eq!((found.len(), found[0].index), (1, va.index), "{net}: {listed:#?}");
            found[0]
        };
        let told = |route: &LinkRoute| (route.gateway.map(|hop| hop.to_string()), route.metric, route.origin);
        assert_eq!(told(one("0.0.0.0", 0)), (Some("10.1.2.1".to_owned()), 100, RouteOrigin::Static));
        assert_eq!(told(one("::", 0)), (Some("fe80::1".to_owned()), 50, RouteOrigin::Static));
        assert_eq!(told(one("10.1.2.0", 24)), (None, 0, RouteOrigin::Kernel));
        assert_eq!(told(one("192.0.2.0", 24)), (Some("10.1.2.7".to_owned()), 0, RouteOrigin::Other(12)));
        assert_eq!(one("198.51.100.0", 24).gateway, Some("fe80::7".parse().unwrap()));
        assert_eq!(at("203.0.113.0", 24), Vec::<&LinkRoute>::new(), "it leads nowhere");
        let left = one("2001:db8::", 32).lifetime.expect("an end");
        assert!((Duration::from_secs(80)..=Duration::from_secs(90)).contains(&left), "{left:?}");
        assert_eq!(one("::", 0).lifetime, None);
        let hops: Vec<_> = at("100.64.0.0", 10).iter().map(|route| (route.index, route.gateway)).collect();
        assert_eq!(hops, ["10.1.2.8", "10.1.2.9"].map(|hop| (va.index, Some(hop.parse().unwrap()))));
    });
}

#[test]
fn a_uevent_arrives_and_silence_ends_in_time() {
    apart(|kernel, _| {
        let mut uevents = kernel.uevents().unwrap();
        let device = "/sys/devices/virtual/mem/null";
        kernel.write(&own(format!("{device}/uevent")), b"change", 0o644).unwrap();
        let start = kernel.now();
        let found = loop {
            let message = uevents.next(Duration::from_secs(5)).unwrap().expect("a uevent within 5 s");
            let text = String::from_utf8_lossy(&message).into_owned();
            if text.contains("DEVPATH=/devices/virtual/mem/null\0") {
                break text;
            }
            assert!(kernel.now().saturating_sub(start) < Duration::from_secs(5));
        };
        assert!(found.starts_with("change@/devices/virtual/mem/null\0ACTION=change\0"), "{found:?}");
        // Other devices of the host may send events meanwhile; each wait is bounded.
        let start = kernel.now();
        while uevents.next(Duration::from_millis(60)).unwrap().is_some() {}
        let waited = kernel.now().saturating_sub(start);
        assert!((Duration::from_millis(60)..Duration::from_secs(5)).contains(&waited), "{waited:?}");
    });
}
