//! Network addresses.

use std::net::IpAddr;

use dayfly_formats::ip::IpArg;
use dayfly_formats::mac::Mac;

use super::{Form, Value, own_values, pattern};

own_values! {
    IpArg = "ip= value", pattern(r"^\S+$");
    Mac = "MAC address", pattern("^([0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{1,2}(-[0-9A-Fa-f]{1,2}){5})$");
}

impl Value for IpAddr {
    type Kept = Self;
    const KIND: &'static str = "IP address";
    const FORM: Form = pattern(
        r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}|(?=.*:)[0-9A-Fa-f:.]+)$",
    );

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("\"{text}\" is not an IP address"))
    }

    fn show(kept: &Self) -> String {
        kept.to_string()
    }
}
