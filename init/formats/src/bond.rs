//! The `bond=` kernel parameter, dracut.cmdline(7) and the kernel's `Documentation/networking/bonding.rst`:
//!
//! ```text
//! bond=<name>[:<port>[,<port>…][:[<options>][:[<mtu>][:<mac>]]]]
//! ```
//!
//! The options are `<option>=<value>`, separated by commas; a value of several parts has `;` between them.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use crate::mac::Mac;
use crate::nearest::nearest;
use crate::net_arg::{self, ArgError, Checked, Field, new_interface, ports};

/// One `bond=` parameter. `to_string()` writes it back, without `bond=`.
///
/// As in dracut, a name alone has the ports eth0 and eth1, and nothing at all is `bond0:eth0,eth1:mode=balance-rr`. The MAC
/// address is an addition, written as in `ip=`. systemd-network-generator(8) has no default ports and ignores the options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BondArg {
    /// The interface to make.
    pub name: String,
    /// The interfaces to join: at least one.
    pub ports: Vec<String>,
    /// Files of `/sys/class/net/<name>/bonding/` and what to write to them, in the order of the command line. The kernel
    /// checks the values: only the mode is known to be right. A value of several parts has commas as in the kernel's
    /// documentation; the file `arp_ip_target` wants one write of `+<address>` for each of them.
    pub options: Vec<(String, String)>,
    /// MTU to set, in bytes: 68 to 65535.
    pub mtu: Option<u32>,
    /// Ethernet address to set on the bond.
    pub mac: Option<Mac>,
}

/// The modes of a bond; the index is the number of the mode.
const MODES: [&str; 7] =
    ["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"];

/// The options of bonding.rst that a file in sysfs takes. Without those whose values have colons, which separate the fields
/// here: `ad_actor_system` and `ns_ip6_target`.
const OPTIONS: [&str; 29] = [
    "active_slave",
    "ad_actor_sys_prio",
    "ad_select",
    "ad_user_port_key",
    "all_slaves_active",
    "arp_all_targets",
    "arp_interval",
    "arp_ip_target",
    "arp_missed_max",
    "arp_validate",
    "downdelay",
    "fail_over_mac",
    "lacp_active",
    "lacp_rate",
    "lp_interval",
    "miimon",
    "min_links",
    "mode",
    "num_grat_arp",
    "num_unsol_na",
    "packets_per_slave",
    "peer_notif_delay",
    "primary",
    "primary_reselect",
    "resend_igmp",
    "tlb_dynamic_lb",
    "updelay",
    "use_carrier",
    "xmit_hash_policy",
];

/// Options whose value is one of the ports.
pub const PORT_OPTIONS: [&str; 2] = ["primary", "active_slave"];

impl Default for BondArg {
    /// What dracut.cmdline(7) has for `bond` alone.
    fn default() -> BondArg {
        BondArg {
            name: "bond0".to_owned(),
            ports: vec!["eth0".to_owned(), "eth1".to_owned()],
            options: vec![("mode".to_owned(), "balance-rr".to_owned())],
            mtu: None,
            mac: None,
        }
    }
}

impl FromStr for BondArg {
    type Err = ArgError;

    /// Parses what stands after `bond=`; nothing there is the default.
    fn from_str(text: &str) -> Result<BondArg, ArgError> {
        if text.is_empty() {
            return Ok(BondArg::default());
        }
        // The rest is the MAC address with its own colons.
        let mut fields = text.splitn(5, ':');
        let name = new_interface(fields.next().unwrap_or_default())?;
        let ports = ports(&name, fields.next().unwrap_or("eth0,eth1"))?;
        let options = options(&ports, fields.next().unwrap_or_default())?;
        let mtu = given(Field::Mtu, fields.next(), net_arg::mtu)?;
        let mac = given(Field::Mac, fields.next(), net_arg::mac)?;
        Ok(BondArg { name, ports, options, mtu, mac })
    }
}

/// A field that may be missing or empty.
fn given<T>(
    field: Field,
    text: Option<&str>,
    check: fn(&str) -> Result<T, &'static str>,
) -> Checked<Option<T>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    check(text).map(Some).map_err(|problem| ArgError::new(field, text, problem))
}

/// `<option>=<value>` between commas, for a bond of these ports. Empty elements are skipped, as in dracut.
fn options(ports: &[String], list: &str) -> Checked<Vec<(String, String)>> {
    let mut options: Vec<(String, String)> = Vec::new();
    for option in list.split(',').filter(|option| !option.is_empty()) {
        let fail = |problem: String| Err(ArgError::new(Field::Option, option, problem));
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if !OPTIONS.contains(&name) {
            return fail(unknown_option(name, value));
        }
        if value.is_empty() {
            return fail(format!("has no value; expected {name}=VALUE"));
        }
        if options.iter().any(|(other, _)| other == name) {
            return fail(format!("sets {name} a second time; remove one of them"));
        }
        if name == "mode" {
            check_mode(value)?;
        }
        if PORT_OPTIONS.contains(&name) && ports.iter().all(|port| port != value) {
            return fail(format!("names no port of the bond; expected one of {}", ports.join(", ")));
        }
        options.push((name.to_owned(), value.replace(';', ",")));
    }
    Ok(options)
}

fn unknown_option(name: &str, value: &str) -> String {
    if MODES.contains(&name) {
        return format!("is a mode; write mode={name}");
    }
    let is_port = value.is_empty() && name.ends_with(|end: char| end.is_ascii_digit());
    match nearest(name, OPTIONS.into_iter()) {
        None if is_port => "is not an option; ports are separated by commas, like bond0:eth0,eth1".to_owned(),
        Some(meant) if value.is_empty() => format!("is unknown; the nearest is {meant}=VALUE"),
        Some(meant) => format!("is unknown; the nearest is {meant}={}", value.escape_debug()),
        None => format!("is not one that bond= can set; expected one of {}", OPTIONS.join(", ")),
    }
}

fn check_mode(value: &str) -> Checked<()> {
    let is_number = || matches!(value.as_bytes(), [b'0'..=b'6']);
    if MODES.contains(&value) || is_number() {
        return Ok(());
    }
    let problem = match nearest(value, MODES.into_iter()) {
        None if ["lacp", "LACP", "4ad", "8023ad"].contains(&value) => {
            "is unknown; LACP is 802.3ad".to_owned()
        }
        Some(meant) => format!("is unknown; the nearest is {meant}"),
        None => format!("is unknown; expected {}, or 0 to 6", MODES.join(", ")),
    };
    Err(ArgError::new(Field::Mode, value, problem))
}

impl fmt::Display for BondArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.ports.join(","))?;
        let hardware = self.mtu.is_some() || self.mac.is_some();
        if hardware || !self.options.is_empty() {
            let options =
                self.options.iter().map(|(name, value)| format!("{name}={}", value.replace(',', ";")));
            write!(f, ":{}", options.collect::<Vec<_>>().join(","))?;
        }
        if hardware {
            write!(f, ":{}", self.mtu.map(|mtu| mtu.to_string()).unwrap_or_default())?;
        }
        if let Some(mac) = self.mac {
            write!(f, ":{mac}")?;
        }
        Ok(())
    }
}
