//! Hands the addresses to dhcpcd. Its lease file is the server's answer as it came; with it, dhcpcd asks the server to confirm
//! the address (RFC 2131, INIT-REBOOT) and leaves it on the interface. It counts the lease from the time of the file's last change on.

use dayfly_formats::dhcpcd_conf;
use dayfly_formats::scoped::ScopedAddr;
use dayfly_plan::network::AddressSource;
use dayfly_sys::{Sys, SysError};

use super::observed::{granted_at, metric, names_in_os, owned_by, servers, verb};
use crate::os::{self, WRITTEN};
use crate::services::systemd::units::Refusal;
use crate::steps::network::dhcp6;
use crate::trees::OS;
use crate::{AddressOrigin, AddressUp, NetworkUp};

/// The name of its service, for both systemd and OpenRC, and of its program.
pub(super) const SERVICE: &str = "dhcpcd";
const CONFIG: &str = "/etc/dhcpcd.conf";
const LEASES: &str = "/var/lib/dhcpcd";

/// Writes its files. Returns a line for the log.
pub(super) fn hand_over(sys: &dyn Sys, network: &NetworkUp) -> Result<String, Refusal> {
    let config = os::read(sys, CONFIG)?.unwrap_or_default();
    // With a persistent /etc, an earlier boot may have written the rest of the file.
    let config = config.split(WRITTEN).next().unwrap_or_default();
    let mut text = String::new();
    let mut said = Vec::new();
    for (iface, addresses) in network.interfaces() {
        let names = names_in_os(sys, iface);
        let owned = owned_by(&addresses);
        if let Some(name) = names.iter().find(|name| dhcpcd_conf::has_interface(config, name)) {
            said.push(format!("uses the image's own options for {name}, which may not keep {owned}"));
            continue;
        }
        let options = options(network, iface, &addresses);
        for name in &names {
            text.extend(["\ninterface ", name, "\n", &options]);
        }
        write_leases(sys, &names, &addresses)?;
        said.push(format!("{} {owned}", verb(&addresses)));
    }
    for link in network.without_address() {
        for name in names_in_os(sys, link) {
            text.extend(["\ninterface ", &name, "\nnoipv4\nnoipv6\n"]);
        }
    }
    if let Some(duid) = network
        .addresses()
        .find(|up| matches!(up.origin, AddressOrigin::Dhcp6(_)))
        .and_then(|up| dhcp6::duid_of(network.uuid, up.mac))
    {
        os::write(sys, &format!("{LEASES}/duid"), &format!("{duid}\n"), 0o644)?;
    }
    os::write(sys, CONFIG, &format!("{config}{WRITTEN}{text}"), 0o644)?;
    Ok(format!("dhcpcd {}", said.join(" and ")))
}

/// Writes the lease for each name that the interface may have in the OS.
pub(super) fn write_leases(
    sys: &dyn Sys,
    names: &[String],
    addresses: &[&AddressUp],
) -> Result<(), SysError> {
    let Some((up, lease)) = addresses.iter().find_map(|up| Some((up, up.lease()?))) else { return Ok(()) };
    for name in names {
        let file = OS.at(format!("{LEASES}/{name}.lease"));
        sys.write(&file, &lease.message, 0o640)?;
        if let Some(granted) = granted_at(sys, up) {
            sys.set_modified(&file, granted)?;
        }
    }
    Ok(())
}

/// The options that ask the server as the boot did, and that keep what the boot has configured.
fn options(network: &NetworkUp, iface: &str, addresses: &[&AddressUp]) -> String {
    let mut text = String::new();
    let mut put = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    let is_static = |up: &&&AddressUp| up.origin == AddressOrigin::Static;
    put(&format!("metric {}", metric(addresses)));
    if addresses.iter().any(|up| up.lease().is_some() || up.sources.contains(&AddressSource::Dhcp4)) {
        // Type 1 and the MAC address, instead of a DUID.
        put("clientid");
    } else if let Some(up) = addresses.iter().filter(|up| up.address.is_ipv4()).find(is_static) {
        put(&format!("static ip_address={}/{}", up.address, up.prefix));
        if let Some(gateway) = up.gateway {
            put(&format!("static routers={gateway}"));
        }
    } else {
        put("noipv4");
    }
    if let Some(up) = addresses.iter().filter(|up| up.address.is_ipv6()).find(is_static) {
        put(&format!("static ip6_address={}/{}", up.address, up.prefix));
    }
    // The interface identifier that the kernel uses, so that the address stays the same.
    if addresses.iter().any(|up| up.address.is_ipv6() && up.origin != AddressOrigin::Static) {
        put("slaac hwaddr");
    }
    if addresses.iter().any(|up| matches!(up.origin, AddressOrigin::Dhcp6(_))) {
        put("ia_na");
    }
    if addresses.iter().any(|up| up.mtu.is_some()) {
        put("nooption interface_mtu");
    }
    let own = servers(network, iface, addresses);
    // The option is DHCPv4's. dhcpcd takes IPv6 servers from routers and DHCPv6 itself.
    let is_ipv4 = |server: &ScopedAddr| server.address.is_ipv4();
    let given = addresses.iter().filter(|_| network.peer_dns).flat_map(|up| &up.given_dns);
    let all: Vec<String> =
        own.iter().chain(given).filter(|server| is_ipv4(server)).map(ScopedAddr::to_string).collect();
    if own.iter().any(is_ipv4) {
        put(&format!("static domain_name_servers={}", all.join(" ")));
    } else if !network.peer_dns {
        put("nooption domain_name_servers");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::networkd::tests::{up, with_lease};
    use super::*;

    #[test]
    fn options_ask_as_the_boot_did() {
        let of = |network: &NetworkUp| {
            let addresses: Vec<&AddressUp> = network.addresses().collect();
            options(network, "eth0", &addresses)
        };
        let leased = with_lease(up("10.0.2.11", 24, Some("10.0.2.2")));
        assert_eq!(of(&leased), "metric 1024\nclientid\nstatic domain_name_servers=9.9.9.9 10.0.2.3\n");
        let none = NetworkUp { dns: Vec::new(), peer_dns: false, ..leased };
        assert_eq!(of(&none), "metric 1024\nclientid\nnooption domain_name_servers\n");
        assert_eq!(
            of(&up("10.0.2.50", 24, Some("10.0.2.2"))),
            "metric 1024\nstatic ip_address=10.0.2.50/24\nstatic routers=10.0.2.2\n\
             static domain_name_servers=10.0.2.3 9.9.9.9\n"
        );
        let mut routers = NetworkUp { dns: Vec::new(), ..up("2001:db8::5", 64, Some("fe80::1")) };
        routers.first.origin = AddressOrigin::RouterAdvertisement;
        routers.first.mtu = Some(1400);
        assert_eq!(of(&routers), "metric 1024\nnoipv4\nslaac hwaddr\nnooption interface_mtu\n");
    }
}
