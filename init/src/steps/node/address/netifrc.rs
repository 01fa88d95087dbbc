//! Hands the addresses to netifrc, Gentoo's network scripts for OpenRC. It takes an interface without a configuration as one for
//! DHCP, and prefers dhcpcd for that.

use dayfly_formats::netifrc_conf;
use dayfly_sys::{Files, Sys, SysError};

use super::dhcpcd;
use super::observed::{metric, names_in_os, owned_by};
use crate::NetworkUp;
use crate::os::{self, WRITTEN};
use crate::services::openrc::runlevels;
use crate::services::systemd::units::Refusal;

const CONFIG: &str = "/etc/conf.d/net";

/// Whether OpenRC starts its service for one of the interfaces.
pub(super) fn is_started(sys: &dyn Files, network: &NetworkUp) -> Result<bool, SysError> {
    for (iface, _) in network.interfaces() {
        let services: Vec<String> =
            names_in_os(sys, iface).iter().map(|name| format!("net.{name}")).collect();
        let services: Vec<&str> = services.iter().map(String::as_str).collect();
        if !runlevels::enabled(sys, &services)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes its files, and those of dhcpcd for a lease. Returns a line for the log.
pub(super) fn hand_over(sys: &dyn Sys, network: &NetworkUp) -> Result<String, Refusal> {
    let config = os::read(sys, CONFIG)?.unwrap_or_default();
    // With a persistent /etc, an earlier boot may have written the rest of the file.
    let config = config.split(WRITTEN).next().unwrap_or_default();
    let mut text = String::new();
    let mut said = Vec::new();
    let mut is_leased = false;
    for (iface, addresses) in network.interfaces() {
        let names = names_in_os(sys, iface);
        let owned = owned_by(&addresses);
        let metric = metric(&addresses);
        let is_dynamic = addresses.iter().any(|up| up.lifetime().is_some());
        let own = names.iter().find_map(|name| netifrc_conf::method(config, name));
        if let Some(method) =
            own.filter(|method| !matches!((*method, is_dynamic), ("dhcp", true) | ("noop", false)))
        {
            said.push(format!(
                "netifrc uses the image's own configuration of {iface} ({method}), which may not keep {owned}"
            ));
            continue;
        }
        for name in &names {
            let variable = netifrc_conf::variable(name);
            let lines = if is_dynamic {
                // netifrc's own metric is the index of the interface, and its option overrides that of dhcpcd's file.
                format!(
                    "config_{variable}=\"dhcp\"\nmodules_{variable}=\"dhcpcd\"\nmetric_{variable}=\"{metric}\"\n"
                )
            } else {
                // An interface that has an address stays as it is.
                format!("config_{variable}=\"noop\"\n")
            };
            text.push_str(&lines);
        }
        is_leased |= is_dynamic;
        said.push(if is_dynamic {
            let verb = if addresses.iter().all(|up| up.is_withdrawn()) { "request" } else { "renew" };
            format!("netifrc and dhcpcd {verb} {owned}")
        } else {
            format!("netifrc keeps {owned}")
        });
    }
    if is_leased {
        if !os::has_program(sys, dhcpcd::SERVICE)? {
            let words = "the image has netifrc, but no dhcpcd to renew the lease".to_owned();
            return Err(Refusal::Words(words));
        }
        dhcpcd::hand_over(sys, network)?;
    }
    os::write(sys, CONFIG, &format!("{config}{WRITTEN}{text}"), 0o644)?;
    Ok(said.join("; "))
}
