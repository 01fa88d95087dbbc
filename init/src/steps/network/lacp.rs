//! Bonds in mode 802.3ad, whose other end is to agree by LACP (IEEE 802.1AX). The kernel reports a carrier before that: without a
//! partner, it uses one port alone. A switch whose ports are in a port channel drops what comes before the agreement.

use std::time::Duration;

use dayfly_plan::network::Network;
use dayfly_sys::{Files, own};

use super::probe::{POLL, Probe};
use crate::events::Level;

/// How long a bond waits for its partner. Both ends send as soon as their ports are up, and agree within a few seconds. A switch whose
/// ports are in no port channel never answers, but may forward packets of a single port.
const PARTNER_WAIT: Duration = Duration::from_secs(10);

/// An interface and all links below it, each of which may be a bond.
pub fn with_below(wanted: &Network, interface: &str) -> Vec<String> {
    let mut names = vec![interface.to_owned()];
    let mut next = 0;
    while let Some(link) = names.get(next).map(|name| wanted.link(name)) {
        let below = link.map_or(&[][..], |link| link.kind.below());
        for name in below {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        next += 1;
    }
    names
}

/// Waits until every bond of these links that uses LACP has a partner. Without one, the boot goes on and the log says so.
pub fn wait_for_partners(probe: &Probe, links: &[String]) {
    let until = probe.sys.now() + PARTNER_WAIT;
    for link in links {
        while has_partner(&*probe.sys, link) == Some(false) && !probe.is_over() {
            if probe.sys.now() >= until {
                let seconds = PARTNER_WAIT.as_secs();
                let words = format!(
                    "no LACP partner on {link} after {seconds} s: the switch's ports may not be in a port channel"
                );
                (probe.say)(Level::Warning, words);
                break;
            }
            probe.sys.sleep(POLL);
        }
    }
}

/// Whether a bond has an LACP partner; `None` for other interfaces, and for bonds of other modes.
fn has_partner(sys: &dyn Files, interface: &str) -> Option<bool> {
    let read = |option: &str| sys.read(&own(format!("/sys/class/net/{interface}/bonding/{option}"))).ok();
    if !read("mode")?.starts_with(b"802.3ad") {
        return None;
    }
    // All zeros, or empty while no port has a link.
    let partner = read("ad_partner_mac")?;
    Some(partner.iter().any(|digit| digit.is_ascii_hexdigit() && *digit != b'0'))
}
