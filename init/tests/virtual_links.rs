//! VLANs, bonds, bridges, names and routes on the fake machine: what is created, what gets the address, and what the OS's network
//! service is told.

mod machine;

use std::path::Path;
use std::sync::Arc;

use dayfly_sys::{Cause, Link, Power};
use machine::{End, Fault, Machine, Node, State, link};

const URL: &str = "root=live:http://10.0.2.2/os.squashfs";
const RUN: &str = "/run/systemd/network";

/// A machine with eth0, eth1 and eth2.
fn machine(parameters: &str, prepare: impl FnOnce(&mut State)) -> Arc<Machine> {
    let machine = Machine::new(&format!("{URL} {parameters}"));
    {
        let mut state = machine.state();
        state.links.push(link(3, "eth1"));
        state.links.push(link(4, "eth2"));
        prepare(&mut state);
    }
    machine
}

fn booted(parameters: &str, prepare: impl FnOnce(&mut State)) -> Arc<Machine> {
    let machine = machine(parameters, prepare);
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()), "{:#?}", machine.state().log);
    machine
}

fn found(machine: &Machine, name: &str) -> Link {
    let state = machine.state();
    let link = state.links.iter().find(|link| link.name == name);
    link.unwrap_or_else(|| panic!("there is no {name}: {:#?}", state.log)).clone()
}

fn ports(machine: &Machine, name: &str) -> Vec<String> {
    let index = found(machine, name).index;
    let state = machine.state();
    state.links.iter().filter(|link| link.port_of == Some(index)).map(|link| link.name.clone()).collect()
}

fn addresses(machine: &Machine, name: &str) -> Vec<String> {
    let index = found(machine, name).index;
    let state = machine.state();
    let own = state.addresses.iter().filter(|one| one.index == index);
    own.map(|one| format!("{}/{}", one.address, one.prefix)).collect()
}

fn text(machine: &Machine, path: &str) -> Option<String> {
    match machine.state().nodes.get(Path::new(path)) {
        Some(Node::File(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

fn said(machine: &Machine, words: &str) -> bool {
    machine.state().log.iter().any(|(_, line)| line.contains(words))
}

#[test]
fn a_vlan_on_a_bond_gets_the_address() {
    let parameters = "bond=bond0:eth0,eth1:mode=802.3ad,miimon=100 vlan=vlan5:bond0 ip=vlan5:dhcp";
    let machine = booted(parameters, |_| {});
    assert_eq!(ports(&machine, "bond0"), ["eth0", "eth1"]);
    let (bond, vlan) = (found(&machine, "bond0"), found(&machine, "vlan5"));
    assert_eq!((vlan.parent, vlan.mac), (Some(bond.index), bond.mac));
    assert_eq!(addresses(&machine, "vlan5").len(), 1);
    for name in ["bond0", "eth0", "eth1", "eth2"] {
        assert_eq!(addresses(&machine, name), Vec::<String>::new(), "{name}");
    }
    for (option, value) in [("mode", "802.3ad"), ("miimon", "100")] {
        let path = format!("/sys/class/net/bond0/bonding/{option}");
        assert_eq!(text(&machine, &path).as_deref(), Some(value), "{option}");
    }
    // The mode comes first, and the ports come after the options.
    let calls = machine.state().calls.clone();
    let place =
        |call: &str| calls.iter().position(|one| one.contains(call)).unwrap_or_else(|| panic!("{call}"));
    assert!(place("bonding/mode") < place("bonding/miimon"));
    assert!(place("bonding/miimon") < place(&format!("change_link {} port", found(&machine, "eth0").index)));
    // networkd finds what it needs to take all of them over.
    let file = |name: &str| text(&machine, &format!("{RUN}/{name}")).unwrap_or_else(|| panic!("no {name}"));
    assert!(file("00-dayfly-vlan5.network").contains("[Network]\nDHCP=ipv4\nKeepConfiguration=dhcp\n"));
    assert!(file("00-dayfly-vlan5.netdev").contains("[VLAN]\nId=5\n"));
    assert!(file("00-dayfly-bond0.netdev").contains("Mode=802.3ad\n"));
    assert!(file("00-dayfly-bond0.network").contains("VLAN=vlan5\n"));
    assert!(file("00-dayfly-eth1.network").contains("[Link]\nUnmanaged=yes\n"));
}

/// The kernel reports the carrier of a bond before its LACP partner has answered.
#[test]
fn a_bond_waits_ten_seconds_for_its_lacp_partner() {
    let words = "no LACP partner on bond0 after 10 s: the switch's ports may not be in a port channel";
    for (mode, partner, waits) in [
        ("802.3ad", "00:00:00:00:00:00\n", true),
        ("802.3ad", "", true),
        ("802.3ad", "02:00:00:00:00:01\n", false),
        ("active-backup", "00:00:00:00:00:00\n", false),
    ] {
        let parameters =
            format!("bond=bond0:eth0,eth1:mode={mode},miimon=100 vlan=vlan5:bond0 ip=vlan5:dhcp");
        let machine = booted(&parameters, |state| {
            let path = "/sys/class/net/bond0/bonding/ad_partner_mac";
            state.nodes.insert(path.into(), Node::File(partner.into()));
        });
        assert_eq!(said(&machine, words), waits, "{mode} {partner:?}");
        assert_eq!(addresses(&machine, "vlan5").len(), 1, "{mode} {partner:?}");
        let report = machine.report();
        let network =
            report["steps"].as_array().unwrap().iter().find(|row| row["step"] == "network").unwrap();
        let seconds = |key: &str| network[key].as_f64().unwrap_or_else(|| panic!("{network}"));
        let took = seconds("end_s") - seconds("start_s");
        assert_eq!(took >= 10.0, waits, "{mode} {partner:?}: {took} s");
        assert!(took < 12.0, "{mode} {partner:?}: {took} s");
    }
}

#[test]
fn a_bridge_has_the_mac_address_of_its_first_port() {
    let machine = booted("bridge=br0:eth1,eth2 ip=10.0.2.50::10.0.2.2:24::br0:none", |_| {});
    assert_eq!(ports(&machine, "br0"), ["eth1", "eth2"]);
    assert_eq!(found(&machine, "br0").mac, Some([0x52, 0x54, 0, 0x12, 0x34, 3]));
    assert_eq!(addresses(&machine, "br0"), ["10.0.2.50/24"]);
    assert!(!found(&machine, "eth0").up, "it is not needed");
}

#[test]
fn an_interface_is_named_by_its_mac_address() {
    let machine = booted("ifname=lan:52:54:00:12:34:03 ip=lan:dhcp", |_| {});
    assert_eq!(found(&machine, "lan").index, 3);
    assert_eq!(addresses(&machine, "lan").len(), 1);
}

/// Two names for one interface, and one interface as the port of two links by two of its names: the first parameter counts.
#[test]
fn parameters_that_contradict_each_other_do_not_keep_the_boot_busy() {
    let machine = booted("ifname=one:52:54:00:12:34:02 ifname=two:52:54:00:12:34:02 ip=one:dhcp", |_| {});
    assert_eq!(found(&machine, "one").index, 2);
    // It has the first name already.
    let machine = booted("ifname=eth0:52:54:00:12:34:02 ifname=two:52:54:00:12:34:02 ip=eth0:dhcp", |_| {});
    assert_eq!(found(&machine, "eth0").index, 2);
    let machine = booted("bond=bond0:eth0 bridge=br0:uplink,eth1 ip=bond0:dhcp", |state| {
        state.links.iter_mut().find(|link| link.index == 2).unwrap().other_names.push("uplink".to_owned());
    });
    assert_eq!(
        (ports(&machine, "bond0"), ports(&machine, "br0")),
        (vec!["eth0".to_owned()], vec!["eth1".to_owned()])
    );
    assert!(said(&machine, "br0: eth0 is a port of another link"), "{:#?}", machine.state().log);
}

#[test]
fn an_option_names_a_port_as_the_list_of_ports_does() {
    let machine = booted("bond=bond0:eth1,uplink:mode=1,primary=uplink ip=bond0:dhcp", |state| {
        state.links.iter_mut().find(|link| link.index == 2).unwrap().other_names.push("uplink".to_owned());
    });
    assert_eq!(text(&machine, "/sys/class/net/bond0/bonding/primary").as_deref(), Some("eth0"));
}

#[test]
fn every_named_interface_keeps_its_address() {
    let parameters = "ip=10.0.2.50::10.0.2.2:24::eth0:none ip=10.9.0.50:::16::eth1:none \
                      ip=[2001:db8::50]::[fe80::1]:64::eth0:none rd.route=10.8.0.0/16:10.9.0.1 bootdev=eth0";
    let machine = booted(parameters, |_| {});
    assert_eq!(addresses(&machine, "eth0"), ["10.0.2.50/24", "2001:db8::50/64"]);
    assert_eq!(addresses(&machine, "eth1"), ["10.9.0.50/16"]);
    let routes: Vec<(String, u32)> = {
        let state = machine.state();
        let more = state.routes.iter().filter(|route| !route.is_default());
        more.map(|route| (format!("{}/{}", route.destination.0, route.destination.1), route.index)).collect()
    };
    assert_eq!(routes, [("10.8.0.0/16".to_owned(), 3)]);
    let first = text(&machine, &format!("{RUN}/00-dayfly-525400123402.network")).unwrap();
    assert!(
        first.contains("Address=10.0.2.50/24\nAddress=2001:db8::50/64\nKeepConfiguration=static\n"),
        "{first}"
    );
    assert!(first.contains("[Route]\nGateway=10.0.2.2\nMetric=1024\n"), "{first}");
    assert!(first.contains("[Route]\nGateway=fe80::1\nMetric=1025\n"), "{first}");
    let second = text(&machine, &format!("{RUN}/00-dayfly-525400123403.network")).unwrap();
    assert!(second.contains("Address=10.9.0.50/16\n"), "{second}");
    assert!(second.contains("[Route]\nDestination=10.8.0.0/16\nGateway=10.9.0.1\n"), "{second}");
}

#[test]
fn a_peer_and_a_mac_address_are_set() {
    let parameters = "ip=10.0.2.50:10.0.2.2:10.0.2.2:32::eth0:none::02:00:00:00:00:77";
    let machine = booted(parameters, |_| {});
    assert_eq!(found(&machine, "eth0").mac, Some([2, 0, 0, 0, 0, 0x77]));
    let state = machine.state();
    let peer = state.addresses.iter().find(|one| one.index == 2).unwrap().peer;
    assert_eq!(peer, Some([10, 0, 2, 2].into()));
}

#[test]
fn name_servers_of_the_network_can_be_left_out() {
    let resolv_conf = |parameters: &str| text(&booted(parameters, |_| {}), "/etc/resolv.conf").unwrap();
    let with = resolv_conf("ip=dhcp nameserver=10.0.0.53");
    assert!(with.starts_with("nameserver 10.0.0.53\nnameserver "), "{with}");
    assert_eq!(
        resolv_conf("ip=dhcp nameserver=10.0.0.53 rd.peerdns=0").lines().next(),
        Some("nameserver 10.0.0.53")
    );
    assert!(with.contains("\nsearch "), "{with}");
    assert_eq!(resolv_conf("ip=dhcp rd.peerdns=0"), "");
}

#[test]
fn an_option_that_the_kernel_refuses_ends_the_boot_with_its_words() {
    let machine = machine("bond=bond0:eth0:mode=1,primary_reselect=9 ip=bond0:dhcp rd.retry=2", |state| {
        state.fault = Some(Fault {
            call: "write /sys/class/net/bond0/bonding/primary_reselect".to_owned(),
            cause: Cause::Errno(22),
            times: 99,
        });
    });
    assert_eq!(machine.boot(), End::Power(Power::Reboot));
    let screen = machine.state().screens.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(screen.contains("bond0: write /sys/class/net/bond0/bonding/primary_reselect"), "{screen}");
    assert!(machine.state().links.iter().all(|link| link.name != "bond0"), "half of a bond is left");
}

#[test]
fn a_bond_works_with_the_ports_that_are_there() {
    let machine = booted("bond=bond0:eth0,eth9:mode=active-backup ip=bond0:dhcp", |_| {});
    assert_eq!(ports(&machine, "bond0"), ["eth0"]);
    assert!(said(&machine, "bond0: there is no eth9"), "{:#?}", machine.state().log);
}
