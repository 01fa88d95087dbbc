//! Network addresses.

use std::net::IpAddr;

use dayfly_formats::bond::BondArg;
use dayfly_formats::bridge::BridgeArg;
use dayfly_formats::iface;
use dayfly_formats::ifname::IfnameArg;
use dayfly_formats::ip::IpArg;
use dayfly_formats::mac::Mac;
use dayfly_formats::route::RouteArg;
use dayfly_formats::scoped::{ScopedAddr, ScopedAddrError};
use dayfly_formats::vlan::VlanArg;

use super::{Form, Value, own_values, pattern, values};

own_values! {
    IpArg = "ip= value", pattern(r"^\S+$");
    VlanArg = "vlan= value", pattern(r"^[^\s:]+:[^\s:]+$");
    BondArg = "bond= value", pattern(r"^\S*$");
    BridgeArg = "bridge= value", pattern(r"^\S*$");
    IfnameArg = "ifname= value", pattern(r"^[^\s:]+:\S+$");
    RouteArg = "rd.route= value", pattern(r"^\S+:\S+$");
    Mac = "MAC address", pattern("^([0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{1,2}(-[0-9A-Fa-f]{1,2}){5})$");
}

values! {
    /// The name of an interface.
    Interface(String) = "interface", pattern(r"^[^\s:/]{1,15}$"),
        |text| iface::check(text).map(|()| text.to_owned()).map_err(|error| format!("\"{text}\" {error}")),
        String::clone;
}

/// The pattern of an IP address. The argument is the pattern for the rest.
macro_rules! address_pattern {
    ($rest:literal) => {
        concat!(
            r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}|(?=.*:)[0-9A-Fa-f:.]+)",
            $rest
        )
    };
}

impl Value for IpAddr {
    type Kept = Self;
    const KIND: &'static str = "IP address";
    const FORM: Form = pattern(address_pattern!("$"));

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            let instead = if text.contains(',') {
                "give each address on its own"
            } else if text.starts_with('[') {
                "write it without brackets"
            } else {
                "expected one like 10.0.0.1 or 2001:db8::1"
            };
            format!("\"{text}\" is not an IP address; {instead}")
        })
    }

    fn show(kept: &Self) -> String {
        kept.to_string()
    }
}

impl Value for ScopedAddr {
    type Kept = Self;
    const KIND: &'static str = IpAddr::KIND;
    const FORM: Form = pattern(address_pattern!(r"(%[^\s:/]{1,15})?$"));

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error| match error {
            ScopedAddrError::Address => IpAddr::read(text).err().unwrap_or_default(),
            other => format!("\"{text}\" {other}"),
        })
    }

    fn show(kept: &Self) -> String {
        kept.to_string()
    }
}
