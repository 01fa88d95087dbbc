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
    ("ip=dhcp, ip=on, ip=any", IP, "DHCPv4 on every interface at once; the first that leads to the server is used", "dracut configures every interface that gets a lease", "a_second_interface_without_an_answer_costs_nothing"),
    ("ip=single-dhcp", IP, "as ip=dhcp", "-", "what_is_not_done_is_said_once_with_what_to_write"),
    ("ip=auto6", IP, "IPv6 router advertisements, with DHCPv6 if they refer to it", "-", "a_node_boots_by_router_advertisements_alone"),
    ("ip=dhcp6", IP, "DHCPv6", "-", "a_node_gets_its_address_from_a_dhcpv6_server"),
    ("ip=either6", IP, "auto6, and dhcp6 if no address came within 3 s", "dracut waits 40 s", "parameters_of_links_become_one_network"),
    ("ip=link6", IP, "the IPv6 link-local address alone", "-", "what_is_not_done_is_said_once_with_what_to_write"),
    ("ip=link-local", IP, "as ip=link6; the plan reports that IPv4 has no link-local address", "from systemd-network-generator(8)", "what_is_not_done_is_said_once_with_what_to_write"),
    ("ip=auto", IP, "DHCPv4 and auto6 at the same time", "dracut's dhcp,dhcp6 and dhcp,auto6 mean the same", "the_ip_version_that_leads_to_the_image_is_used"),
    ("ip=none, ip=off", IP, "with a client address: static; without one, the interface is left alone", "-", "parameters_of_links_become_one_network"),
    ("ip=ibft, ip=bootp, ip=rarp, ip=both", IP, "refused", "dracut and the kernel have them", "malformed_values_are_told_with_what_to_write"),
    ("ip=INTERFACE:METHOD", IP, "the same for one interface; it may have the name that the OS gives it", "in dracut, the name that its own udev gives", "ip_names_a_card_as_the_os_does"),
    ("ip=…:MTU", IP, "the MTU, as far as the interface supports it", "-", "a_card_keeps_to_the_mtu_that_it_can_do"),
    ("ip=…:MTU:MAC", IP, "a MAC address for the interface", "-", "a_peer_and_a_mac_address_are_set"),
    ("ip=CLIENT:PEER:GATEWAY:NETMASK:HOSTNAME:INTERFACE:none", IP, "a static address, of IPv4 or of IPv6 in brackets", "-", "a_static_ipv6_address_needs_no_server"),
    ("ip=…:PEER:…", IP, "the other end of a point-to-point link, with a prefix of 32 or 128", "with another prefix it is not used: in the kernel's ip=, it is the NFS server", "a_peer_and_a_mac_address_are_set"),
    ("ip=…:HOSTNAME:…", IP, "the node's name", "it is adapted to the rules of Kubernetes", "a_name_in_ip_is_taken_likewise_and_the_plan_says_so"),
    ("ip=…:DNS1:DNS2", IP, "name servers", "-", "the_long_form"),
    ("ip=…:NTP", IP, "not used; the plan reports it", "dracut accepts it", "what_is_not_done_is_said_once_with_what_to_write"),
    ("ip=… ip=…", IP, "all named interfaces are configured; two for one interface must be of different IP versions", "-", "every_interface_that_ip_names_is_configured"),
    ("BOOTIF=[01-]MAC", "network.bootif", "the interface that the firmware booted from is preferred: it gets 10 s alone", "dracut uses that interface only", "image_behind_the_second_nic"),
    ("rd.bootif=0", "network.uses_bootif", "BOOTIF= is ignored", "-", "parameters_of_links_become_one_network"),
    ("bootdev=INTERFACE", "network.bootdev", "the preferred interface; its routes come first", "it is optional also with several ip=", "parameters_of_links_become_one_network"),
    ("ifname=NAME:MAC", "network.ifname", "a name for an interface", "Ethernet only", "an_interface_is_named_by_its_mac_address"),
    ("nameserver=ADDRESS", "network.dns", "a name server, asked before those from the network", "-", "parameters_of_links_become_one_network"),
    ("rd.peerdns=0", "network.peerdns", "name servers from the network are not used", "-", "name_servers_of_the_network_can_be_left_out"),
    ("rd.route=NETWORK/PREFIX:GATEWAY[:INTERFACE]", "network.route", "a static route; GATEWAY may be empty if there is an INTERFACE", "-", "every_named_interface_keeps_its_address"),
    ("rd.neednet=1", "network.wanted", "the network is brought up also if the image is on a disk", "-", "an_installed_os_has_the_name_of_its_own_in_rules_too"),
    ("vlan=NAME:PARENT", "network.vlan", "a VLAN; NAME is vlan0005, vlan5, eth0.0005 or eth0.5", "the number is decimal, also with zeros before it", "a_vlan_on_a_bond_gets_the_address"),
    ("bond=NAME:PORT,…[:OPTIONS[:MTU[:MAC]]]", "network.bond", "a bond with options of the kernel's driver", "MAC is an addition", "a_vlan_on_a_bond_gets_the_address"),
    ("bond", "network.bond", "bond0:eth0,eth1:mode=balance-rr", "-", "parameters_of_links_become_one_network"),
    ("bridge=NAME:PORT,…", "network.bridge", "a bridge; without a value br0:eth0", "-", "a_bridge_has_the_mac_address_of_its_first_port"),
    ("team=NAME:PORT,…[:RUNNER]", "-", "refused, with the bond= that does the same", "dracut starts teamd", "malformed_values_are_told_with_what_to_write"),
    ("rd.net.timeout.iflink=", "network.link_timeout", "how long an interface may take to appear", "Dayfly waits at most rd.retry= in all", "limits_are_those_of_the_parameters"),
    ("rd.net.timeout.carrier=", "network.carrier_timeout", "how long an interface may take to get a carrier", "the same", "limits_are_those_of_the_parameters"),
    ("rd.net.timeout.dhcp=", "network.dhcp_timeout", "how long a DHCP server may take on an interface", "the same", "limits_are_those_of_the_parameters"),
    ("rd.net.dhcp.retry=", "network.dhcp_tries", "how often rd.net.timeout.dhcp= counts", "without that, a server is asked as long as the step lasts", "limits_are_those_of_the_parameters"),
    ("rd.net.timeout.ipv6dad=", "network.dad_timeout", "how long duplicate address detection may take", "only for addresses that the boot sets", "limits_are_those_of_the_parameters"),
    ("rd.net.timeout.ipv6auto=", "network.autoconf_timeout", "how long an interface may take to get an IPv6 address from routers", "the same", "limits_are_those_of_the_parameters"),
    ("rd.net.timeout.ifup=, rd.net.timeout.route=", "-", "checked, and reported as not used", "nothing waits for them", "bad_values_are_named_with_what_is_expected"),
    ("rd.net.dhcp.vendor-class=", "network.dhcp_vendor_class", "the vendor class for DHCPv4 servers", "NetworkManager's initrd has it; the default is dayfly", "limits_are_those_of_the_parameters"),
    ("-", "network.handover", "which network service of the OS takes over the address", "not in dracut", "ifupdown_goes_on_with_the_lease"),
    ("net.ifnames=, biosdevname=", "-", "left to the OS: the initramfs has the kernel's names", "dracut's udev renames interfaces", "what_is_switched_off_or_somebody_elses_is_not_named"),
    ("rd.znet=, rd.znet_ifname=", "-", "reported: s390 devices", "dracut's own", "malformed_values_are_told_with_what_to_write"),
    ("netroot=, root=iscsi:, rd.iscsi.*", "-", "reported or refused: iSCSI", "dracut's own", "malformed_values_are_told_with_what_to_write"),
    ("root=nbd:, nbdroot=", "-", "reported or refused: a network block device", "dracut's own", "malformed_values_are_told_with_what_to_write"),
    ("fcoe=, rd.fcoe=, root=fcoe:", "-", "reported or refused: Fibre Channel over Ethernet", "dracut's own", "malformed_values_are_told_with_what_to_write"),
    ("rd.nvmf.*", "-", "reported: NVMe over a network", "dracut's own", "malformed_values_are_told_with_what_to_write"),
    ("root=nfs:, nfsroot=", "-", "reported or refused: NFS", "dracut's own", "malformed_values_are_told_with_what_to_write"),
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
