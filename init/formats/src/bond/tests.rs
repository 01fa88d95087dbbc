use proptest::prelude::*;

use super::*;

fn bond(name: &str, ports: &[&str], options: &[(&str, &str)]) -> BondArg {
    BondArg {
        name: name.to_owned(),
        ports: ports.iter().map(|&port| port.to_owned()).collect(),
        options: options.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
        mtu: None,
        mac: None,
    }
}

#[test]
fn every_form() {
    let base = bond("bond0", &["eth0", "eth1"], &[]);
    let mode = bond("bond0", &["eth0", "eth1"], &[("mode", "active-backup"), ("miimon", "100")]);
    let mac = Some(Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]));
    for (text, expected, shown) in [
        ("", bond("bond0", &["eth0", "eth1"], &[("mode", "balance-rr")]), "bond0:eth0,eth1:mode=balance-rr"),
        ("bond7", bond("bond7", &["eth0", "eth1"], &[]), "bond7:eth0,eth1"),
        ("b:enp1s0", bond("b", &["enp1s0"], &[]), "b:enp1s0"),
        ("bond0:eth0,eth1:", base.clone(), "bond0:eth0,eth1"),
        ("bond0:eth0,,eth1,::", base.clone(), "bond0:eth0,eth1"),
        ("bond0:eth0,eth1:::", base.clone(), "bond0:eth0,eth1"),
        (
            "bond0:eth0,eth1:mode=active-backup,miimon=100",
            mode.clone(),
            "bond0:eth0,eth1:mode=active-backup,miimon=100",
        ),
        (
            "bond0:eth0,eth1:,mode=active-backup,,miimon=100,:",
            mode.clone(),
            "bond0:eth0,eth1:mode=active-backup,miimon=100",
        ),
        (
            "bond0:eth0,eth1:mode=active-backup,miimon=100:9000",
            BondArg { mtu: Some(9000), ..mode.clone() },
            "bond0:eth0,eth1:mode=active-backup,miimon=100:9000",
        ),
        ("bond0:eth0,eth1::1400", BondArg { mtu: Some(1400), ..base.clone() }, "bond0:eth0,eth1::1400"),
        (
            "bond0:eth0,eth1:::52-54-00-12-34-56",
            BondArg { mac, ..base.clone() },
            "bond0:eth0,eth1:::52:54:00:12:34:56",
        ),
        (
            "bond0:eth0,eth1:mode=active-backup,miimon=100:1500:52:54:00:12:34:56",
            BondArg { mtu: Some(1500), mac, ..mode },
            "bond0:eth0,eth1:mode=active-backup,miimon=100:1500:52:54:00:12:34:56",
        ),
        (
            "bond0:eth0,eth1:arp_interval=200,arp_ip_target=10.0.0.1;10.0.0.2",
            BondArg {
                options: bond("", &[], &[("arp_interval", "200"), ("arp_ip_target", "10.0.0.1,10.0.0.2")])
                    .options,
                ..base
            },
            "bond0:eth0,eth1:arp_interval=200,arp_ip_target=10.0.0.1;10.0.0.2",
        ),
    ] {
        let arg: BondArg = text.parse().unwrap_or_else(|error| panic!("bond={text}: {error}"));
        assert_eq!(arg, expected, "{text}");
        assert_eq!(arg.to_string(), shown);
    }
}

#[test]
fn modes_and_options_of_the_kernel() {
    for mode in MODES.into_iter().chain(["0", "1", "2", "3", "4", "5", "6"]) {
        let arg: BondArg = format!("b:x:mode={mode}").parse().unwrap();
        assert_eq!(arg, bond("b", &["x"], &[("mode", mode)]));
    }
    for option in OPTIONS {
        let arg: BondArg = format!("b:1:{option}=1").parse().unwrap();
        assert_eq!(arg, bond("b", &["1"], &[(option, "1")]));
    }
}

#[test]
fn bad_modes_are_named() {
    let modes = "is unknown; expected balance-rr, active-backup, balance-xor, broadcast, 802.3ad, balance-tlb, balance-alb, \
                 or 0 to 6";
    for mode in ["7", "-1", "01", "+1", "lag"] {
        let found = format!("bond0:eth0:mode={mode}").parse::<BondArg>().unwrap_err();
        assert_eq!(found.to_string(), format!("mode {mode:?} {modes}"));
    }
    for mode in ["LACP", "lacp"] {
        let found = format!("bond0:eth0:mode={mode}").parse::<BondArg>().unwrap_err();
        assert_eq!(found.to_string(), format!("mode {mode:?} is unknown; LACP is 802.3ad"));
    }
    for (mode, meant) in [
        ("activebackup", "active-backup"),
        ("active-backup;1", "active-backup"),
        ("balance-rr ", "balance-rr"),
        ("802.3da", "802.3ad"),
        ("broadcst", "broadcast"),
    ] {
        let found = format!("bond0:eth0:mode={mode}").parse::<BondArg>().unwrap_err();
        assert_eq!(found.to_string(), format!("mode {mode:?} is unknown; the nearest is {meant}"));
    }
}

#[test]
fn bad_options_are_named() {
    let options = "is not one that bond= can set; expected one of active_slave, ad_actor_sys_prio, ad_select, \
                   ad_user_port_key, all_slaves_active, arp_all_targets, arp_interval, arp_ip_target, arp_missed_max, \
                   arp_validate, downdelay, fail_over_mac, lacp_active, lacp_rate, lp_interval, miimon, min_links, mode, \
                   num_grat_arp, num_unsol_na, packets_per_slave, peer_notif_delay, primary, primary_reselect, \
                   resend_igmp, tlb_dynamic_lb, updelay, use_carrier, xmit_hash_policy";
    for option in ["max_bonds=2", "slaves=eth0", "../mtu=1", "=1", "lacp"] {
        let found = format!("bond0:eth0:{option}").parse::<BondArg>().unwrap_err();
        assert_eq!(found.to_string(), format!("option {option:?} {options}"));
    }
    for (option, meant) in [
        ("mimon=100", "the nearest is miimon=100"),
        ("Mode=1", "the nearest is mode=1"),
        ("mode =1", "the nearest is mode=1"),
        ("arp_ip_targets", "the nearest is arp_ip_target=VALUE"),
    ] {
        let found = format!("bond0:eth0:{option}").parse::<BondArg>().unwrap_err();
        assert_eq!(found.to_string(), format!("option {option:?} is unknown; {meant}"));
    }
    for option in ["primary=eth2", "active_slave=eth"] {
        let found = format!("bond0:eth0,eth1:mode=1,{option}").parse::<BondArg>().unwrap_err();
        let words = "names no port of the bond; expected one of eth0, eth1";
        assert_eq!(found.to_string(), format!("option {option:?} {words}"));
    }
    let found = "bond0:eth0:active-backup".parse::<BondArg>().unwrap_err();
    assert_eq!(found.to_string(), r#"option "active-backup" is a mode; write mode=active-backup"#);
}

#[test]
fn bad_parameters_are_named() {
    for (text, error) in [
        (":eth0,eth1", r#"name "" is empty; expected a name like eth0"#),
        ("eth0/eth1", r#"name "eth0/eth1" holds '/'; expected a name like eth0"#),
        (
            "bond-of-the-lab0:eth0",
            r#"name "bond-of-the-lab0" has 16 bytes; expected at most 15, the limit of the kernel"#,
        ),
        (
            "bond%d:eth0",
            r#"name "bond%d" holds '%', which the kernel replaces by a number; expected a name like eth0"#,
        ),
        ("bond0:", r#"port list "" names no interface; expected names separated by commas, like eth0,eth1"#),
        (
            "bond0::mode=1",
            r#"port list "" names no interface; expected names separated by commas, like eth0,eth1"#,
        ),
        ("bond0:eth0,eth1,eth0", r#"port "eth0" is listed twice; expected each port once"#),
        (
            "bond0:eth0,eth1,mode=802.3ad",
            r#"port "mode=802.3ad" is not a name; names are separated by commas, and a colon comes before the options"#,
        ),
        (
            "bond0:eth0;eth1",
            r#"port "eth0;eth1" is not a name; names are separated by commas, and a colon comes before the options"#,
        ),
        ("bond0:eth0,bond0", r#"port "bond0" is the interface to make; expected one below it"#),
        ("bond0:eth0 eth1", r#"port "eth0 eth1" holds ' '; expected a name like eth0"#),
        ("bond0:10.0.0.1", r#"port "10.0.0.1" is an address; expected a name like eth0"#),
        ("bond0:eth0:mode", r#"option "mode" has no value; expected mode=VALUE"#),
        ("bond0:eth0:miimon=", r#"option "miimon=" has no value; expected miimon=VALUE"#),
        (
            "bond0:eth0:miimon=100,mode=1,miimon=50",
            r#"option "miimon=50" sets miimon a second time; remove one of them"#,
        ),
        (
            "bond0:eth0::mode=1",
            r#"MTU "mode=1" is not a number from 68 to 65535; options are separated by commas"#,
        ),
        ("bond0:eth0:mode=1:67", r#"MTU "67" is not a number from 68 to 65535"#),
        ("bond0:eth0:mode=1:65536", r#"MTU "65536" is not a number from 68 to 65535"#),
        ("bond0:eth0:mode=1:+1500", r#"MTU "+1500" is not a number from 68 to 65535"#),
        (
            "bond0:eth0:mode=1:1500:52:54:00",
            r#"MAC address "52:54:00" is not six pairs of hexadecimal digits, like 52:54:00:12:34:56"#,
        ),
        ("bond0:eth0:mode=1:52:54:00:12:34:56", r#"MTU "52" is not a number from 68 to 65535"#),
        (
            "bond0:eth0:::52:54:00:12:34:56:",
            r#"MAC address "52:54:00:12:34:56:" is not six pairs of hexadecimal digits, like 52:54:00:12:34:56"#,
        ),
        (
            "bond0:eth0:::01:00:5e:00:00:01",
            r#"MAC address "01:00:5e:00:00:01" is a group address; expected the address of one interface, like 52:54:00:12:34:56"#,
        ),
        (
            "bond0:eth0:::0:0:0:0:0:0",
            r#"MAC address "0:0:0:0:0:0" is all zeros; expected the address of one interface, like 52:54:00:12:34:56"#,
        ),
    ] {
        match text.parse::<BondArg>() {
            Ok(parsed) => panic!("bond={text} was taken as {parsed:?}"),
            Err(found) => assert_eq!(found.to_string(), error, "bond={text}"),
        }
    }
}

prop_compose! {
    fn any_bond()(
        ports in proptest::collection::btree_set("[a-z][a-z0-9.]{0,10}", 1..4),
        options in proptest::sample::subsequence(&OPTIONS[..], 0..6),
        values in proptest::collection::vec("[a-z0-9.+]{1,9}(,[a-z0-9.+]{1,5}){0,2}", 6),
        mode in proptest::sample::select(&MODES[..]),
        mtu in proptest::option::of(68u32..65536),
        mac in proptest::option::of(any::<[u8; 5]>()),
    ) -> BondArg {
        // The loopback interface is no port.
        let ports: Vec<String> = ports.into_iter().map(|port| if port == "lo" { "lo0".to_owned() } else { port }).collect();
        let value = |option: &str, value: String| match option {
            "mode" => mode.to_owned(),
            _ if PORT_OPTIONS.contains(&option) => ports[0].clone(),
            _ => value,
        };
        BondArg {
            name: "Bond".to_owned(),
            ports: ports.clone(),
            options: options.into_iter().zip(values).map(|(name, text)| (name.to_owned(), value(name, text))).collect(),
            mtu,
            mac: mac.map(|[a, b, c, d, e]| Mac([2, a, b, c, d, e])),
        }
    }
}

/// Often a bond, and often one with a fault.
const SOME_TEXT: &str = concat!(
    "[ab0]{1,3}(:|:[ab0,]{0,6})?(:(mode=[0-7]|miimon=[0-9;=]{0,3}|,){0,5})?",
    "(:[0-9]{0,4})?(:[02-]{0,17})?",
);

proptest! {
    #[test]
    fn what_is_printed_is_read_back(arg in any_bond()) {
        prop_assert_eq!(arg.to_string().parse::<BondArg>().unwrap(), arg);
    }

    #[test]
    fn whatever_is_accepted_is_read_back(text in SOME_TEXT) {
        if let Ok(arg) = text.parse::<BondArg>() {
            prop_assert_eq!(arg.to_string().parse::<BondArg>().unwrap(), arg);
        }
    }
}
