//! Interfaces, addresses, routes and uevents against iproute2 and the real kernel.

mod namespace;

use std::time::Duration;

use dayfly_sys::{Devices, Files, Kernel, Link, LinkChange, LinkKind, Network, Platform, RouteOrigin, own};
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
    LinkChange::Address { address: text.parse().unwrap(), prefix, valid: valid.map(Duration::from_secs) }
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

        kernel.change_link(va.index, &LinkChange::Flush).unwrap();
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
