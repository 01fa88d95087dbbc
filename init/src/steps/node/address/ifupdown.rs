//! Hands the lease to Debian's ifupdown with ISC's dhclient, or with dhcpcd. A stanza for the interface (matched by MAC
//! address) starts the client with the lease in its own lease file. The client asks the server to confirm the address
//! (RFC 2131, INIT-REBOOT) and then renews it.

use std::net::Ipv4Addr;

use dayfly_formats::dhcp4::Lease;
use dayfly_formats::interfaces_file;
use dayfly_formats::mac::Mac;
use dayfly_formats::scoped::ScopedAddr;
use dayfly_sys::{Files, Sys, SysError};

use super::observed::{granted_at, names_in_os};
use super::{dhcpcd, owned};
use crate::NetworkUp;
use crate::os::{self, WRITTEN};
use crate::services::systemd::units::Refusal;
use crate::trees::OS;

/// The name of its service, for both systemd and OpenRC.
pub(super) const SERVICE: &str = "networking";
/// Only Debian's ifupdown has this directory. Other ifupdowns cannot match an interface by its MAC address.
const DEBIAN: &str = "/lib/ifupdown";
pub(super) const INTERFACES: &str = "/etc/network/interfaces";
const MORE_INTERFACES: &str = "/etc/network/interfaces.d";
const DHCLIENT: &str = "dhclient";
const CLIENT_CONFIG: &str = "/etc/dhcp/dhclient.conf";
const LEASES: &str = "/var/lib/dhcp";
/// Marks the end of Dayfly's text; the image's own text follows. With a persistent /etc, the text before it was written
/// by an earlier boot and is replaced.
pub(super) const END: &str = "# End of what Dayfly wrote.\n";
/// dhclient-script(8) runs this hook first. The reason TIMEOUT means that the server did not answer but the lease is
/// still valid.
const HOOK: (&str, &str) = (
    "/etc/dhcp/dhclient-enter-hooks.d/dayfly",
    "# The interface has the address already: refresh it instead of adding it again.
case \"$reason\" in
BOUND | REBOOT | TIMEOUT)
	if ip -4 -o addr show dev \"$interface\" | grep -qF \" $new_ip_address/\"; then
		reason=RENEW
		old_ip_address=$new_ip_address
	fi
	;;
esac
",
);

/// Whether the image has Debian's ifupdown.
pub(super) fn is_debians(sys: &dyn Files) -> Result<bool, SysError> {
    os::has(sys, DEBIAN)
}

/// The DHCP client that ifup starts, of those that can go on with a lease. It prefers dhclient.
pub(super) fn client(sys: &dyn Files) -> Result<Option<&'static str>, SysError> {
    for program in [DHCLIENT, dhcpcd::SERVICE] {
        if os::has_program(sys, program)? {
            return Ok(Some(program));
        }
    }
    Ok(None)
}

/// Writes its files. Returns a line for the log.
pub(super) fn hand_over(sys: &dyn Sys, network: &NetworkUp) -> Result<String, Refusal> {
    let (interfaces, all) = image_files(sys)?;
    let (mut said, mut stanzas, mut wanted) = (Vec::new(), String::new(), Vec::new());
    let client = client(sys)?;
    for up in network.addresses() {
        let is_leased = up.lease().is_some() || up.is_withdrawn();
        // The image's files use the name that the OS gives to the interface.
        let names = names_in_os(sys, &up.iface);
        let methods: Vec<&str> = names.iter().flat_map(|name| interfaces_file::methods(&all, name)).collect();
        if let Some(method) = methods.iter().find(|method| !is_leased || **method != "dhcp") {
            said.push(format!(
                "ifupdown uses the image's own stanza for {} ({method}), which may not keep {}",
                up.iface,
                owned(up)
            ));
            continue;
        }
        let lease = up.lease().and_then(|lease| Some((lease, lease.lease_seconds?)));
        if lease.is_none() && !up.is_withdrawn() {
            said.push(match up.lifetime() {
                None => format!("{} stays: ifupdown does not need to renew it", owned(up)),
                Some(_) => format!("{} is not renewed: ifupdown has no DHCPv6 client for it", owned(up)),
            });
            continue;
        }
        let is_made = network.made.iter().any(|link| link.name == up.iface);
        // dhcpcd has a lease file for each name.
        let has_lease_file = lease.is_some() && client == Some(DHCLIENT);
        match up.mac {
            _ if is_made => stanzas.push_str(&named_stanza(&up.iface)),
            Some(mac) => stanzas.push_str(&stanza(mac, &up.iface, wanted.len(), has_lease_file)),
            None => return Err(Refusal::Words(format!("{} has no MAC address to match it by", up.iface))),
        }
        wanted.push((up, lease));
        let verb = if up.is_withdrawn() { "request" } else { "renew" };
        said.push(format!("ifupdown and {} {verb} {}", client.unwrap_or_default(), owned(up)));
    }
    let Some((first, _)) = wanted.first() else { return Ok(said.join("; ")) };
    match client {
        Some(DHCLIENT) => {
            let config = os::read(sys, CLIENT_CONFIG)?.unwrap_or_default();
            let config = config.split(WRITTEN).next().unwrap_or_default();
            for (up, lease) in &wanted {
                let (Some((lease, seconds)), Some(granted)) = (lease, granted_at(sys, up)) else { continue };
                let file = format!("{LEASES}/dhclient.{}.leases", up.iface);
                os::write(sys, &file, &lease_file(&up.iface, lease, *seconds, granted), 0o644)?;
            }
            os::write(sys, HOOK.0, &format!("{WRITTEN}{}", HOOK.1), 0o644)?;
            os::write(sys, CLIENT_CONFIG, &format!("{config}{}", client_config(network)), 0o644)?;
        }
        Some(_) => drop(dhcpcd::hand_over(sys, network)?),
        None => {
            let words =
                format!("the image has ifupdown, but no dhclient or dhcpcd to renew {}", owned(first));
            return Err(Refusal::Words(words));
        }
    }
    os::write(sys, INTERFACES, &format!("{WRITTEN}{stanzas}{END}{interfaces}"), 0o644)?;
    Ok(said.join("; "))
}

/// The image's own text of the main file, and all its texts together.
pub(super) fn image_files(sys: &dyn Files) -> Result<(String, String), SysError> {
    let text = os::read(sys, INTERFACES)?.unwrap_or_default();
    let own = text.split_once(END).map_or(text.as_str(), |(_, image)| image);
    Ok((own.to_owned(), format!("{own}\n{}", more_interfaces(sys)?)))
}

/// The contents of the files that the image's main file usually includes.
fn more_interfaces(sys: &dyn Files) -> Result<String, SysError> {
    let entries = match sys.list(&OS.at(MORE_INTERFACES)) {
        Ok(entries) => entries,
        Err(error) if error.is_not_found() => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    let mut texts = String::new();
    for entry in entries.iter().filter(|entry| !entry.is_dir) {
        texts.push_str(&os::read(sys, &format!("{MORE_INTERFACES}/{}", entry.name))?.unwrap_or_default());
        texts.push('\n');
    }
    Ok(texts)
}

/// Comes before all other stanzas, because ifup configures an interface only once. The OS may have renamed the
/// interface by then; `$IFACE` is its current name, and dhclient reads a lease only under the current name. With
/// `no-auto-down`, the lease is not released at shutdown.
fn stanza(mac: Mac, iface: &str, place: usize, has_lease_file: bool) -> String {
    let name = if place == 0 { "dayfly".to_owned() } else { format!("dayfly{place}") };
    let rename = if has_lease_file {
        format!(
            "cd {LEASES} && mv dhclient.{iface}.leases dhclient.$IFACE.leases 2>/dev/null && \
             sed -i \"s/\\\"{iface}\\\"/\\\"$IFACE\\\"/\" dhclient.$IFACE.leases && "
        )
    } else {
        String::new()
    };
    format!(
        "auto mac/{mac}/1={name}\nno-auto-down {iface}\niface {name} inet dhcp\n\
         \tpre-up {rename}sed -i \"s/^no-auto-down {iface}$/no-auto-down $IFACE/\" {INTERFACES} || true\n"
    )
}

/// The same for a link that the boot created, which keeps its name.
fn named_stanza(iface: &str) -> String {
    format!("auto {iface}\nno-auto-down {iface}\niface {iface} inet dhcp\n")
}

/// The client identifier that the boot used, which overrides the DUID of ifupdown's `-i`, and the name servers that
/// come before those of the lease.
fn client_config(network: &NetworkUp) -> String {
    let leased: Vec<ScopedAddr> = network.addresses().flat_map(|up| up.given_dns.clone()).collect();
    let own: Vec<String> = network
        .dns
        .iter()
        .filter(|server| server.address.is_ipv4() && !leased.contains(server))
        .map(ToString::to_string)
        .collect();
    let first = match own.join(", ") {
        none if none.is_empty() => none,
        servers => format!("prepend domain-name-servers {servers};\n"),
    };
    format!("{WRITTEN}send dhcp-client-identifier = hardware;\n{first}")
}

/// dhclient.leases(5): the fields that are needed to confirm the address, and to keep it while the server does not
/// answer. `granted` is when the server gave it, in seconds since 1970.
fn lease_file(iface: &str, lease: &Lease, seconds: u32, granted: u64) -> String {
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(lease.prefix.into())).unwrap_or(0);
    let at = |seconds: Option<u32>| granted.saturating_add(seconds.unwrap_or(0).into());
    format!(
        "lease {{\n  interface \"{iface}\";\n  fixed-address {};\n  option subnet-mask {};\n  \
         option dhcp-lease-time {seconds};\n  option dhcp-message-type 5;\n  option dhcp-server-identifier {};\n  \
         renew epoch {};\n  rebind epoch {};\n  expire epoch {};\n}}\n",
        lease.address,
        Ipv4Addr::from_bits(mask),
        lease.server,
        at(lease.renew_seconds),
        at(lease.rebind_seconds),
        at(Some(seconds))
    )
}

#[cfg(test)]
mod tests {
    use super::super::networkd::tests::{MAC, lease, up, with_lease};
    use super::*;

    #[test]
    fn files_say_what_the_boot_has_got() {
        let lease = lease();
        let network = with_lease(up("10.0.2.11", 24, Some("10.0.2.2")));
        assert_eq!(
            lease_file("eth0", &lease, 120, 1_700_000_000),
            "lease {\n  interface \"eth0\";\n  fixed-address 10.0.2.11;\n  option subnet-mask 255.255.255.0;\n  \
             option dhcp-lease-time 120;\n  option dhcp-message-type 5;\n  option dhcp-server-identifier 10.0.2.2;\n  \
             renew epoch 1700000060;\n  rebind epoch 1700000105;\n  expire epoch 1700000120;\n}\n"
        );
        let config = format!(
            "{WRITTEN}send dhcp-client-identifier = hardware;\nprepend domain-name-servers 9.9.9.9;\n"
        );
        assert_eq!(client_config(&network), config);
        assert_eq!(
            stanza(MAC, "eth0", 0, true),
            format!(
                "auto mac/52:54:00:77:00:01/1=dayfly\nno-auto-down eth0\niface dayfly inet dhcp\n\
                 \tpre-up cd /var/lib/dhcp && mv dhclient.eth0.leases dhclient.$IFACE.leases 2>/dev/null && \
                 sed -i \"s/\\\"eth0\\\"/\\\"$IFACE\\\"/\" dhclient.$IFACE.leases && \
                 sed -i \"s/^no-auto-down eth0$/no-auto-down $IFACE/\" /etc/network/interfaces || true\n"
            )
        );
    }
}
