use proptest::prelude::*;

use super::*;

fn arg(text: &str) -> RouteArg {
    text.parse().unwrap_or_else(|error| panic!("rd.route={text}: {error}"))
}

fn route(destination: &str, prefix: u8, gateway: &str, iface: &str) -> RouteArg {
    RouteArg {
        destination: destination.parse().unwrap(),
        prefix,
        written: None,
        gateway: (!gateway.is_empty()).then(|| gateway.parse().unwrap()),
        iface: (!iface.is_empty()).then(|| iface.to_owned()),
    }
}

#[test]
fn every_form() {
    for (text, expected, shown) in [
        (
            "192.168.200.0/24:192.168.100.222:ens10",
            route("192.168.200.0", 24, "192.168.100.222", "ens10"),
            "192.168.200.0/24:192.168.100.222:ens10",
        ),
        (
            "192.168.200.0/24:192.168.100.222",
            route("192.168.200.0", 24, "192.168.100.222", ""),
            "192.168.200.0/24:192.168.100.222",
        ),
        ("192.168.200.0/24::ens10", route("192.168.200.0", 24, "", "ens10"), "192.168.200.0/24::ens10"),
        ("10.0.0.0/255.128.0.0:10.9.9.9", route("10.0.0.0", 9, "10.9.9.9", ""), "10.0.0.0/9:10.9.9.9"),
        ("10.0.0.7:10.9.9.9:", route("10.0.0.7", 32, "10.9.9.9", ""), "10.0.0.7/32:10.9.9.9"),
        ("10.0.0.0/8:0.0.0.0:eth0", route("10.0.0.0", 8, "", "eth0"), "10.0.0.0/8::eth0"),
        ("224.0.0.0/4::eth0", route("224.0.0.0", 4, "", "eth0"), "224.0.0.0/4::eth0"),
        ("0.0.0.0/0:10.0.0.1", route("0.0.0.0", 0, "10.0.0.1", ""), "0.0.0.0/0:10.0.0.1"),
        ("0.0.0.0/0.0.0.0:10.0.0.1", route("0.0.0.0", 0, "10.0.0.1", ""), "0.0.0.0/0:10.0.0.1"),
        ("default:10.0.0.1", route("0.0.0.0", 0, "10.0.0.1", ""), "0.0.0.0/0:10.0.0.1"),
        ("default::eth0", route("0.0.0.0", 0, "", "eth0"), "0.0.0.0/0::eth0"),
        ("default:[fe80::1]:eth0", route("::", 0, "fe80::1", "eth0"), "[::/0]:[fe80::1]:eth0"),
        ("::/0:[2001:db8::1]", route("::", 0, "2001:db8::1", ""), "[::/0]:[2001:db8::1]"),
        ("[::/0]::eth0", route("::", 0, "", "eth0"), "[::/0]::eth0"),
        ("[::]/0::eth0", route("::", 0, "", "eth0"), "[::/0]::eth0"),
        (
            "[2001:DB8::]/32:[2001:DB8:2::1]:ens10",
            route("2001:db8::", 32, "2001:db8:2::1", "ens10"),
            "[2001:db8::/32]:[2001:db8:2::1]:ens10",
        ),
        (
            "[2001:DB8:3::/48]:[2001:DB8:2::1]",
            route("2001:db8:3::", 48, "2001:db8:2::1", ""),
            "[2001:db8:3::/48]:[2001:db8:2::1]",
        ),
        (
            "[2001:db8::7]:[fe80::1]:e",
            route("2001:db8::7", 128, "fe80::1", "e"),
            "[2001:db8::7/128]:[fe80::1]:e",
        ),
    ] {
        assert_eq!(arg(text), expected, "{text}");
        assert_eq!(arg(text).to_string(), shown);
        assert_eq!(arg(text).note(), None);
        assert_eq!(arg(shown), expected, "{shown}");
    }
}

#[test]
fn host_bits_are_masked_and_noted() {
    for (text, net, prefix, shown, note) in [
        (
            "192.168.200.7/24::e",
            "192.168.200.0",
            24,
            "192.168.200.7/24::e",
            "destination 192.168.200.7/24 has host bits; the route is to 192.168.200.0/24",
        ),
        (
            "10.0.0.1/0::e",
            "0.0.0.0",
            0,
            "10.0.0.1/0::e",
            "destination 10.0.0.1/0 has host bits; the route is to 0.0.0.0/0",
        ),
        // The example of dracut.cmdline(7).
        (
            "[2001:DB8:3::]/8:[2001:DB8:2::1]:ens10",
            "2000::",
            8,
            "[2001:db8:3::/8]:[2001:db8:2::1]:ens10",
            "destination 2001:db8:3::/8 has host bits; the route is to 2000::/8",
        ),
    ] {
        let arg = arg(text);
        assert_eq!((arg.destination, arg.prefix), (net.parse().unwrap(), prefix));
        assert_eq!(arg.note().as_deref(), Some(note));
        assert_eq!(arg.to_string(), shown);
        assert_eq!(shown.parse(), Ok(arg));
    }
}

#[test]
fn a_route_to_nowhere_is_refused() {
    for text in
        ["10.0.0.0/8", "10.0.0.0/8:", "10.0.0.0/8::", "default", "::/0", "[::/0]:[::]", "10.0.0.0/8:0.0.0.0:"]
    {
        let found = text.parse::<RouteArg>().unwrap_err().to_string();
        assert_eq!(
            found,
            format!(
                "value {text:?} has neither a gateway nor an interface; expected <net>/<prefix>:<gateway>[:<interface>], \
                 like 10.0.0.0/8:192.168.0.1:eth0"
            )
        );
    }
}

#[test]
fn bad_parameters_are_named() {
    for (text, error) in [
        ("", r#"destination "" is empty; expected a net like 10.0.0.0/8, or default"#),
        (":10.0.0.1", r#"destination "" is empty; expected a net like 10.0.0.0/8, or default"#),
        (
            "Default:10.0.0.1",
            r#"destination "Default" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]"#,
        ),
        (
            "[default]:10.0.0.1",
            r#"destination "default" is not an IPv6 address; expected one like [2001:db8::1]"#,
        ),
        (
            "10.0.0.300/8:10.0.0.1",
            r#"destination "10.0.0.300" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]"#,
        ),
        (
            "10/8:10.0.0.1",
            r#"destination "10" is not an IP address; an IPv6 address is written in brackets, like [2001:db8::2]"#,
        ),
        (
            "2001:db8::/32:fe80::1:eth0",
            r#"destination "2001" is not an IP address; an IPv6 address is written in brackets, like [2001:db8::2]"#,
        ),
        ("::/00:[fe80::1]:eth0", r#"destination "" is empty; expected a net like 10.0.0.0/8, or default"#),
        ("[10.0.0.0/8]:10.0.0.1", r#"destination "10.0.0.0" is an IPv4 address; write it without brackets"#),
        (
            "[2001:db8::g/32]::eth0",
            r#"destination "2001:db8::g" is not an IPv6 address; expected one like [2001:db8::1]"#,
        ),
        ("[]::eth0", r#"destination "" is not an IPv6 address; expected one like [2001:db8::1]"#),
        ("10.0.0.0/33:10.0.0.1", r#"netmask "33" is out of range for a prefix length; expected 0 to 32"#),
        ("10.0.0.0/300:10.0.0.1", r#"netmask "300" is out of range for a prefix length; expected 0 to 32"#),
        ("[2001:db8::]/129::eth0", r#"netmask "129" is out of range for a prefix length; expected 0 to 128"#),
        (
            "10.0.0.0/:10.0.0.1",
            r#"netmask "" is neither a mask like 255.255.255.0 nor a prefix length like 24"#,
        ),
        (
            "10.0.0.0/+8:10.0.0.1",
            r#"netmask "+8" is neither a mask like 255.255.255.0 nor a prefix length like 24"#,
        ),
        (
            "10.0.0.0/8/8:10.0.0.1",
            r#"netmask "8/8" is neither a mask like 255.255.255.0 nor a prefix length like 24"#,
        ),
        (
            "10.0.0.0/255.0.255.0:10.0.0.1",
            r#"netmask "255.0.255.0" is not contiguous; expected ones, then zeros, like 255.255.255.0"#,
        ),
        (
            "[2001:db8::/255.0.0.0]::eth0",
            r#"netmask "255.0.0.0" is an IPv4 mask, but the destination is IPv6; expected a prefix length like 64"#,
        ),
        (
            "10.0.0.0/8:router",
            r#"gateway "router" is not an IP address; expected one like 10.0.0.1 or [2001:db8::1]"#,
        ),
        (
            "10.0.0.0/8:eth0",
            r#"gateway "eth0" is not an IP address; without a gateway, two colons come before the interface, like 10.9.0.0/16::eth0"#,
        ),
        (
            "[2001:db8::/32]:fe80::1:eth0",
            r#"gateway "fe80" is not an IP address; an IPv6 address is written in brackets, like [2001:db8::2]"#,
        ),
        ("10.0.0.0/8:[10.0.0.1]", r#"gateway "10.0.0.1" is an IPv4 address; write it without brackets"#),
        ("[2001:db8::/32]:[]", r#"gateway "" is not an IPv6 address; expected one like [2001:db8::1]"#),
        (
            "10.0.0.0/8:[2001:db8::1]",
            r#"gateway "2001:db8::1" is IPv6, but the destination is IPv4; both must be of one IP version"#,
        ),
        (
            "[2001:db8::/32]:10.0.0.1",
            r#"gateway "10.0.0.1" is IPv4, but the destination is IPv6; both must be of one IP version"#,
        ),
        (
            "::/0:10.0.0.1",
            r#"gateway "10.0.0.1" is IPv4, but the destination is IPv6; both must be of one IP version"#,
        ),
        ("10.0.0.0/8:224.0.0.1", r#"gateway "224.0.0.1" is a multicast address; expected one of a router"#),
        ("10.0.0.0/8:127.0.0.1", r#"gateway "127.0.0.1" is a loopback address; expected one of a router"#),
        (
            "10.0.0.0/8:255.255.255.255",
            r#"gateway "255.255.255.255" is the broadcast address; expected one of a router"#,
        ),
        (
            "default:[fe80::1]",
            r#"gateway "fe80::1" is link-local and needs an interface; expected one after it, like [fe80::1]:eth0"#,
        ),
        ("10.0.0.0/8:10.0.0.1:eth0:", r#"interface "eth0:" holds ':'; expected a name like eth0"#),
        ("10.0.0.0/8::a/b", r#"interface "a/b" holds '/'; expected a name like eth0"#),
        ("10.0.0.0/8::10.0.0.1", r#"interface "10.0.0.1" is an address; expected a name like eth0"#),
        (
            "10.0.0.0/8::averylonginterface",
            r#"interface "averylonginterface" has 18 bytes; expected at most 15, the limit of the kernel"#,
        ),
        (
            "[2001:db8::/32:[fe80::1",
            r#"value "[2001:db8::/32:[fe80::1" has no "]" for the "[" in "[2001:db8::/32:[fe80::1"; an IPv6 network is written like [2001:db8::/32]"#,
        ),
        (
            "10.0.0.0/8:[fe80::1:eth0",
            r#"value "10.0.0.0/8:[fe80::1:eth0" has no "]" for the "[" in "[fe80::1:eth0"; an IPv6 network is written like [2001:db8::/32]"#,
        ),
        (
            "[2001:db8::/32]x::eth0",
            r#"value "[2001:db8::/32]x::eth0" has "x" after "]"; expected ":" or the end"#,
        ),
        (
            "[2001:db8::/32]/32::eth0",
            r#"value "[2001:db8::/32]/32::eth0" has "/32" after "]"; expected ":" or the end"#,
        ),
        (
            "[2001:db8::/32]:[fe80::1]/64:eth0",
            r#"value "[2001:db8::/32]:[fe80::1]/64:eth0" has "/64" after "]"; expected ":" or the end"#,
        ),
    ] {
        match text.parse::<RouteArg>() {
            Ok(parsed) => panic!("rd.route={text} was taken as {parsed:?}"),
            Err(found) => assert_eq!(found.to_string(), error, "rd.route={text}"),
        }
    }
}

proptest! {
    #[test]
    fn a_destination_is_read_back_and_masked(number: u128, v6: bool, prefix in 0u8..=128) {
        let (address, prefix) = if v6 {
            (IpAddr::V6(Ipv6Addr::from_bits(number)), prefix)
        } else {
            (IpAddr::V4(Ipv4Addr::from_bits((number >> 96) as u32)), prefix.min(32))
        };
        let text = if v6 { format!("[{address}]/{prefix}::eth0") } else { format!("{address}/{prefix}::eth0") };
        let arg = arg(&text);
        prop_assert_eq!(arg.to_string().parse::<RouteArg>().unwrap(), arg.clone());
        prop_assert_eq!(arg.note().is_some(), address != arg.destination);
        // Without the host bits there is nothing to note.
        let masked = RouteArg { written: None, ..arg.clone() };
        prop_assert_eq!(masked.to_string().parse::<RouteArg>().unwrap(), masked);
        // The prefix is the same in both, and all bits after it are zero.
        let bits = |address: IpAddr| match address {
            IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
            IpAddr::V6(address) => address.to_bits(),
        };
        let ones = u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
        prop_assert_eq!(bits(arg.destination) & ones, 0);
        prop_assert_eq!(bits(arg.destination) | ones, bits(address) | ones);
    }

    #[test]
    fn whatever_is_accepted_is_read_back(text in "(10\\.0\\.0\\.[0-9]|default|::/0|\\[fe80::[0-9]/?|\\]|/|[0-9]{1,3}|[a-z]{0,4}|:){0,10}") {
        if let Ok(arg) = text.parse::<RouteArg>() {
            prop_assert_eq!(arg.to_string().parse::<RouteArg>().unwrap(), arg);
        }
    }
}
