//! The network parameters besides `ip=`, each of which gets every input: what is accepted prints as something that means the
//! same, and keeps the promises of its fields.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use dayfly_formats::bond::BondArg;
use dayfly_formats::bridge::BridgeArg;
use dayfly_formats::iface;
use dayfly_formats::ifname::IfnameArg;
use dayfly_formats::net_arg::ArgError;
use dayfly_formats::route::RouteArg;
use dayfly_formats::team::TeamArg;
use dayfly_formats::vlan::VlanArg;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(vlan) = read::<VlanArg>(text) {
        check_names(&vlan.name, std::slice::from_ref(&vlan.parent));
        assert!((1..=4094).contains(&vlan.id));
    }
    if let Some(bond) = read::<BondArg>(text) {
        check_bond(&bond);
    }
    if let Some(bridge) = read::<BridgeArg>(text) {
        check_names(&bridge.name, &bridge.ports);
    }
    if let Some(team) = read::<TeamArg>(text) {
        let bond = team.as_bond();
        check_bond(&bond);
        assert_eq!(bond.to_string().parse(), Ok(bond));
    }
    if let Some(ifname) = read::<IfnameArg>(text) {
        check_names(&ifname.name, &[]);
        assert!(!ifname.mac.is_group() && !ifname.mac.is_zero());
        check_line(ifname.note());
    }
    if let Some(route) = read::<RouteArg>(text) {
        assert!(route.gateway.is_some() || route.iface.is_some());
        assert!(route.gateway.is_none_or(|gateway| gateway.is_ipv4() == route.destination.is_ipv4()));
        assert!(route.prefix <= if route.destination.is_ipv4() { 32 } else { 128 });
        assert!(route.iface.as_deref().is_none_or(|name| iface::check(name).is_ok()));
        assert_eq!(route.note().is_some(), route.written.is_some());
        check_line(route.note());
    }
});

/// The value, which prints as something that means the same, or an error that fits in a line.
fn read<T>(text: &str) -> Option<T>
where
    T: FromStr<Err = ArgError> + Display + Debug + PartialEq,
{
    match text.parse::<T>() {
        Ok(value) => {
            let shown = value.to_string();
            assert_eq!(shown.parse::<T>().as_ref(), Ok(&value), "{shown}");
            Some(value)
        }
        Err(error) => {
            check_line(Some(error.to_string()));
            None
        }
    }
}

fn check_line(line: Option<String>) {
    assert!(line.as_ref().is_none_or(|line| !line.contains(char::is_control)), "{line:?}");
}

fn check_names(name: &str, below: &[String]) {
    assert_eq!(iface::check_new(name), Ok(()));
    assert!(below.iter().all(|other| iface::check(other).is_ok() && other != name));
}

fn check_bond(bond: &BondArg) {
    check_names(&bond.name, &bond.ports);
    assert!(!bond.ports.is_empty());
    assert!(bond.options.iter().all(|(option, value)| !option.contains('/') && !value.is_empty()));
    assert!(bond.mtu.is_none_or(|mtu| (68..=65535).contains(&mtu)));
}
