//! Networks that cannot lead to the server, whatever the machine has.

use std::net::IpAddr;

use crate::network::{AddressSource, Config, Network, Ready};

/// A note, if no interface can get an address, or none of the server's IP version.
pub(super) fn note(network: &Network) -> Option<String> {
    let configs = network.links.iter().filter_map(|link| link.config.as_ref()).chain(&network.others);
    let sources: Vec<&AddressSource> = configs.flat_map(|config: &Config| &config.addresses).collect();
    if sources.is_empty() && network.links.is_empty() {
        return Some(
            "No interface is used: ip=none leaves all interfaces alone; remove it, or add ip=auto."
                .to_owned(),
        );
    }
    if sources.is_empty() {
        let words = "the parameters name interfaces that have no address, and leave all others alone; add ip=auto for these";
        return Some(format!("No interface is used: {words}."));
    }
    let Ready::Server(server) = &network.ready else { return None };
    let is_v6 = server.host.parse::<IpAddr>().ok()?.is_ipv6();
    // Link-local addresses have a note of their own.
    let asks = |source: &&AddressSource| source.is_v6() == is_v6 || **source == AddressSource::LinkLocal;
    if sources.iter().any(asks) {
        return None;
    }
    let (version, source) = if is_v6 { ("IPv6", "auto6") } else { ("IPv4", "dhcp") };
    Some(format!("{server} has an {version} address, but no interface asks for one: add ip={source}."))
}

#[cfg(test)]
mod tests {
    use crate::{Facts, plan, settings};

    #[test]
    fn a_network_that_cannot_lead_to_the_server_is_reported() {
        for (cmdline, expected) in [
            ("root=http://10.0.0.1/os ip=none", Some("No interface is used")),
            ("root=http://10.0.0.1/os ip=eth1:off", Some("No interface is used")),
            ("root=http://10.0.0.1/os bond=bond0:eth0,eth1 ip=eth0:dhcp", Some("No interface is used")),
            ("root=http://10.0.0.1/os ip=eth1:off ip=auto", None),
            ("root=http://[2001:db8::5]/os ip=dhcp", Some("has an IPv6 address")),
            ("root=http://10.0.0.1/os ip=auto6", Some("has an IPv4 address")),
            (
                "root=http://10.0.0.1/os ip=[2001:db8::9]::[fe80::1]:64::eth0:none",
                Some("has an IPv4 address"),
            ),
            ("root=http://10.0.0.1/os ip=10.0.0.9::10.0.0.1:24::eth0:none", None),
            ("root=http://[fe80::1%25eth0]/os ip=dhcp", None),
            ("root=http://boot/os ip=auto6", None),
            ("root=http://[2001:db8::5]/os", None),
            ("root=/dev/vda ip=auto6 rd.neednet=1", None),
        ] {
            let facts = Facts::from_cmdline(cmdline);
            let (settings, _) = settings::gather(&facts);
            let notes = plan(&settings, &facts.discovered).notes;
            let told = ["No interface is used", "has an IPv4 address", "has an IPv6 address"]
                .into_iter()
                .find(|words| notes.iter().any(|note| note.contains(words)));
            assert_eq!(told, expected, "{cmdline}: {notes:#?}");
        }
    }
}
