//! Hands the addresses to NetworkManager. Each interface gets a connection profile, and a file that says that this profile is
//! active: NetworkManager then takes over ("assumes") the interface as it is. Its DHCP client reads the address to ask for from
//! a lease file (RFC 2131, INIT-REBOOT). An interface without an active profile would stay as it is, but nothing would renew
//! its lease.

mod profile;

use dayfly_formats::mac::Mac;
use dayfly_formats::nm_keyfile::Profile;
use dayfly_sys::{Files, Link, Sys, SysError};

use super::observed::{names_in_os, owned_by, verb};
use crate::NetworkUp;
use crate::os::{self, WRITTEN};
use crate::services::systemd::units::Refusal;
use crate::steps::node::identity;
use crate::trees::OS;

/// The names of its service, for systemd and OpenRC.
pub(super) const SERVICES: [&str; 2] = ["NetworkManager", "networkmanager"];
/// Profiles of this boot.
const CONNECTIONS: &str = "/run/NetworkManager/system-connections";
/// Profiles of the image.
const IMAGE: [&str; 2] =
    ["/etc/NetworkManager/system-connections", "/usr/lib/NetworkManager/system-connections"];

/// Writes its files. Returns a line for the log.
pub(super) fn hand_over(sys: &dyn Sys, network: &NetworkUp) -> Result<String, Refusal> {
    let links = sys.links()?;
    let image = image_profiles(sys)?;
    let link_of = |iface: &str| links.iter().find(|link| link.name == iface);
    let mut said = Vec::new();
    for (iface, addresses) in network.interfaces() {
        let Some(link) = link_of(iface) else {
            // A USB adapter, for example. The others still keep their addresses.
            said.push(format!("has no profile for {iface}, which is not there any more"));
            continue;
        };
        let names = names_in_os(sys, iface);
        let owned = owned_by(&addresses);
        if let Some((file, _)) = image.iter().find(|(_, profile)| profile.is_for(&names, mac_of(link))) {
            said.push(format!("uses the image's own {file}, which may not keep {owned}"));
            continue;
        }
        let uuid = activate(sys, link, &profile::of_addresses(network, &links, link, &addresses))?;
        if let Some(lease) = addresses.iter().find_map(|up| up.lease()) {
            let text = format!("{WRITTEN}ADDRESS={}\n", lease.address);
            for name in names {
                let file = format!("/run/NetworkManager/internal-{uuid}-{name}.lease");
                os::write(sys, &file, &text, 0o600)?;
            }
        }
        said.push(format!("{} {owned} with {}", verb(&addresses), file_name(iface)));
    }
    for iface in network.without_address() {
        let Some(link) = link_of(iface) else { continue };
        activate(sys, link, &profile::of_member(network, &links, link))?;
    }
    Ok(format!("NetworkManager {}", said.join(" and ")))
}

/// Writes a profile and marks it as active on the interface. Returns its UUID.
fn activate(sys: &dyn Sys, link: &Link, profile: &str) -> Result<String, SysError> {
    let uuid = uuid(link);
    // It may contain secrets, so NetworkManager ignores a file that others can read.
    os::write(sys, &format!("{CONNECTIONS}/{}", file_name(&link.name)), profile, 0o600)?;
    let state = format!("[device]\nmanaged=1\nconnection-uuid={uuid}\nnm-owned=0\n");
    os::write(sys, &format!("/run/NetworkManager/devices/{}", link.index), &state, 0o644)?;
    Ok(uuid)
}

fn file_name(iface: &str) -> String {
    format!("dayfly-{iface}.nmconnection")
}

/// The UUID of a link's profile, the same at each boot.
fn uuid(link: &Link) -> String {
    let mac = mac_of(link).map_or_else(String::new, |mac| mac.to_string());
    let id = identity::derive("dayfly connection v1", &format!("{mac} {}", link.name));
    let mut uuid = String::new();
    for (place, digit) in id.chars().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            uuid.push('-');
        }
        uuid.push(digit);
    }
    uuid
}

/// The MAC address that its driver gave it: a port of a bond has the bond's. NetworkManager matches this one.
fn mac_of(link: &Link) -> Option<Mac> {
    link.permanent_mac.or(link.mac).map(Mac)
}

/// The profiles of the image, with their files.
fn image_profiles(sys: &dyn Files) -> Result<Vec<(String, Profile)>, SysError> {
    let mut found = Vec::new();
    for folder in IMAGE {
        let entries = match sys.list(&OS.at(folder)) {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error),
        };
        for entry in entries.into_iter().filter(|entry| !entry.is_dir) {
            let text = os::read(sys, &format!("{folder}/{}", entry.name))?.unwrap_or_default();
            found.push((entry.name, Profile::parse(&text)));
        }
    }
    Ok(found)
}
