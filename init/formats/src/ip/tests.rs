use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn arg(text: &str) -> IpArg {
    text.parse().unwrap_or_else(|error| panic!("ip={text}: {error}"))
}

#[test]
fn a_client_identifier_is_named() {
    let words = "asks for another DHCP client identifier, which is not supported: the identifier is the MAC address, so that the \
                 OS gets the same lease; write dhcp, and give the node its address by its MAC address";
    for (text, method) in [
        ("dhcp,1,52:54:00:12:34:56", "dhcp,1,52:54:00:12:34:56"),
        ("dhcp,0x01,node", "dhcp,0x01,node"),
        ("dhcp,255,", "dhcp,255,"),
        ("eth0:dhcp,0,node1", "dhcp,0,node1"),
        ("eth0:dhcp,1,52:54:00:12:34:56", "dhcp,1,52"),
        (":::::eth0:dhcp,0,node1", "dhcp,0,node1"),
    ] {
        let found = text.parse::<IpArg>().unwrap_err().to_string();
        assert_eq!(found, format!("method {method:?} {words}"), "ip={text}");
    }
}

#[test]
fn methods_alone() {
    for (text, method, shown) in [
        ("dhcp", Method::Dhcp, "dhcp"),
        ("on", Method::Dhcp, "dhcp"),
        ("any", Method::Dhcp, "dhcp"),
        ("dhcp6", Method::Dhcp6, "dhcp6"),
        ("auto6", Method::Auto6, "auto6"),
        ("either6", Method::Either6, "either6"),
        ("link6", Method::Link6, "link6"),
        ("link-local", Method::LinkLocal, "link-local"),
        ("single-dhcp", Method::SingleDhcp, "single-dhcp"),
        ("auto", Method::Auto, "auto"),
        ("dhcp,dhcp6", Method::Auto, "auto"),
        ("none", Method::Off, "none"),
        ("off", Method::Off, "none"),
    ] {
        assert_eq!(arg(text), IpArg { method, ..IpArg::default() }, "{text}");
        assert_eq!(arg(text).to_string(), shown);
    }
}

#[test]
fn interface_first() {
    let base = IpArg { iface: Some("eth0".to_owned()), ..IpArg::default() };
    let mac: Option<Mac> = Some("52:54:00:12:34:56".parse().unwrap());
    for (text, expected) in [
        ("eth0:dhcp", base.clone()),
        ("eth0:dhcp:", base.clone()),
        ("eth0:dhcp::", base.clone()),
        ("eth0:off", IpArg { method: Method::Off, ..base.clone() }),
        ("eth0:link6:1400", IpArg { method: Method::Link6, mtu: Some(1400), ..base.clone() }),
        ("eth0:on:9000:52:54:00:12:34:56", IpArg { mtu: Some(9000), mac, ..base.clone() }),
        ("eth0:dhcp::52-54-00-12-34-56", IpArg { mac, ..base.clone() }),
        (":auto6", IpArg { iface: None, method: Method::Auto6, ..IpArg::default() }),
        (
            "enx525400123456:dhcp6",
            IpArg { iface: Some("enx525400123456".to_owned()), method: Method::Dhcp6, ..IpArg::default() },
        ),
        ("eth0.5:dhcp", IpArg { iface: Some("eth0.5".to_owned()), ..IpArg::default() }),
    ] {
        assert_eq!(arg(text), expected, "{text}");
    }
}

#[test]
fn the_long_form() {
    let base = IpArg {
        client: Some(ip("10.0.0.2")),
        gateway: Some(ip("10.0.0.1")),
        prefix: Some(24),
        hostname: Some("node1".to_owned()),
        iface: Some("eth0".to_owned()),
        method: Method::Off,
        ..IpArg::default()
    };
    let v6 = IpArg {
        client: Some(ip("2001:db8::2")),
        gateway: Some(ip("fe80::1")),
        prefix: Some(64),
        iface: Some("eth0".to_owned()),
        method: Method::Off,
        ..IpArg::default()
    };
    for (text, expected) in [
        ("10.0.0.2::10.0.0.1:255.255.255.0:node1:eth0:none", base.clone()),
        ("10.0.0.2::10.0.0.1:24:node1:eth0:off", base.clone()),
        ("10.0.0.2/24::10.0.0.1::node1:eth0:none", base.clone()),
        ("10.0.0.2/24::10.0.0.1:255.255.255.0:node1:eth0:", base.clone()),
        ("10.0.0.2:0.0.0.0:10.0.0.1:255.255.255.0:node1:eth0:none", base.clone()),
        ("10.0.0.2::10.0.0.1:255.255.255.0:node1:eth0", base.clone()),
        ("10.0.0.2::10.0.0.1:255.255.255.0", IpArg { hostname: None, iface: None, ..base.clone() }),
        (
            "10.0.0.2:192.0.2.9:10.0.0.1:24:node1:eth0:none",
            IpArg { peer: Some(ip("192.0.2.9")), ..base.clone() },
        ),
        (
            "10.0.0.2:10.9.9.9:::node1:eth0:none",
            IpArg { peer: Some(ip("10.9.9.9")), gateway: None, prefix: Some(32), ..base.clone() },
        ),
        (
            "10.0.0.2:10.9.9.9/30:::node1:eth0:none",
            IpArg { peer: Some(ip("10.9.9.9")), gateway: None, prefix: Some(30), ..base.clone() },
        ),
        ("10.0.0.2::10.0.0.1:24:node1:eth0:none:1400", IpArg { mtu: Some(1400), ..base.clone() }),
        (
            "10.0.0.2::10.0.0.1:24:node1:eth0:none::52:54:00:12:34:56",
            IpArg { mac: Some("52:54:00:12:34:56".parse().unwrap()), ..base.clone() },
        ),
        ("10.0.0.2::10.0.0.1:24:node1:eth0:none:1.1.1.1", IpArg { dns: vec![ip("1.1.1.1")], ..base.clone() }),
        (
            "10.0.0.2::10.0.0.1:24:node1:eth0:none:1.1.1.1:9.9.9.9",
            IpArg { dns: vec![ip("1.1.1.1"), ip("9.9.9.9")], ..base.clone() },
        ),
        (
            "10.0.0.2::10.0.0.1:24:node1:eth0:none::9.9.9.9",
            IpArg { dns: vec![ip("9.9.9.9")], ..base.clone() },
        ),
        (
            "10.0.0.2::10.0.0.1:24:node1:eth0:none:::10.0.0.3",
            IpArg { ntp: vec![ip("10.0.0.3")], ..base.clone() },
        ),
        (
            "10.0.0.2::10.0.0.1:24:node1:eth0:none:0.0.0.0:1.1.1.1:10.0.0.3:",
            IpArg { dns: vec![ip("1.1.1.1")], ntp: vec![ip("10.0.0.3")], ..base.clone() },
        ),
        ("[2001:db8::2]::[fe80::1]:64::eth0:none", v6.clone()),
        ("[2001:db8::2/64]::[fe80::1]:::eth0:none", v6.clone()),
        (
            "[2001:db8::2]::[fe80::1]:64::eth0:none:[2001:db8::53]:1.1.1.1",
            IpArg { dns: vec![ip("2001:db8::53"), ip("1.1.1.1")], ..v6.clone() },
        ),
        (":::::eth0:dhcp", IpArg { iface: Some("eth0".to_owned()), ..IpArg::default() }),
        ("::::node1::dhcp", IpArg { hostname: Some("node1".to_owned()), ..IpArg::default() }),
        ("::::node_1::dhcp", IpArg { hostname: Some("node_1".to_owned()), ..IpArg::default() }),
        ("::::localhost::dhcp", IpArg { hostname: Some("localhost".to_owned()), ..IpArg::default() }),
        (
            "::10.0.0.1:255.255.0.0::eth0:dhcp",
            IpArg {
                gateway: Some(ip("10.0.0.1")),
                prefix: Some(16),
                iface: Some("eth0".to_owned()),
                ..IpArg::default()
            },
        ),
        ("0.0.0.0::::node1:eth0:none", IpArg { client: None, gateway: None, prefix: None, ..base.clone() }),
        ("::::::", IpArg::default()),
        (
            "10.0.0.0/31::10.0.0.1",
            IpArg {
                client: Some(ip("10.0.0.0")),
                gateway: Some(ip("10.0.0.1")),
                prefix: Some(31),
                method: Method::Off,
                ..IpArg::default()
            },
        ),
    ] {
        assert_eq!(arg(text), expected, "{text}");
    }
}

#[test]
fn bad_parameters_are_named() {
    let methods =
        "expected dhcp, on, any, dhcp6, auto6, either6, link6, link-local, single-dhcp, auto, none, off";
    let with_methods = [
        ("", r#"value "" is empty; "#),
        ("lan", r#"method "lan" is unknown; "#),
        ("eth0:", r#"method "" is unknown; "#),
        ("dhcp,link6", r#"method "dhcp,link6" is unknown; "#),
        // A list of methods has no identifier.
        ("dhcp,dhcp6,auto6", r#"method "dhcp,dhcp6,auto6" is unknown; "#),
    ];
    for (text, start) in with_methods {
        assert_eq!(text.parse::<IpArg>().unwrap_err().to_string(), format!("{start}{methods}"), "ip={text}");
    }
    for (text, error) in [
        ("DHCP", r#"method "DHCP" is unknown; write dhcp"#),
        ("eth0:slaac", r#"method "slaac" is unknown; write auto6"#),
        ("dhcpv6", r#"method "dhcpv6" is unknown; write dhcp6"#),
        (
            "10.0.0.2::10.0.0.1:24::eth0:static",
            r#"method "static" is unknown; with a static address, write none"#,
        ),
        ("dhcp:eth0", r#"value "dhcp:eth0" has the method before the interface; write eth0:dhcp"#),
        (
            "10.9.0.5:::16:eth1:none",
            r#"interface "none" is a method, not an interface; a field before it is missing"#,
        ),
        ("dchp", r#"method "dchp" is unknown; the nearest is dhcp"#),
        ("eth0:dchp", r#"method "dchp" is unknown; the nearest is dhcp"#),
        ("auto4", r#"method "auto4" is unknown; the nearest is auto6"#),
        ("eth0", r#"method "eth0" is unknown; for an interface of this name, write eth0:dhcp"#),
        ("enp1s0", r#"method "enp1s0" is unknown; for an interface of this name, write enp1s0:dhcp"#),
        ("bootp", r#"method "bootp" is not supported; use dhcp, or a static address"#),
        ("eth0:ibft", r#"method "ibft" is not supported; use dhcp, or a static address"#),
        ("fw", r#"method "fw" is not supported; use dhcp, or a static address"#),
        (
            "52-54-00-12-34-56:dhcp",
            r#"interface "52-54-00-12-34-56" is a MAC address; name the interface with ifname=NAME:MAC, and use NAME"#,
        ),
        (
            "10.0.0.2",
            "client address \"10.0.0.2\" has no netmask; expected CLIENT:PEER:GATEWAY:NETMASK:HOSTNAME:INTERFACE:METHOD, \
             like 10.0.0.2::10.0.0.1:255.255.255.0:node1:eth0:none",
        ),
        (
            "10.0.0.2::10.0.0.1::node1:eth0:none",
            "client address \"10.0.0.2\" has no netmask; expected CLIENT:PEER:GATEWAY:NETMASK:HOSTNAME:INTERFACE:METHOD, \
             like 10.0.0.2::10.0.0.1:255.255.255.0:node1:eth0:none",
        ),
        (
            "10.0.0.300::10.0.0.1:24",
            r#"client address "10.0.0.300" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]"#,
        ),
        (
            "10.0.0.2.::10.0.0.1:24",
            r#"client address "10.0.0.2." is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]"#,
        ),
        (
            "010.0.0.2::10.0.0.1:24",
            r#"client address "010.0.0.2" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]"#,
        ),
        (
            "eth0:dhcpx:1500",
            r#"client address "eth0" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]"#,
        ),
        (
            "2001:db8::2::fe80::1:64",
            r#"client address "2001" is not an IP address; an IPv6 address is written in brackets, like [2001:db8::2]"#,
        ),
        (
            "[10.0.0.2]::10.0.0.1:24",
            r#"client address "10.0.0.2" is an IPv4 address; write it without brackets"#,
        ),
        (
            "[2001:db8::g]::[fe80::1]:64",
            r#"client address "2001:db8::g" is not an IPv6 address; expected one like [2001:db8::1]"#,
        ),
        ("[]:::24", r#"client address "" is not an IPv6 address; expected one like [2001:db8::1]"#),
        (
            "[2001:db8::2::[fe80::1:64",
            r#"value "[2001:db8::2::[fe80::1:64" has no "]" for the "[" in "[2001:db8::2::[fe80::1:64"; an IPv6 address is written like [2001:db8::2]"#,
        ),
        ("[2001:db8::2]x:::64", r#"value "[2001:db8::2]x:::64" has "x" after "]"; expected ":" or the end"#),
        (
            "[2001:db8::2]/64:::",
            r#"value "[2001:db8::2]/64:::" has "/64" after "]"; write "[2001:db8::2/64]""#,
        ),
        ("[:\n]/\t:", r#"value "[:\n]/\t:" has "/\t" after "]"; write "[:\n/\t]""#),
        ("224.0.0.1:::24", r#"client address "224.0.0.1" is a multicast address; expected a host address"#),
        (
            "255.255.255.255:::24",
            r#"client address "255.255.255.255" is the broadcast address; expected a host address"#,
        ),
        (
            "127.0.0.1:::8",
            r#"client address "127.0.0.1" is a loopback address; expected an address of this host on the network"#,
        ),
        (
            "10.0.0.0:::24",
            r#"client address "10.0.0.0" is the network address of 10.0.0.0/24; expected a host address"#,
        ),
        (
            "10.0.0.255:::24",
            r#"client address "10.0.0.255" is the broadcast address of 10.0.0.0/24; expected a host address"#,
        ),
        (
            "10.0.0.2::10.0.0.1:24::eth0:dhcp",
            r#"client address "10.0.0.2" is given, but the method is dhcp; use none for a static address"#,
        ),
        (
            "10.0.0.2/33:::",
            r#"client address "10.0.0.2/33" has a prefix length out of range; expected 1 to 32"#,
        ),
        ("10.0.0.2/:::", r#"client address "10.0.0.2/" has a prefix length out of range; expected 1 to 32"#),
        (
            "/24:::",
            r#"client address "/24" has a prefix length but no address; expected one like 10.0.0.2/24"#,
        ),
        (
            "10.0.0.2:none:10.0.0.1:24",
            r#"peer address "none" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]"#,
        ),
        (
            "10.0.0.2:[2001:db8::1]::24",
            r#"peer address "2001:db8::1" is IPv6, but the client address is IPv4; both must be of one IP version"#,
        ),
        (
            "10.0.0.2::gw:24",
            r#"gateway "gw" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]"#,
        ),
        (
            "10.0.0.2::[fe80::1]:24",
            r#"gateway "fe80::1" is IPv6, but the client address is IPv4; both must be of one IP version"#,
        ),
        (
            "[2001:db8::2]::10.0.0.1:64",
            r#"gateway "10.0.0.1" is IPv4, but the client address is IPv6; both must be of one IP version"#,
        ),
        ("10.0.0.2::10.0.0.2:24", r#"gateway "10.0.0.2" is the client's own address; expected the router's"#),
        (
            "10.0.0.2::10.0.0.0:24",
            r#"gateway "10.0.0.0" is the network address of 10.0.0.0/24; expected a host address"#,
        ),
        (
            "::10.0.0.1::node1:eth0:none",
            r#"gateway "10.0.0.1" is given without a client address; add one, or use a method like dhcp"#,
        ),
        (
            ":::24::eth0:none",
            r#"netmask "24" is given without a client address; add one, or use a method like dhcp"#,
        ),
        (
            "10.0.0.2::10.0.0.1:255.0.255.0",
            r#"netmask "255.0.255.0" is not contiguous; expected ones, then zeros, like 255.255.255.0"#,
        ),
        ("10.0.0.2::10.0.0.1:33", r#"netmask "33" has a prefix length out of range; expected 1 to 32"#),
        ("10.0.0.2::10.0.0.1:0", r#"netmask "0" has a prefix length out of range; expected 1 to 32"#),
        ("[2001:db8::2]:::129", r#"netmask "129" has a prefix length out of range; expected 1 to 128"#),
        (
            "10.0.0.2::10.0.0.1:+24",
            r#"netmask "+24" is neither a mask like 255.255.255.0 nor a prefix length like 24"#,
        ),
        (
            "10.0.0.2::10.0.0.1:255.255.255",
            r#"netmask "255.255.255" is neither a mask like 255.255.255.0 nor a prefix length like 24"#,
        ),
        (
            "[2001:db8::2]:::255.255.255.0",
            "netmask \"255.255.255.0\" is an IPv4 mask, but the client address is IPv6; expected a prefix length like 64",
        ),
        (
            "10.0.0.2/24:::16",
            r#"netmask "16" contradicts the prefix length /24 at the address; remove one of them"#,
        ),
        ("10.0.0.2:::24:node%1", r#"hostname "node%1" holds '%'; letters, digits, "-" and "." are possible"#),
        (
            "10.0.0.2:::24:-n",
            r#"hostname "-n" has a part that starts or ends with "-"; expected a name like node1"#,
        ),
        (
            "10.0.0.2:::24:10.0.0.1",
            r#"hostname "10.0.0.1" is an address; expected a name in the fifth field"#,
        ),
        (
            "10.0.0.2:::24:n:averylonginterface",
            r#"interface "averylonginterface" has 18 bytes; expected at most 15, the limit of the kernel"#,
        ),
        ("10.0.0.2:::24:n:a/b:none", r#"interface "a/b" holds '/'; expected a name like eth0"#),
        ("eth 0:dhcp", r#"interface "eth 0" holds ' '; expected a name like eth0"#),
        ("..:dhcp", r#"interface ".." is not a name; expected a name like eth0"#),
        ("10.0.0.2:::24:n:10.0.0.1:none", r#"interface "10.0.0.1" is an address; expected a name like eth0"#),
        ("eth0:dhcp:67", r#"MTU "67" is not a number from 68 to 65535"#),
        ("eth0:dhcp:65536", r#"MTU "65536" is not a number from 68 to 65535"#),
        ("eth0:dhcp:15OO", r#"MTU "15OO" is not a number from 68 to 65535"#),
        ("10.0.0.2:::24:n:eth0:none:big", r#"MTU "big" is not a number from 68 to 65535"#),
        (
            "eth0:dhcp:1500:52:54:00",
            r#"MAC address "52:54:00" is not six pairs of hexadecimal digits, like 52:54:00:12:34:56"#,
        ),
        (
            "eth0:dhcp::01:00:5e:00:00:01",
            r#"MAC address "01:00:5e:00:00:01" is a group address; expected the address of one interface, like 52:54:00:12:34:56"#,
        ),
        (
            "eth0:dhcp::00:00:00:00:00:00",
            r#"MAC address "00:00:00:00:00:00" is all zeros; expected the address of one interface, like 52:54:00:12:34:56"#,
        ),
        (
            "10.0.0.2:::24:n:eth0:none:1.1.1.1:x",
            r#"name server "x" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]"#,
        ),
        (
            "10.0.0.2:::24:n:eth0:none:1.1.1.",
            r#"name server "1.1.1." is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]"#,
        ),
        (
            "10.0.0.2:::24:n:eth0:none:1.1.1.1::pool.ntp.org",
            r#"time server "pool.ntp.org" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]"#,
        ),
        (
            "10.0.0.2:::24:n:eth0:none:1.1.1.1:::10.0.0.9",
            r#"value "10.0.0.2:::24:n:eth0:none:1.1.1.1:::10.0.0.9" has "10.0.0.9" after the time server; expected the end"#,
        ),
    ] {
        match text.parse::<IpArg>() {
            Ok(parsed) => panic!("ip={text} was accepted as {parsed:?}"),
            Err(found) => assert_eq!(found.to_string(), error, "ip={text}"),
        }
    }
}

prop_compose! {
    fn static_arg()(
        host in 1u32..0xfffe, net in 1u32..223, gateway in proptest::option::of(1u32..0xfffe), prefix in 16u8..=16,
        hostname in proptest::option::of("[a-z][a-z0-9]{0,10}"), iface in proptest::option::of("[a-km-z][a-z0-9.]{0,10}"),
        hardware in proptest::option::of((68u32..65535, any::<[u8; 5]>())), servers in 0usize..3, ntp: bool,
    ) -> IpArg {
        let net = if net == 127 { 10 } else { net };
        let address = |host: u32| IpAddr::from((net << 24 | host).to_be_bytes());
        let mut arg = IpArg {
            client: Some(address(host)),
            gateway: gateway.filter(|gateway| *gateway != host).map(address),
            prefix: Some(prefix),
            hostname,
            iface: iface.filter(|name| Method::from_name(name).is_none()),
            method: Method::Off,
            ..IpArg::default()
        };
        if let Some((mtu, [a, b, c, d, e])) = hardware {
            arg.mtu = Some(mtu);
            arg.mac = Some(Mac([2, a, b, c, d, e]));
        } else {
            arg.dns = [ip("2001:db8::53"), ip("1.1.1.1")].into_iter().take(servers).collect();
            arg.ntp = ntp.then(|| ip("10.9.9.9")).into_iter().collect();
        }
        arg
    }
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(arg in static_arg()) {
        prop_assert_eq!(arg.to_string().parse::<IpArg>().unwrap(), arg);
    }

    #[test]
    fn whatever_is_accepted_is_read_back(text in "[a-f0-9:.\\[\\]/]{0,40}|(10\\.0\\.0\\.[0-9]{1,3}|[a-z]{0,4}|[0-9]{0,3}|:|\\[fe80::1\\]|dhcp|none){0,12}") {
        if let Ok(arg) = text.parse::<IpArg>() {
            prop_assert_eq!(arg.to_string().parse::<IpArg>().unwrap(), arg);
        }
    }
}
