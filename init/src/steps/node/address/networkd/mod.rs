//! Hands the address to systemd-networkd. A `.network` file for this boot makes it keep the address that the interface
//! has. In versions 252 and later, `KeepConfiguration=dhcp` keeps the addresses and routes of protocol dhcp, and the
//! DHCP client starts in INIT-REBOOT (RFC 2131 3.2) with that address. It sends the client identifier that the boot
//! used, so the server recognises it.

mod netdev;
mod text;

use dayfly_formats::mac::Mac;
use dayfly_formats::network_file::{Match, Scope};
use dayfly_sys::{Files, Sys, SysError, own};

use super::observed::{owned_by, verb};
use crate::os::{self, WRITTEN};
use crate::services::systemd::units::{self, Refusal};
use crate::trees::OS;
use crate::{AddressUp, NetworkUp};

/// The names of the service and its unit.
pub(super) const SERVICE: &str = "systemd-networkd";
pub(super) const UNIT: &str = "systemd-networkd.service";
/// Units that belong to it. Not systemd-network-generator, which would parse `ip=` again.
const BESIDE: [&str; 2] = ["systemd-networkd.socket", "systemd-networkd-wait-online.service"];
/// The directories of `.network` files (systemd.network(5)). Of two files with the same name, the first one counts.
const FOLDERS: [&str; 5] = [
    "/etc/systemd/network",
    "/run/systemd/network",
    "/usr/local/lib/systemd/network",
    "/usr/lib/systemd/network",
    "/lib/systemd/network",
];
/// The directory for files of this boot.
const RUN: &str = "/run/systemd/network";
/// Names from here on may be files that systemd-network-generator(8) makes from `ip=` when the OS starts.
const GENERATED: &str = "70-";
/// If it is not enabled in the image, it must not remove addresses and routes that others (a container network) set
/// later.
const MODEST: (&str, &str) = (
    "/run/systemd/networkd.conf.d/50-dayfly.conf",
    "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n",
);

/// Writes its files, and enables it if the image does not. Returns a line for the log.
pub(super) fn hand_over(sys: &dyn Sys, network: &NetworkUp, enabled: bool) -> Result<String, Refusal> {
    let files = image_files(sys)?;
    let links = sys.links()?;
    let mut said = Vec::new();
    let mut written = Vec::new();
    for (iface, addresses) in network.interfaces() {
        match target(&files, network, iface, &addresses)? {
            Target::OfImage(file) => said.push(format!("uses the image's own {file}")),
            Target::Ours(name, section) => {
                said.push(format!("{} {} with {name}", verb(&addresses), owned_by(&addresses)));
                written.push((name, text::network_file(network, iface, &addresses, &section)));
            }
        }
    }
    written.extend(netdev::virtual_links(network, &links));
    let is_ours = !written.is_empty();
    let write = |path: &str, text: &str| os::write(sys, path, text, 0o644);
    for (name, text) in &written {
        write(&format!("{RUN}/{name}"), text)?;
    }
    if is_ours && !renames_live(&os_release(sys)?) {
        for (mac, matches) in netdev::in_use(network, &links) {
            write(&format!("{RUN}/00-dayfly-{}.link", digits(mac)), &text::link_file(&matches))?;
        }
    }
    let mut started = "";
    if is_ours && !enabled {
        write(MODEST.0, &format!("{WRITTEN}{}", MODEST.1))?;
        units::enable_alone(sys, UNIT)?;
        for unit in BESIDE {
            if units::is_usable(sys, unit)? {
                units::enable_alone(sys, unit)?;
            }
        }
        started = ", enabled by Dayfly,";
    }
    Ok(format!("systemd-networkd{started} {}", said.join(" and ")))
}

/// Where the file of an interface goes.
enum Target {
    /// The image has a file for this very interface, which networkd evaluates first.
    OfImage(String),
    /// A file of ours: its name, and its `[Match]` section.
    Ours(String, String),
}

fn target(
    files: &[ImageFile],
    network: &NetworkUp,
    iface: &str,
    addresses: &[&AddressUp],
) -> Result<Target, Refusal> {
    if network.made.iter().any(|link| link.name == iface) {
        return Ok(Target::Ours(format!("00-dayfly-{iface}.network"), text::created(iface)));
    }
    let Some(mac) = addresses.iter().find_map(|up| up.mac) else {
        return Err(Refusal::Words(format!("{iface} has no MAC address to match it by")));
    };
    let place = place_of(files, mac);
    Ok(match place.named_before {
        Some(file) => Target::OfImage(file.to_owned()),
        None => Target::Ours(place.name, text::physical(mac)),
    })
}

/// A `.network` file of the image: its name and its [Match] section.
type ImageFile = (String, Match);

/// All of them, in the order in which networkd evaluates them.
fn image_files(sys: &dyn Files) -> Result<Vec<ImageFile>, SysError> {
    let mut files: Vec<(String, Option<Match>)> = Vec::new();
    for folder in FOLDERS {
        let entries = match sys.list(&OS.at(folder)) {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let is_new = !files.iter().any(|(name, _)| *name == entry.name);
            if entry.name.ends_with(".network") && is_new {
                let text = os::read(sys, &format!("{folder}/{}", entry.name))?.unwrap_or_default();
                // A masked file is empty or a link to /dev/null.
                let section = Some(text).filter(|text| !text.is_empty()).map(|text| Match::parse(&text));
                files.push((entry.name, section));
            }
        }
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(files.into_iter().filter_map(|(name, section)| Some((name, section?))).collect())
}

/// The position of Dayfly's file among the image's files.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    name: String,
    /// A file of the image that matches exactly this interface and comes before ours.
    named_before: Option<&'a str>,
}

/// The first file that matches an interface counts. A file of the image that names this interface takes precedence over
/// ours if it comes before the image's generic files: ours goes between them.
fn place_of(files: &[ImageFile], mac: Mac) -> Place<'_> {
    let mut last_named = None;
    for (name, section) in files {
        match section.scope() {
            _ if name.as_str() >= GENERATED => break,
            Scope::General => break,
            Scope::Other => {}
            Scope::Named if section.has(mac) => {
                return Place { name: String::new(), named_before: Some(name) };
            }
            Scope::Named => last_named = Some(name),
        }
    }
    let own = format!("00-dayfly-{}.network", digits(mac));
    let name = match last_named {
        Some(last) if *last > own => format!("{last}.dayfly.network"),
        _ => own,
    };
    Place { name, named_before: None }
}

fn digits(mac: Mac) -> String {
    mac.to_string().replace(':', "")
}

fn os_release(sys: &dyn Files) -> Result<String, SysError> {
    Ok(String::from_utf8_lossy(&sys.read(&own("/proc/sys/kernel/osrelease"))?).into_owned())
}

/// Whether this kernel can rename an interface that is up: Linux 6.2 and later (net/core/dev.c, `dev_change_name`).
fn renames_live(release: &str) -> bool {
    let mut numbers =
        release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0_u32));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (6, 2)
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::AddressOrigin;
    use dayfly_formats::dhcp4::{Lease, Message, code};

    pub(in super::super) const MAC: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 1]);

    pub(in super::super) fn lease() -> Lease {
        let mut ack = Message::request(1, MAC);
        ack.yiaddr = [10, 0, 2, 11].into();
        for (code, bytes) in [
            (code::SERVER_ID, vec![10, 0, 2, 2]),
            (code::SUBNET_MASK, vec![255, 255, 255, 0]),
            (code::ROUTER, vec![10, 0, 2, 2]),
            (code::DOMAIN_NAME_SERVER, vec![10, 0, 2, 3]),
            (code::LEASE_TIME, vec![0, 0, 0, 120]),
        ] {
            ack.options.set(code, bytes);
        }
        Lease::from_message(&ack).unwrap()
    }

    pub(in super::super) fn up(address: &str, prefix: u8, gateway: Option<&str>) -> NetworkUp {
        let network = NetworkUp::of(address, prefix);
        let gateway = gateway.map(|gateway| gateway.parse().unwrap());
        let dns = ["10.0.2.3", "9.9.9.9"].map(|server| server.parse().unwrap()).to_vec();
        NetworkUp { first: AddressUp { gateway, ..network.first }, dns, ..network }
    }

    pub(in super::super) fn with_lease(network: NetworkUp) -> NetworkUp {
        let given_dns = lease().dns.iter().map(|server| server.to_string().parse().unwrap()).collect();
        let origin = AddressOrigin::Dhcp4(Box::new(lease()), Duration::ZERO);
        let first = AddressUp { given_dns, origin, ..network.first };
        NetworkUp { first, ..network }
    }

    #[test]
    fn older_kernels_do_not_rename_what_is_up() {
        for (release, live) in [
            ("6.1.0-56-amd64\n", false),
            ("6.2.0", true),
            ("6.12.43+deb13-amd64", true),
            ("5.15.0-100-generic", false),
            ("7.0", true),
            ("10.1", true),
            ("6", false),
            ("", false),
        ] {
            assert_eq!(renames_live(release), live, "{release}");
        }
    }

    #[test]
    fn cards_that_the_image_names_keep_their_files() {
        const GENERAL: &str = "[Match]\nName=en*";
        const NAMED: &str = "[Match]\nName=enp0s8";
        const OURS: &str = "[Match]\nMACAddress=52:54:00:77:00:01";
        let own = "00-dayfly-525400770001.network";
        for (files, name, named_before) in [
            (vec![], own, None),
            (vec![("80-ve.network", "[Match]\nName=ve-*")], own, None),
            (vec![("20-dhcp.network", GENERAL)], own, None),
            (vec![("20-dhcp.network", GENERAL), ("30-named.network", NAMED)], own, None),
            (
                vec![("10-storage.network", NAMED), ("20-dhcp.network", GENERAL)],
                "10-storage.network.dayfly.network",
                None,
            ),
            (vec![("00-a.network", NAMED)], own, None),
            (vec![("10-this.network", OURS), ("20-dhcp.network", GENERAL)], "", Some("10-this.network")),
            (vec![("20-dhcp.network", GENERAL), ("30-this.network", OURS)], own, None),
            // A generated file for ip= comes before it: with the image alone, networkd would not evaluate it either.
            (vec![("90-eth0.network", NAMED)], own, None),
        ] {
            let files: Vec<ImageFile> =
                files.into_iter().map(|(name, text)| (name.to_owned(), Match::parse(text))).collect();
            let place = place_of(&files, MAC);
            assert_eq!((place.name.as_str(), place.named_before), (name, named_before), "{files:?}");
            if let Some(general) = files.iter().find(|(_, section)| section.scope() == Scope::General) {
                assert!(place.name < general.0, "{} is not evaluated before {}", place.name, general.0);
            }
        }
    }
}
