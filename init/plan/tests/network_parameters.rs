//! The planner reports once what it does not carry out of the network's parameters, with an alternative.

use dayfly_plan::settings::gather;
use dayfly_plan::{Facts, plan};

fn notes(words: &str) -> Vec<String> {
    let facts = Facts::from_cmdline(format!("root=live:http://boot/os {words}"));
    let (settings, problems) = gather(&facts);
    assert_eq!(problems, [], "{words}");
    plan(&settings, &facts.discovered).notes.into_iter().filter(|note| note.starts_with("ip=")).collect()
}

#[test]
fn what_is_not_done_is_said_once_with_what_to_write() {
    let second = |word: &str, first: &str, of: &str| {
        format!(
            "ip={word}: it is not used, because ip={first} comes first and is also for {of}; remove one of them."
        )
    };
    for (words, expected) in [
        ("ip=dhcp", vec![]),
        ("ip=single-dhcp", vec![]),
        ("ip=eth0:dhcp:9000 ip=eth1:off", vec![]),
        ("ip=10.0.0.2::10.0.0.1:24:n1:eth0:none", vec![]),
        ("ip=auto6 ip=eth0:dhcp6 ip=eth1:either6 ip=eth2:link6 ip=eth3:auto", vec![]),
        (
            "ip=link-local",
            vec![
                "ip=link-local: only the IPv6 link-local address is used; use ip=INTERFACE:dhcp, or a static address, for \
                 IPv4."
                    .to_owned(),
            ],
        ),
        ("ip=eth0:dhcp::52:54:00:12:34:56", vec![]),
        ("ip=eth0:dhcp ip=eth0:dhcp", vec![]),
        (
            "ip=eth0:dhcp ip=10.0.0.2:::24::eth0:none",
            vec![second("10.0.0.2:::24::eth0:none", "eth0:dhcp", "eth0")],
        ),
        // Addresses of both IP versions on one interface.
        ("ip=eth0:dhcp ip=[2001:db8::2]:::64::eth0:none", vec![]),
        ("ip=dhcp ip=single-dhcp", vec![second("single-dhcp", "dhcp", "every interface")]),
        (
            "ip=10.0.0.2:10.0.0.1::24::eth0:none:10.0.0.3::10.0.0.9",
            vec![
                "ip=10.0.0.2:10.0.0.1::24::eth0:none:10.0.0.3::10.0.0.9: 10.0.0.1 in the field PEER is not used: a peer needs the \
                 prefix 32 (IPv6: 128), and the NFS server of the kernel's ip= is not needed."
                    .to_owned(),
            ],
        ),
        ("ip=10.0.0.2:10.0.0.1::32::eth0:none", vec![]),
        (
            "ip=bond0:dhcp",
            vec!["ip= names bond0, which no parameter creates; add bond=bond0:PORT,PORT, unless the machine has an interface of this name.".to_owned()],
        ),
        (
            "ip=eth0.20:dhcp",
            vec!["ip= names eth0.20, which no parameter creates; add vlan=eth0.20:eth0, unless the machine has an interface of this name.".to_owned()],
        ),
        ("ip=bond0:dhcp bond=bond0:eth0,eth1:miimon=100", vec![]),
        ("ip=br-lan:dhcp ip=enp1s0:dhcp", vec![]),
    ] {
        assert_eq!(notes(words), expected, "{words}");
    }
}

/// How a step ends whose interfaces are all named.
const READY: &str = "; ready when boot:80 answers";

/// The network's step without [`READY`], and the notes that begin with one of these parameters.
fn network(parameters: &str) -> (String, Vec<String>) {
    let facts = Facts::from_cmdline(format!("root=live:http://boot/os {parameters}"));
    let (settings, problems) = gather(&facts);
    assert_eq!(problems, [], "{parameters}");
    let plan = plan(&settings, &facts.discovered);
    let step = plan.rows().into_iter().find(|row| row.step == "network").unwrap().action;
    let starts = ["vlan=", "bond=", "bridge=", "ip=", "ifname=", "rd.route="];
    let notes = plan.notes.into_iter().filter(|note| starts.iter().any(|start| note.starts_with(start)));
    let is_said = step.contains("the first that reaches boot:80 is used");
    assert_eq!(step.ends_with(READY), !is_said, "{step}");
    (step.trim_end_matches(READY).to_owned(), notes.collect())
}

#[test]
fn parameters_of_links_become_one_network() {
    for (parameters, expected) in [
        ("", "dhcp4 and slaac on every interface at once, the first that reaches boot:80 is used"),
        (
            "vlan=vlan5:bond0 bond=bond0:eth0,eth1:mode=802.3ad,miimon=100:9000 ip=vlan5:dhcp",
            "vlan5 (VLAN 5 of bond0): dhcp4; bond0 (bond of eth0 eth1, mode=802.3ad, miimon=100): no address mtu 9000",
        ),
        (
            "vlan=eth0.0007:eth0",
            "eth0.0007 (VLAN 7 of eth0): dhcp4 and slaac; dhcp4 and slaac on every other interface at once, the first that reaches boot:80 is used",
        ),
        (
            "bridge=br0:eth0 ip=10.0.0.2::10.0.0.1:24::br0:none ip=[2001:db8::2]:::64::br0:none",
            "br0 (bridge of eth0): 10.0.0.2/24 via 10.0.0.1 and 2001:db8::2/64",
        ),
        (
            "bond ip=bond0:dhcp::52:54:00:12:34:56",
            "bond0 (bond of eth0 eth1, mode=balance-rr): dhcp4 mac 52:54:00:12:34:56",
        ),
        (
            "ifname=lan:52:54:00:12:34:56 ip=lan:dhcp bootdev=lan rd.peerdns=0",
            "52:54:00:12:34:56 is named lan; lan: dhcp4; preferred interface lan; no dns of the network",
        ),
        (
            "BOOTIF=01-52-54-00-12-34-56 rd.bootif=0 rd.route=10.9.0.0/16:10.0.0.9:eth1 nameserver=10.0.0.3",
            "dhcp4 and slaac on every interface at once, the first that reaches boot:80 is used; route 10.9.0.0/16 via 10.0.0.9 on eth1; dns 10.0.0.3",
        ),
        (
            "ip=dhcp ip=dhcp6",
            "dhcp4 and dhcp6 on every interface at once, the first that reaches boot:80 is used",
        ),
        ("ip=off", "no interface is configured"),
        ("ip=eth0:either6 ip=eth1:dhcp6 ip=eth1:dhcp", "eth0: slaac and dhcp6; eth1: dhcp6 and dhcp4"),
        ("ip=10.0.0.2:10.0.0.9:10.0.0.9:32::eth0:none", "eth0: 10.0.0.2/32 to 10.0.0.9 via 10.0.0.9"),
    ] {
        assert_eq!(network(parameters), (expected.to_owned(), Vec::new()), "{parameters}");
    }
}

/// The interface of a link-local server needs no other address; what the parameters ask for comes in addition.
#[test]
fn a_link_local_server_names_its_interface() {
    for (url, parameters, expected) in [
        (
            "http://[fe80::1%25eth0]/os",
            "",
            "eth0: dhcp4 and slaac and link-local; dhcp4 and slaac on every other interface; only eth0 is asked for [fe80::1%eth0]:80",
        ),
        (
            "https://[fe80::1%eth0]:8443/os",
            "ip=eth0:dhcp nameserver=fe80::1%eth1",
            "eth0: dhcp4 and link-local; dns fe80::1%eth1; ready when [fe80::1%eth0]:8443 answers",
        ),
        (
            "http://[fe80::1%25vlan5]/os",
            "vlan=vlan5:eth0 ip=[2001:db8::2]:::64::vlan5:none",
            "vlan5 (VLAN 5 of eth0): 2001:db8::2/64; ready when [fe80::1%vlan5]:80 answers",
        ),
        (
            "http://[fe80::1%25eth1]/os",
            "ip=10.0.0.2:::24:::none",
            "eth1: link-local; 10.0.0.2/24 on the first interface with a carrier; ready when [fe80::1%eth1]:80 answers",
        ),
        (
            "http://[fe80::1%25eth0]/os",
            "bridge=br0:eth0 ip=br0:dhcp",
            "br0 (bridge of eth0): dhcp4; ready when [fe80::1%eth0]:80 answers",
        ),
    ] {
        let facts = Facts::from_cmdline(format!("root=live:{url} {parameters}"));
        let (settings, problems) = gather(&facts);
        assert_eq!(problems, [], "{url} {parameters}");
        let plan = plan(&settings, &facts.discovered);
        let step = plan.rows().into_iter().find(|row| row.step == "network").unwrap().action;
        assert_eq!(step, expected, "{url} {parameters}");
        let is_port = "The server [fe80::1%eth0]:80: eth0 is a port of a bond or bridge and can have no address; name that bond or bridge in the URL.";
        assert_eq!(plan.notes.iter().any(|note| note == is_port), parameters.contains("bridge="));
    }
}

#[test]
fn impossible_links_are_left_out_and_reported() {
    for (parameters, expected, note) in [
        (
            "bond=bond0:eth0 bond=bond1:eth0 ip=bond0:dhcp",
            "bond0 (bond of eth0): dhcp4",
            "bond=bond1:eth0: eth0 is a port of another link already; it is not created.",
        ),
        (
            "vlan=vlan5:br0 bridge=br0:vlan5 ip=vlan5:dhcp",
            "vlan5 (VLAN 5 of br0): dhcp4",
            "bridge=br0:vlan5: br0 would be made of itself; it is not created.",
        ),
        (
            "bond=x:eth0 bridge=x:eth1 ip=x:dhcp",
            "x (bond of eth0): dhcp4",
            "bridge=x:eth1: another parameter creates x already; it is not created.",
        ),
        (
            "bridge=br0:eth0 ip=br0:dhcp ip=eth0:dhcp",
            "br0 (bridge of eth0): dhcp4",
            "ip= names eth0, which is a port of a bond or bridge and can have no address; name the bond or bridge.",
        ),
        (
            "vlan=vlan5:eth0 ip=eth0:dhcp",
            "eth0: dhcp4; vlan5 (VLAN 5 of eth0): no address",
            "vlan=vlan5:eth0: no ip= names vlan5, so it has no address.",
        ),
    ] {
        assert_eq!(network(parameters), (expected.to_owned(), vec![note.to_owned()]), "{parameters}");
    }
}

/// A mistake in one of two parameters is told when they are read, and not by a boot that has no network.
#[test]
fn parameters_that_contradict_each_other_are_reported() {
    const ONE: &str = "52:54:00:12:34:01";
    const TWO: &str = "52:54:00:12:34:02";
    let names = |one: &str, two: &str| format!("ifname={one} ifname={two} ip=dhcp");
    let lan = format!("{ONE} is named lan; ");
    let both = format!("{lan}{TWO} is named wan; ");
    let gateway = |route: &str, hop: &str| {
        format!(
            "rd.route={route}: no interface gets an address in the network of the gateway {hop}, so the route cannot be added; correct \
             the gateway, or write its interface after it, like {hop}:eth0."
        )
    };
    let fixed = "ip=10.0.0.2:::24::eth0:none";
    for (parameters, shown, expected) in [
        (
            names(&format!("lan:{ONE}"), &format!("wan:{ONE}")),
            lan.as_str(),
            vec![format!("ifname=wan:{ONE}: it is not used, because {ONE} is named lan already; remove one of them.")],
        ),
        (
            names(&format!("lan:{ONE}"), &format!("lan:{TWO}")),
            lan.as_str(),
            vec![format!(
                "ifname=lan:{TWO}: it is not used, because lan is the name of {ONE} already; give each interface its own name."
            )],
        ),
        (names(&format!("lan:{ONE}"), &format!("lan:{ONE}")), lan.as_str(), vec![]),
        (names(&format!("lan:{ONE}"), &format!("wan:{TWO}")), both.as_str(), vec![]),
        (
            format!("{fixed} ip=10.0.0.2:::24::eth1:none"),
            "",
            vec!["ip= gives 10.0.0.2 to eth0 and to eth1: an address is for one interface; give each its own.".to_owned()],
        ),
        (
            format!("{fixed} ip=10.0.0.2:::16:::none"),
            "",
            vec![
                "ip= gives 10.0.0.2 to eth0 and to every other interface: an address is for one interface; give each its own."
                    .to_owned(),
            ],
        ),
        (format!("{fixed} ip=10.0.0.3:::24::eth1:none ip=[2001:db8::2]:::64::eth1:none"), "", vec![]),
        (
            format!("{fixed} rd.route=10.9.0.0/16:10.0.1.1"),
            "",
            vec![gateway("10.9.0.0/16:10.0.1.1", "10.0.1.1")],
        ),
        (
            "ip=auto6 rd.route=10.9.0.0/16:10.0.1.1".to_owned(),
            "",
            vec![gateway("10.9.0.0/16:10.0.1.1", "10.0.1.1")],
        ),
        (format!("{fixed} rd.route=10.9.0.0/16:10.0.0.1"), "", vec![]),
        (format!("{fixed} rd.route=10.9.0.0/16:10.0.1.1:eth0"), "", vec![]),
        (format!("{fixed} ip=eth1:dhcp rd.route=10.9.0.0/16:10.0.1.1"), "", vec![]),
        (format!("{fixed} rd.route=10.0.1.1/32::eth0 rd.route=10.9.0.0/16:10.0.1.1"), "", vec![]),
        ("ip=10.0.0.2:10.0.0.9::32::eth0:none rd.route=10.9.0.0/16:10.0.0.9".to_owned(), "", vec![]),
    ] {
        let (step, notes) = network(&parameters);
        assert_eq!(notes, expected, "{parameters}");
        let rest = step.strip_prefix(shown).unwrap_or_else(|| panic!("{parameters}: {step}"));
        assert!(!rest.contains("is named"), "{parameters}: {step}");
    }
}

#[test]
fn the_network_is_shown_as_a_tree() {
    let facts = Facts::from_cmdline(
        "root=live:http://boot/os bond=bond0:eth0,eth1:mode=802.3ad vlan=vlan5:bond0 vlan=vlan6:bond0 ip=vlan5:dhcp \
         ip=10.0.0.2:::24::vlan6:none ip=eth2:dhcp ip=eth3:off ip=dhcp rd.route=10.9.0.0/16:10.0.0.9 nameserver=10.0.0.3 \
         bootdev=vlan5",
    );
    let (settings, problems) = gather(&facts);
    assert_eq!(problems, []);
    let lines = plan(&settings, &facts.discovered).lines();
    let tree = lines.iter().skip_while(|line| *line != "network:").skip(1);
    let tree: Vec<&str> = tree.take_while(|line| line.starts_with(' ')).map(String::as_str).collect();
    assert_eq!(
        tree,
        [
            "  vlan5 (VLAN 5 of bond0): dhcp4",
            "    bond0 (bond of eth0 eth1, mode=802.3ad): no address",
            "      eth0: an interface of the machine",
            "      eth1: an interface of the machine",
            "  vlan6 (VLAN 6 of bond0): 10.0.0.2/24",
            "    bond0: see above",
            "  eth2 (an interface of the machine): dhcp4",
            "  eth3 (an interface of the machine): left alone",
            "  dhcp4 on every other interface at once, the first that reaches boot:80 is used",
            "  route 10.9.0.0/16 via 10.0.0.9",
            "  name servers: 10.0.0.3, then those of the network",
            "  preferred interface: vlan5",
        ]
    );
}

#[test]
fn limits_are_those_of_the_parameters() {
    let deadline = |parameters: &str| {
        let facts = Facts::from_cmdline(format!("root=live:http://boot/os {parameters}"));
        let (settings, problems) = gather(&facts);
        assert_eq!(problems, [], "{parameters}");
        let plan = plan(&settings, &facts.discovered);
        plan.rows().into_iter().find(|row| row.step == "network").unwrap().deadline
    };
    for (parameters, shown, within) in [
        ("ip=dhcp", "dhcp4 on every interface", "60 s"),
        ("ip=dhcp rd.net.timeout.carrier=30", "dhcp4 carrier within 30 s on every interface", "60 s"),
        ("ip=dhcp rd.net.timeout.carrier=90", "dhcp4 carrier within 90 s on", "90 s"),
        ("ip=dhcp rd.net.timeout.dhcp=20 rd.net.dhcp.retry=4", "dhcp4 dhcp within 80 s on", "80 s"),
        ("ip=dhcp rd.net.dhcp.retry=4", "dhcp4 on every interface", "60 s"),
        (
            "ip=auto6 rd.net.timeout.ipv6auto=5 rd.net.timeout.ipv6dad=2",
            "slaac slaac within 5 s dad within 2 s on",
            "60 s",
        ),
        (
            "ip=either6 rd.net.timeout.ipv6auto=40 rd.net.timeout.dhcp=30",
            "slaac and dhcp6 dhcp within 30 s slaac within 40 s on",
            "70 s",
        ),
        ("ip=dhcp rd.net.timeout.iflink=70", ", interfaces within 70 s", "70 s"),
        ("ip=dhcp rd.net.dhcp.vendor-class=Red_Hat", ", vendor class \"Red_Hat\"", "60 s"),
        ("ip=dhcp rd.net.timeout.carrier=90 rd.retry=50", "carrier within 90 s", "50 s"),
    ] {
        let (step, _) = network(parameters);
        assert!(step.contains(shown), "{parameters}: {step}");
        assert!(deadline(parameters).contains(within), "{parameters}: {}", deadline(parameters));
    }
}
