//! Hands the lease to ifupdown-ng, the ifupdown of Alpine Linux, with dhcpcd. It has no match by MAC address, so every name that the
//! interface may have in the OS gets a stanza. A stanza without an interface fails alone.

use dayfly_formats::interfaces_file;
use dayfly_sys::{Files, Sys, SysError};

use super::ifupdown::{END, INTERFACES, image_files};
use super::observed::{names_in_os, owned_by};
use super::{dhcpcd, owned};
use crate::NetworkUp;
use crate::os::{self, WRITTEN};
use crate::services::systemd::units::Refusal;

/// Its executors. No other ifupdown has this directory.
const EXECUTORS: &str = "/usr/libexec/ifupdown-ng";

/// Whether the image has it with a DHCP client that goes on with a lease. It prefers dhcpcd to all others. udhcpc removes the address
/// before it asks for one.
pub(super) fn is_usable(sys: &dyn Files) -> Result<bool, SysError> {
    Ok(os::has(sys, EXECUTORS)? && os::has_program(sys, dhcpcd::SERVICE)?)
}

/// Writes its files. Returns a line for the log.
pub(super) fn hand_over(sys: &dyn Sys, network: &NetworkUp) -> Result<String, Refusal> {
    let (interfaces, all) = image_files(sys)?;
    let (mut said, mut stanzas) = (Vec::new(), String::new());
    for (iface, addresses) in network.interfaces() {
        let names = names_in_os(sys, iface);
        let is_leased = addresses.iter().any(|up| up.lifetime().is_some());
        let mut methods = names.iter().flat_map(|name| interfaces_file::methods(&all, name));
        if let Some(method) = methods.find(|method| !is_leased || *method != "dhcp") {
            let owned = owned_by(&addresses);
            said.push(format!(
                "ifupdown uses the image's own stanza for {iface} ({method}), which may not keep {owned}"
            ));
            continue;
        }
        if !is_leased {
            let owned = owned_by(&addresses);
            said.push(format!("{owned} stays: ifupdown does not need to renew it"));
            continue;
        }
        for name in &names {
            stanzas.extend(["auto ", name, "\niface ", name, " inet dhcp\n"]);
        }
        said.extend(addresses.iter().map(|up| {
            let verb = if up.is_withdrawn() { "request" } else { "renew" };
            format!("ifupdown and dhcpcd {verb} {}", owned(up))
        }));
    }
    if !stanzas.is_empty() {
        dhcpcd::hand_over(sys, network)?;
        os::write(sys, INTERFACES, &format!("{WRITTEN}{stanzas}{END}{interfaces}"), 0o644)?;
    }
    Ok(said.join("; "))
}
