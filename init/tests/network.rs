//! Several interfaces: which one is configured, how the others are left, and what happens if the boot fails over the
//! first one.

mod machine;

use std::path::Path;
use std::sync::Arc;

use dayfly_sys::LinkAddress;
use machine::{End, Machine, Node, link};

const URL: &str = "root=live:http://10.0.2.2/os.squashfs";

/// Boots with up to three interfaces, and returns the machine when the OS's init runs.
fn booted(words: &str, cards: u32, prepare: impl FnOnce(&mut machine::State)) -> Arc<Machine> {
    let machine = Machine::new(&format!("{URL} {words}"));
    {
        let mut state = machine.state();
        for index in 3..2 + cards {
            let name = format!("eth{}", index - 2);
            state.links.push(link(index, &name));
        }
        prepare(&mut state);
    }
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{:#?}", machine.state().log);
    machine
}

fn steps(machine: &Machine, wanted: &str) -> Vec<(String, String)> {
    let report = machine.report();
    let rows = report["steps"].as_array().unwrap().iter().filter(|row| row["step"] == wanted);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    rows.map(|row| (text(&row["outcome"]), text(&row["detail"]))).collect()
}

/// The interfaces that are up, and those that have an address.
fn up(machine: &Machine) -> (Vec<u32>, Vec<u32>) {
    let state = machine.state();
    let up = state.links.iter().filter(|link| link.up).map(|link| link.index).collect();
    (up, state.addressed())
}

fn said(machine: &Machine, words: &str) -> bool {
    machine.state().log.iter().any(|(_, line)| line.contains(words))
}

#[test]
fn one_interface_is_configured_and_the_others_are_left_as_they_were() {
    let machine = booted("", 3, |_| {});
    let (up, with_address) = up(&machine);
    assert_eq!((up.len(), &with_address), (1, &up), "{:#?}", machine.state().log);
    assert_eq!(machine.state().defaults().len(), 1);
    assert_eq!(steps(&machine, "network").len(), 1);
    assert_eq!(steps(&machine, "settle").len(), 1);
}

#[test]
fn a_claim_that_leads_nowhere_gives_way_to_the_next() {
    // The image server is behind the other interface than the one that claims first.
    for behind in [2, 3] {
        let machine = booted("", 2, |state| {
            state.server_behind = Some(behind);
            // The other one is the interface from which the firmware booted, so it is the first.
            let other = 5 - behind;
            let bootif = format!(" BOOTIF=01-52-54-00-12-34-0{other}");
            let Some(Node::File(cmdline)) = state.nodes.get_mut(Path::new("/proc/cmdline")) else { panic!() };
            cmdline.extend(bootif.as_bytes());
        });
        assert_eq!(up(&machine), (vec![behind], vec![behind]), "{:#?}", machine.state().log);
        let fetches: Vec<String> = steps(&machine, "fetch").into_iter().map(|(outcome, _)| outcome).collect();
        assert_eq!(fetches, ["done"], "the server answers before it is asked for the image");
        let networks = steps(&machine, "network");
        assert!(networks.last().unwrap().1.contains(&format!("10.0.2.{}/24", 13 + behind)), "{networks:?}");
        let settled = steps(&machine, "settle");
        assert!(settled[0].1.contains("does not lead to the server: no answer yet"), "{settled:?}");
        let report = machine.report();
        assert_eq!(report["node"]["address"], format!("10.0.2.{}", 13 + behind));
        assert_eq!(report["node"]["mac"], format!("52:54:00:12:34:0{behind}"));
    }
}

#[test]
fn a_second_interface_without_an_answer_costs_nothing() {
    let machine = booted("", 2, |state| {
        state.silent = vec![3];
        // The server is available again later.
        state.fault = Some(machine::Fault {
            call: "open_url http://10.0.2.2/os.squashfs".to_owned(),
            cause: dayfly_sys::Cause::Connect,
            times: 2,
        });
    });
    assert_eq!(up(&machine), (vec![2], vec![2]));
    let networks = steps(&machine, "network");
    assert_eq!(networks.len(), 3, "{networks:?}");
    assert!(networks[1].1.starts_with("eth0 stays: no other interface leads to the server."), "{networks:?}");
    assert!(networks[1].1.contains("eth1: sent"), "{networks:?}");
}

/// A static address without an interface goes to the next interface if the server does not answer, and comes back if it does not
/// answer there either.
#[test]
fn a_static_address_for_any_interface_comes_back() {
    let fails = |times| {
        Some(machine::Fault {
            call: "open_url http://10.0.2.2/os.squashfs".to_owned(),
            cause: dayfly_sys::Cause::Connect,
            times,
        })
    };
    let words = "ip=10.0.2.50::10.0.2.2:24:::none rd.route=10.8.0.0/16:10.0.2.254";
    let machine = booted(words, 2, |state| {
        state.server_behind = Some(2);
        state.fault = fails(2);
    });
    assert_eq!(up(&machine), (vec![2], vec![2]), "{:#?}", machine.state().log);
    assert_eq!(machine.report()["node"]["address"], "10.0.2.50");
    assert_eq!(machine.state().defaults().len(), 1, "{:?}", machine.state().routes);
    let routes = machine.state().routes.clone();
    let is_static = |route: &&dayfly_sys::LinkRoute| route.destination == ([10, 8, 0, 0].into(), 16);
    let routes: Vec<u32> = routes.iter().filter(is_static).map(|route| route.index).collect();
    assert_eq!(routes, [2]);
    assert_eq!(steps(&machine, "network").len(), 3, "{:#?}", machine.state().log);
}

/// The address that two interfaces have in turn: the whole takes the time of one answer for each, not that of the step.
#[test]
fn a_static_address_that_leads_nowhere_ends_in_time() {
    let machine = Machine::new(&format!("{URL} ip=10.0.2.50::10.0.2.2:24:::none rd.retry=90"));
    {
        let mut state = machine.state();
        state.links.push(link(3, "eth1"));
        state.server_behind = Some(9);
    }
    let end = machine.boot();
    assert!(!matches!(end, End::Exec(_)), "{end:?}");
    let report = machine.report();
    let rows = report["steps"].as_array().unwrap().iter().filter(|row| row["step"] == "network");
    let took: Vec<f64> =
        rows.map(|row| row["end_s"].as_f64().unwrap() - row["start_s"].as_f64().unwrap()).collect();
    assert!(took.iter().all(|seconds| *seconds < 15.0), "{took:?}");
}

#[test]
fn an_interface_that_could_not_be_configured_is_tried_again() {
    let machine = booted("", 2, |state| {
        state.server_behind = Some(3);
        state.fault = Some(machine::Fault {
            call: "change_link 3 address".to_owned(),
            cause: dayfly_sys::Cause::Errno(19),
            times: 1,
        });
    });
    assert_eq!(up(&machine), (vec![3], vec![3]), "{:#?}", machine.state().log);
    // The second attempt probes it again, and the third finds its claim.
    assert_eq!(steps(&machine, "network").len(), 3, "{:#?}", machine.state().log);
}

#[test]
fn an_interface_that_was_only_asked_is_left_as_it_was() {
    let machine = booted("", 2, |state| {
        // eth1 has a lease, and no way to the server, which does not answer for a moment.
        state.server_behind = Some(2);
        state.fault = Some(machine::Fault {
            call: "open_url http://10.0.2.2/os.squashfs".to_owned(),
            cause: dayfly_sys::Cause::Connect,
            times: 1,
        });
    });
    assert_eq!(up(&machine), (vec![2], vec![2]), "{:#?}", machine.state().log);
    assert_eq!(machine.state().defaults().len(), 1);
    assert_eq!(steps(&machine, "network").len(), 2);
    let state = machine.state();
    let handed: Vec<&str> = state
        .nodes
        .keys()
        .filter_map(|path| path.file_name()?.to_str())
        .filter(|name| name.starts_with("00-dayfly-") && name.ends_with(".network"))
        .collect();
    assert_eq!(handed, ["00-dayfly-525400123402.network"], "the OS gets one interface");
}

#[test]
fn the_mtu_of_ip_stays_when_an_interface_is_configured_again() {
    for behind in [2, 3] {
        let machine = booted("ip=eth0:dhcp:9000 ip=eth1:dhcp:9000", 2, |state| {
            state.server_behind = Some(behind);
            state.links.iter_mut().for_each(|link| link.most_mtu = 9000);
        });
        let state = machine.state();
        let mtus: Vec<u32> = state.links.iter().skip(1).map(|link| link.mtu).collect();
        assert_eq!(mtus, [9000, 9000], "{:#?}", state.log);
        let changes = state.calls.iter().filter(|call| call.contains("mtu")).count();
        assert_eq!(changes, 2, "each once");
    }
}

#[test]
fn one_interface_alone_is_not_left() {
    let machine = booted("ip=dhcp", 1, |state| {
        state.fault = Some(machine::Fault {
            call: "open_url http://10.0.2.2/os.squashfs".to_owned(),
            cause: dayfly_sys::Cause::Connect,
            times: 2,
        });
    });
    assert_eq!(steps(&machine, "network").len(), 1);
    assert_eq!(up(&machine), (vec![2], vec![2]));
}

#[test]
fn every_interface_that_ip_names_is_configured() {
    let words = "ip=eth1:dhcp ip=192.168.7.9::192.168.7.1:24::eth0:off";
    let machine = booted(words, 3, |_| {});
    assert_eq!(up(&machine), (vec![2, 3], vec![2, 3]), "{:#?}", machine.state().log);
    let metrics: Vec<u32> = machine.state().defaults().into_values().collect();
    assert!(metrics.len() == 2 && metrics[0] != metrics[1], "{metrics:?}");
    assert!(metrics.iter().all(|metric| (1024..1028).contains(metric)), "{metrics:?}");
    // An interface without a DHCP server is reported, and delays the boot only a little.
    let machine = booted("ip=eth0:dhcp ip=eth1:dhcp", 2, |state| state.silent = vec![3]);
    assert_eq!(up(&machine), (vec![2], vec![2]));
    assert!(
        said(&machine, "ip= names an interface that has no address: eth1: sent"),
        "{:#?}",
        machine.state().log
    );
}

#[test]
fn names_come_from_every_address() {
    // The server of eth1 gives a host name and a search domain; the static address of eth0, which wins, has none.
    let words = "ip=192.168.7.9::192.168.7.1:24::eth0:off ip=eth1:dhcp";
    let machine = booted(words, 2, |state| {
        state.dhcp_name = "node7".to_owned();
        state.server_behind = Some(2);
    });
    assert_eq!(machine.report()["node"]["address"], "192.168.7.9", "{:#?}", machine.state().log);
    assert_eq!(machine.file("/sysroot/etc/hostname").as_deref(), Some("node7\n"));
    let resolver = machine.file("/sysroot/etc/resolv.conf").unwrap();
    assert_eq!(resolver, "nameserver 10.0.2.3\nsearch lab.example.org\n");
}

#[test]
fn named_interfaces_take_turns_as_well() {
    let machine = booted("ip=eth0:dhcp ip=eth1:dhcp", 2, |state| state.server_behind = Some(3));
    assert_eq!(up(&machine), (vec![2, 3], vec![2, 3]), "{:#?}", machine.state().log);
    let defaults = machine.state().defaults();
    assert!(defaults[&3] < defaults[&2], "{defaults:?}");
}

#[test]
fn an_mtu_that_the_card_cannot_do_does_not_fail_the_boot() {
    // The fake's DHCP server sends an MTU of 1400.
    for (words, least, most, mtu, said_so) in [
        ("ip=dhcp", 68, 9000, 1400, None),
        (
            "ip=dhcp",
            68,
            1300,
            1300,
            Some("an MTU of 1400 is not supported, using 1300: the interface supports 576 to 1300"),
        ),
        (
            "ip=dhcp",
            1500,
            9000,
            1500,
            Some("an MTU of 1400 is not supported, using 1500: the interface supports 1500 to 9000"),
        ),
        (
            "ip=eth0:dhcp:65535",
            68,
            9000,
            9000,
            Some("an MTU of 65535 is not supported, using 9000: the interface supports 576 to 9000"),
        ),
        (
            "ip=eth0:dhcp:68",
            68,
            9000,
            576,
            Some("an MTU of 68 is not supported, using 576: the interface supports 576 to 9000"),
        ),
    ] {
        let machine = booted(words, 1, |state| {
            let card = state.links.iter_mut().find(|link| link.index == 2).unwrap();
            (card.least_mtu, card.most_mtu) = (least, most);
        });
        let card = machine.state().links.iter().find(|link| link.index == 2).unwrap().clone();
        assert_eq!(card.mtu, mtu, "{words}");
        assert!(said_so.is_none_or(|words| said(&machine, words)), "{words}: {:#?}", machine.state().log);
    }
    // An interface whose driver does not report its limits, and refuses the MTU.
    let machine = booted("ip=dhcp", 1, |state| {
        state.fault = Some(machine::Fault {
            call: "change_link 2 mtu".to_owned(),
            cause: dayfly_sys::Cause::Errno(22),
            times: 1,
        });
    });
    assert!(said(&machine, "its MTU remains 1500: "), "{:#?}", machine.state().log);
}

/// Adds the sysfs attributes of eth0 at this hardware location.
fn at_place(state: &mut machine::State, device: &str) {
    let device = format!("/sys/devices/{device}/net/eth0");
    state.put(Path::new("/sys/class/net/eth0"), Node::Symlink(device.clone().into()));
    for (name, text) in [("type", "1"), ("ifindex", "2"), ("iflink", "2"), ("addr_assign_type", "0")] {
        state.put(&Path::new(&device).join(name), Node::File(format!("{text}\n").into_bytes()));
    }
    state.put(&Path::new(&device).join("address"), Node::File(b"52:54:00:12:34:02\n".to_vec()));
}

#[test]
fn ip_names_a_card_as_the_os_does() {
    let place = "pci0000:00/0000:00:03.0/virtio0";
    for words in ["ip=enp0s3:dhcp", "ip=192.168.7.9::192.168.7.1:24::enx525400123402:off"] {
        let machine = booted(words, 2, |state| at_place(state, place));
        assert_eq!(up(&machine), (vec![2], vec![2]), "{words}: {:#?}", machine.state().log);
        assert!(said(&machine, "is the interface eth0"), "{words}");
    }
    // An alternative name.
    let machine = booted("ip=uplink:dhcp", 1, |state| {
        state.links.iter_mut().find(|link| link.index == 2).unwrap().other_names.push("uplink".to_owned());
    });
    assert!(said(&machine, "uplink is the interface eth0"), "{:#?}", machine.state().log);
    // One existing interface is enough to boot, and the missing one is reported.
    let machine = booted("ip=enp0s3:dhcp ip=enp9s0:dhcp", 1, |state| at_place(state, place));
    let words =
        "the parameters name enp9s0, which this machine does not have: eth0 is enp0s3 (52:54:00:12:34:02)";
    assert!(said(&machine, words), "{:#?}", machine.state().log);
}

/// The server's address names the interface as the OS does. It needs no DHCP server.
#[test]
fn a_link_local_server_is_reached_by_its_interface_alone() {
    for (words, zone) in
        [("", "enp0s3"), ("", "eth0"), ("ip=dhcp", "eth0"), ("ifname=lan:52:54:00:12:34:02", "lan")]
    {
        let machine = Machine::new(&format!("root=live:http://[fe80::1%25{zone}]/os.squashfs {words}"));
        {
            let mut state = machine.state();
            state.links.push(link(3, "eth1"));
            state.silent = vec![2];
            at_place(&mut state, "pci0000:00/0000:00:03.0/virtio0");
            for name in ["eth0", "lan"] {
                let path = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
                state.put(Path::new(&path), Node::File(b"0\n".to_vec()));
            }
            state.addresses.push(LinkAddress {
                index: 2,
                address: "fe80::2".parse().unwrap(),
                prefix: 64,
                peer: None,
                scope_link: true,
                tentative: false,
                dad_failed: false,
                dynamic: false,
                preferred: None,
                valid: None,
            });
        }
        assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{:#?}", machine.state().log);
        let name = if zone == "lan" { "lan" } else { "eth0" };
        let calls = machine.state().calls.clone();
        assert!(calls.iter().any(|call| call == "reach fe80::1:80 2"), "{words} {zone}: {calls:#?}");
        assert!(!calls.iter().any(|call| call == "reach fe80::1:80 3"), "{words} {zone}: {calls:#?}");
        let url = format!("open_url http://[fe80::1%25{name}]/os.squashfs");
        assert!(calls.contains(&url), "{words} {zone}: {calls:#?}");
        assert_eq!(up(&machine), (vec![2], vec![2]), "{words} {zone}: {:#?}", machine.state().log);
    }
}

#[test]
fn a_card_that_is_not_there_is_told_with_those_that_are() {
    let machine = Machine::new(&format!("{URL} ip=enp9s0:dhcp rd.retry=2"));
    at_place(&mut machine.state(), "pci0000:00/0000:00:03.0/virtio0");
    assert_eq!(machine.boot(), End::Power(dayfly_sys::Power::Reboot));
    let screen = machine.state().screens.split_whitespace().collect::<Vec<_>>().join(" ");
    let words =
        "the parameters name enp9s0, which this machine does not have: eth0 is enp0s3 (52:54:00:12:34:02)";
    assert!(screen.contains(words), "{screen}");
}

/// How often the network is tried within 6 s; without limits, one attempt lasts for all of them.
#[test]
fn an_attempt_ends_when_its_limits_are_over() {
    let attempts = |words: &str, has_carrier: bool| {
        let machine = Machine::new(&format!("{URL} rd.retry=6 {words}"));
        {
            let mut state = machine.state();
            state.dhcp = false;
            if !has_carrier {
                state.unplugged = state.links.iter().map(|link| link.index).collect();
            }
        }
        assert_eq!(machine.boot(), End::Power(dayfly_sys::Power::Reboot));
        steps(&machine, "network").len()
    };
    for (words, has_carrier, is_limited) in [
        ("ip=dhcp", true, false),
        ("ip=dhcp rd.net.timeout.carrier=1", true, false),
        ("ip=dhcp rd.net.timeout.dhcp=1", true, true),
        ("ip=dhcp rd.net.timeout.dhcp=1 rd.net.dhcp.retry=20", true, false),
        ("ip=dhcp rd.net.timeout.carrier=1", false, true),
        ("ip=dhcp rd.net.timeout.dhcp=1", false, false),
        ("ip=enp9s0:dhcp rd.net.timeout.iflink=1", true, true),
        ("ip=enp9s0:dhcp rd.net.timeout.carrier=1", true, false),
    ] {
        let attempts = attempts(words, has_carrier);
        assert_eq!(attempts > 1, is_limited, "{words}, {has_carrier}: {attempts} attempts");
    }
}
