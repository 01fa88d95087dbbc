//! The page of network parameters: dracut's grammar, the settings that do the same, and the test that shows each.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use dayfly_plan::settings::table::foreign;
use dayfly_plan::settings::table::keys::KEYS;
use dayfly_plan::settings::table::parameters::PARAMETERS;

use super::{MADE, cell, malformed, page, root};

/// A row: the parameter, the setting (or `-`), what it means, the difference from dracut (or `-`), the test.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str);

const IP: &str = "network.ip";

#[rustfmt::skip]
const GRAMMAR: &[Row] = &[
    ("ip=dhcp, ip=on, ip=any", IP, "DHCPv4 on every interface at once; the first that leads to the server is used", "network-legacy asks on one interface after the other, and every lease stays; NetworkManager also takes IPv6 addresses from routers", "a_second_interface_without_an_answer_costs_nothing"),
    ("ip=single-dhcp", IP, "as ip=dhcp", "network-legacy uses the first lease, even if it does not lead to the server", "what_is_not_done_is_said_once_with_what_to_write"),
    ("ip=auto6", IP, "IPv6 router advertisements, with DHCPv6 if they refer to it", "network-legacy never asks a DHCPv6 server, and waits for a default route", "a_node_boots_by_router_advertisements_alone"),
    ("ip=dhcp6", IP, "DHCPv6", "NetworkManager reads it as auto6", "a_node_gets_its_address_from_a_dhcpv6_server"),
    ("ip=either6", IP, "auto6, and dhcp6 if no address came within rd.net.timeout.ipv6auto=, by default 3 s", "network-legacy's default is 40 s; NetworkManager reads it as auto", "either6_asks_a_server_after_the_limit_for_routers"),
    ("ip=link6", IP, "the IPv6 link-local address alone", "network-legacy refuses ip=INTERFACE:link6, which its manual describes", "what_is_not_done_is_said_once_with_what_to_write"),
    ("ip=link-local", IP, "as ip=link6; the plan reports that IPv4 has no link-local address", "from systemd-network-generator(8)", "what_is_not_done_is_said_once_with_what_to_write"),
    ("ip=auto, ip=dhcp,dhcp6, ip=dhcp,auto6", IP, "DHCPv4 and auto6 at the same time", "as in NetworkManager; network-legacy refuses auto, and takes the methods of a list one after the other", "the_ip_version_that_leads_to_the_image_is_used"),
    ("ip=none, ip=off", IP, "with a client address: static; without one, the interface is left alone, unless a server's link-local URL names it", "without an address, network-legacy refuses them, and NetworkManager sets the interface up", "parameters_of_links_become_one_network"),
    ("ip=ibft, ip=fw, ip=bootp, ip=rarp, ip=both", IP, "refused", "dracut takes ibft (NetworkManager: also fw) from the firmware; the others are the kernel's, and network-legacy refuses them too", "malformed_values_are_told_with_what_to_write"),
    ("ip=dhcp,TYPE,ID", IP, "refused: the client identifier is the MAC address", "the kernel's; network-legacy refuses it too", "malformed_values_are_told_with_what_to_write"),
    ("ip=ADDRESS", IP, "refused; the message shows the long form", "network-legacy takes the rest from Anaconda's netmask=, gateway=, hostname=, ksdevice= and mtu=; NetworkManager reads it as auto", "malformed_values_are_told_with_what_to_write"),
    ("ip=INTERFACE:METHOD", IP, "the same for one interface; it may have the name that the OS gives it", "in dracut, the name is that of its own udev, or a MAC address like 52-54-00-12-34-56, which Dayfly refuses; network-legacy has only dhcp, on, any, dhcp6, auto6 and either6 here", "ip_names_a_card_as_the_os_does"),
    ("ip=…:MTU", IP, "the MTU, as far as the interface supports it; one below 576 is raised to 576", "network-legacy sets it only with DHCP, from 577, and with a static address", "a_card_keeps_to_the_mtu_that_it_can_do"),
    ("ip=…:MTU:MAC", IP, "a MAC address for the interface", "network-legacy sets it only with a static address, and its manual excludes ifname= for the same interface", "a_peer_and_a_mac_address_are_set"),
    ("ip=CLIENT:PEER:GATEWAY:NETMASK:HOSTNAME:INTERFACE:none", IP, "a static address, of IPv4 or of IPv6 in brackets", "network-legacy first looks for another host with the IPv4 address, then waits up to 60 s for an ARP reply of the gateway; with an IPv6 address, it also uses router advertisements", "a_static_ipv6_address_needs_no_server"),
    ("ip=CLIENT:PEER:GATEWAY:NETMASK:HOSTNAME:INTERFACE", IP, "as with none; NETMASK is required", "network-legacy reads an empty METHOD as dhcp and refuses the address; the kernel and NetworkManager also guess a missing NETMASK", "the_long_form"),
    ("ip=…:PEER:…", IP, "the other end of a point-to-point link, if the prefix is 32 or 128", "network-legacy sets it with every prefix, NetworkManager never; in the kernel's ip=, it is the NFS server", "a_peer_and_a_mac_address_are_set"),
    ("ip=…:HOSTNAME:…", IP, "the node's name; of several, that of the interface which the boot uses", "it is adapted to the rules of Kubernetes; in dracut, the last of several counts", "a_name_in_ip_is_taken_likewise_and_the_plan_says_so"),
    ("ip=…:DNS1:DNS2", IP, "name servers, asked after those of nameserver= and before those of the network", "the order is network, ip=, nameserver= in network-legacy, and ip=, nameserver=, network in NetworkManager", "the_long_form"),
    ("ip=…:NTP", IP, "a time server, which may move the clock forward", "from the kernel's ip=; dracut ignores it", "servers_of_the_parameters_are_asked_instead_of_those_of_dhcp"),
    ("ip=… ip=…", IP, "all named interfaces are configured; two for one interface must be of different IP versions", "network-legacy refuses two for one interface, NetworkManager joins them", "every_interface_that_ip_names_is_configured"),
    ("BOOTIF=[01-]MAC", "network.bootif", "the interface that the firmware booted from is preferred: it gets 10 s alone", "dracut uses only that interface and those that ip= names; network-legacy ignores the hardware type", "image_behind_the_second_nic"),
    ("rd.bootif=0", "network.uses_bootif", "BOOTIF= is ignored", "-", "parameters_of_links_become_one_network"),
    ("bootdev=INTERFACE", "network.bootdev", "the preferred interface, before BOOTIF=: it is tried first; the routes of the interface over which the server answers come first", "in network-legacy, BOOTIF= takes precedence, and the default is the first interface of several ip=; dracut also takes a MAC address", "parameters_of_links_become_one_network"),
    ("ifname=NAME:MAC", "network.ifname", "a name for an interface; of two for one interface, or of two interfaces with one name, the first counts", "Ethernet only; dracut also reads the 20 bytes of InfiniBand", "an_interface_is_named_by_its_mac_address"),
    ("nameserver=ADDRESS", "network.dns", "a name server, asked before all others; a link-local one is written fe80::1%INTERFACE", "see DNS1; brackets around an IPv6 address are NetworkManager's", "parameters_of_links_become_one_network"),
    ("rd.peerdns=0", "network.peerdns", "name servers and search domains from the network are not used", "-", "name_servers_of_the_network_can_be_left_out"),
    ("rd.route=NETWORK/PREFIX:GATEWAY[:INTERFACE]", "network.route", "a static route; NETWORK may be default, and is one host without a PREFIX; GATEWAY may be empty if there is an INTERFACE; without INTERFACE, it is the one whose network has GATEWAY", "NetworkManager's default interface is that of bootdev=, or its first; a NETWORK with host bits, which Dayfly removes, is not added by network-legacy", "every_named_interface_keeps_its_address"),
    ("rd.neednet=1", "network.wanted", "the network is brought up also if the image is on a disk", "network-legacy also brings up what ip= names, without waiting for it, and reads several ip= as rd.neednet=1", "an_installed_os_has_the_name_of_its_own_in_rules_too"),
    ("vlan=NAME:PARENT", "network.vlan", "a VLAN; NAME is vlan0005, vlan5, eth0.0005 or eth0.5, with a decimal number", "network-legacy reads vlan0010 as octal, VLAN 8; NetworkManager takes a number at the end of any name", "a_vlan_on_a_bond_gets_the_address"),
    ("bond=NAME:PORT,…[:OPTIONS[:MTU[:MAC]]]", "network.bond", "a bond with options of the kernel's driver; it starts with the ports that are there", "MAC is an addition; network-legacy waits for all ports; dracut goes on without an option that is wrong, which Dayfly refuses", "a_bond_works_with_the_ports_that_are_there"),
    ("bond", "network.bond", "bond0:eth0,eth1:mode=balance-rr; NAME alone has the ports eth0 and eth1", "NetworkManager has the port eth0 alone", "parameters_of_links_become_one_network"),
    ("bridge=NAME:PORT,…", "network.bridge", "a bridge with the MAC address of its first port; without a value br0:eth0", "in dracut, the kernel takes the lowest MAC address of all ports", "a_bridge_has_the_mac_address_of_its_first_port"),
    ("team=NAME:PORT,…[:RUNNER]", "-", "refused, with the bond= that does the same", "dracut starts teamd", "malformed_values_are_told_with_what_to_write"),
    ("rd.net.timeout.iflink=", "network.link_timeout", "how long an interface may take to appear", "network-legacy waits 60 s for each, Dayfly 60 s for all, and rd.retry= limits this and all waits below; NetworkManager ignores it", "limits_are_those_of_the_parameters"),
    ("rd.net.timeout.carrier=", "network.carrier_timeout", "how long an interface may take to get a carrier", "dracut's default is 10 s, Dayfly waits as long as the step lasts", "limits_are_those_of_the_parameters"),
    ("rd.net.timeout.dhcp=", "network.dhcp_timeout", "how long a DHCP server may take on an interface", "NetworkManager's default is 90 s, Dayfly waits as long as the step lasts; network-legacy gives it to dhclient, which ignores it on Debian", "limits_are_those_of_the_parameters"),
    ("rd.net.dhcp.retry=", "network.dhcp_tries", "the wait for a DHCP server is this many times rd.net.timeout.dhcp=", "as in NetworkManager; network-legacy starts dhclient that often", "limits_are_those_of_the_parameters"),
    ("rd.net.timeout.ipv6dad=", "network.dad_timeout", "how long duplicate address detection may take for an address that the boot sets", "network-legacy's default is 50 s, Dayfly's 3 s; NetworkManager ignores it", "limits_are_those_of_the_parameters"),
    ("rd.net.timeout.ipv6auto=", "network.autoconf_timeout", "how long an interface may take to get an IPv6 address from routers; with either6, when DHCPv6 is tried", "network-legacy's default is 40 s, Dayfly waits as long as the step lasts; NetworkManager ignores it", "either6_asks_a_server_after_the_limit_for_routers"),
    ("rd.net.timeout.ifup=, rd.net.timeout.route=", "-", "checked, and reported as not used: nothing waits for them", "network-legacy's, by default 20 s", "bad_values_are_named_with_what_is_expected"),
    ("rd.net.dhcp.vendor-class=", "network.dhcp_vendor_class", "the vendor class for DHCPv4 servers, by default dayfly", "NetworkManager's; network-legacy ignores it", "limits_are_those_of_the_parameters"),
    ("rd.net.dhcp.client-id=, rd.net.dhcp.dscp=", "-", "reported, with an alternative", "NetworkManager's", "malformed_values_are_told_with_what_to_write"),
    ("rd.net.dns=, rd.net.dns-backend=, rd.net.dns-resolve-mode=", "-", "reported: use nameserver=", "NetworkManager's", "malformed_values_are_told_with_what_to_write"),
    ("rd.net.timeout.ip-required=", "-", "reported: the boot does not wait for both IP versions", "newer NetworkManagers wait 20 s for both, with ip=dhcp,dhcp6", "malformed_values_are_told_with_what_to_write"),
    ("rd.net.*", "-", "reported, like any other name that begins so", "not in dracut", "the_words_that_people_write_are_known"),
    ("rd.ethtool=", "-", "reported: the speed of an interface", "NetworkManager's", "malformed_values_are_told_with_what_to_write"),
    ("ib.pkey=", "-", "reported: an InfiniBand partition", "NetworkManager's", "malformed_values_are_told_with_what_to_write"),
    ("dhcpclass=, carrier_timeout=, nfsaddrs=", "-", "reported, with the parameter that does the same", "the kernel's; dracut ignores them", "malformed_values_are_told_with_what_to_write"),
    ("-", "network.ntp", "a time server, by address or name, instead of those of ip= and DHCP", "not in dracut", "one_good_server_is_enough_and_a_forged_reply_does_not_count"),
    ("-", "network.handover", "which network service of the OS takes over the address", "not in dracut", "ifupdown_goes_on_with_the_lease"),
    ("net.ifnames=, biosdevname=", "-", "left to the OS: the initramfs has the kernel's names", "with 0, dracut's udev does not rename interfaces", "what_is_switched_off_or_somebody_elses_is_not_named"),
    ("rd.znet=, rd.znet_ifname=, rd.ccw=", "-", "reported: s390 devices", "dracut's own", "malformed_values_are_told_with_what_to_write"),
    ("root=dhcp, root=dhcp6", "-", "refused: a root that the root-path of a DHCP server names", "dracut's own", "malformed_values_are_told_with_what_to_write"),
    ("netroot=, root=iscsi:, rd.iscsi.*, iscsi_*", "-", "reported or refused: iSCSI", "dracut's own; rd.iscsi.ibft= also sets ip= from the firmware", "malformed_values_are_told_with_what_to_write"),
    ("root=nbd:, nbdroot=", "-", "reported or refused: a network block device", "dracut's own", "malformed_values_are_told_with_what_to_write"),
    ("fcoe=, rd.fcoe=, root=fcoe:", "-", "reported or refused: Fibre Channel over Ethernet", "dracut's own", "malformed_values_are_told_with_what_to_write"),
    ("rd.nvmf.*, rd.nonvmf", "-", "reported: NVMe over a network", "dracut's own; newer NetworkManagers also read addresses from the firmware (NBFT)", "malformed_values_are_told_with_what_to_write"),
    ("root=nfs:, root=nfs4:, root=SERVER:/PATH, root=/dev/nfs, nfsroot=, rd.nfs.*", "-", "reported or refused: NFS", "dracut's own", "malformed_values_are_told_with_what_to_write"),
    ("root=cifs:, cifsuser=, cifspass=", "-", "reported or refused: CIFS", "dracut's own", "malformed_values_are_told_with_what_to_write"),
];

/// The parameters of a row, without what follows their `=`.
fn names(parameters: &str) -> impl Iterator<Item = &str> {
    parameters.split(", ").map(|one| one.split(['=', ' ']).next().unwrap_or_default())
}

/// Every `fn NAME` of the tests.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn every_row_has_a_test_that_exists() {
    let mut known = BTreeSet::new();
    for folder in ["init", "tests/tests"] {
        functions(&root().join(folder), &mut known);
    }
    for (parameter, .., test) in GRAMMAR {
        assert!(known.contains(*test), "{parameter}: there is no test {test}");
    }
}

#[test]
fn every_network_setting_and_parameter_has_a_row() {
    let settings: BTreeSet<&str> = GRAMMAR.iter().map(|row| row.1).filter(|name| *name != "-").collect();
    let keys = KEYS.iter().map(|key| key.name).filter(|name| name.starts_with("network."));
    assert_eq!(settings, keys.collect::<BTreeSet<_>>());
    let written: BTreeSet<&str> = GRAMMAR.iter().flat_map(|row| names(row.0)).collect();
    // The network's parameters are one block of the table.
    let block = PARAMETERS.iter().skip_while(|one| one.name != "ip").take_while(|one| one.name != "rd.retry");
    let block: Vec<&str> = block.map(|one| one.name).collect();
    assert!(block.len() > 10, "{block:?}");
    for name in &block {
        assert!(written.contains(name), "{name} has no row");
    }
    // `rd.net.dns-*` has a row for each of its parameters.
    let reported =
        foreign::FOREIGN.iter().flat_map(|row| row.names).filter(|name| name.starts_with("rd.net."));
    for name in reported {
        let start = name.trim_end_matches('*');
        assert!(written.iter().any(|one| one.starts_with(start)), "{name} has no row");
    }
    for name in written.iter().filter(|name| !["-", "net.ifnames", "biosdevname", "root"].contains(name)) {
        let is_known = block.contains(name) || foreign::find(&name.replace('*', "x")).is_some();
        assert!(is_known, "{name} is in a row, but in no table");
    }
}

#[test]
fn network_parameters_page() {
    let mut text = format!("{MADE}# Network parameters\n\n");
    text.push_str(
        "Every parameter of dracut's network grammar (dracut.cmdline(7)), with the setting that does the same, and the test that
shows it. [Kernel parameters](parameters.md#ip) has the forms of `ip=` with examples, and
[the network](../explanation/network.md) explains what becomes of them.

The column *differs from dracut* compares with the code of dracut 059 (Debian 12); up to dracut 111, these parameters mean the same.
*network-legacy* is dracut's own network module, *NetworkManager* stands for its module network-manager with nm-initrd-generator(8), and
*dracut* for both. A value that network-legacy refuses ends dracut's boot.

| parameter | setting | meaning | differs from dracut | test |
|---|---|---|---|---|
",
    );
    for (parameter, setting, meaning, differs, test) in GRAMMAR {
        let code = |text: &str| {
            let parts = text.split(", ").map(super::code);
            parts.collect::<Vec<_>>().join(" ")
        };
        let (meaning, differs) = (cell(meaning), cell(differs));
        writeln!(text, "| {} | {} | {meaning} | {differs} | `{test}` |", code(parameter), code(setting))
            .unwrap();
    }
    text.push_str(
        "
An unknown parameter whose name is nearly that of one of these is reported with the one that is probably meant. All other
unknown parameters belong to other programs.

## Malformed values

A malformed value of an essential parameter, and of every setting, refuses the boot; one of another parameter is a warning
([parameters](parameters.md) says which). The sentences are the ones of the console, of boot.json and of `dayfly explain`.

",
    );
    text.push_str(&malformed::table());
    page("docs/reference/network-parameters.md", &text);
}
