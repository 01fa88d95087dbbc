//! Misspelled parameters of the network. Any other unknown parameter belongs to another program; but a network that comes up
//! without a bond or a route, because of two letters in the wrong order, is hard to explain.

use dayfly_formats::nearest::nearest;

use crate::{Code, Problem, Severity, Source};

/// The parameters that a misspelled one may stand for. Names of two letters (`ip`) are near to too many others.
const PARAMETERS: [&str; 21] = [
    "vlan",
    "bond",
    "bridge",
    "team",
    "ifname",
    "bootdev",
    "nameserver",
    "rd.route",
    "rd.bootif",
    "rd.peerdns",
    "rd.neednet",
    "rd.net.timeout.iflink",
    "rd.net.timeout.ifup",
    "rd.net.timeout.route",
    "rd.net.timeout.carrier",
    "rd.net.timeout.dhcp",
    "rd.net.timeout.ipv6dad",
    "rd.net.timeout.ipv6auto",
    "rd.net.dhcp.retry",
    "rd.net.dhcp.vendor-class",
    BOOTIF,
];
const BOOTIF: &str = "BOOTIF";

/// The problem with a parameter that has a value, if its name is nearly that of a network parameter.
pub(super) fn misspelled(key: &str, source: &Source) -> Option<Problem> {
    // Few people mistype the first letter, and parameters of others (`rootdev`) differ in it.
    let alike = PARAMETERS.into_iter().filter(|name| name.chars().next() == key.chars().next());
    let meant = nearest(key, alike).or(key.eq_ignore_ascii_case(BOOTIF).then_some(BOOTIF))?;
    Some(Problem {
        severity: Severity::Warn,
        code: Code::ConfigUnknown,
        source: source.clone(),
        text: format!("{key}= is not a parameter that Dayfly knows; did you mean {meant}=?"),
    })
}
