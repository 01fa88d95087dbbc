//! Writes the name servers and search domains of the network, in the format of resolv.conf(5).

use std::fmt::Write;

use crate::NetworkUp;

/// The contents of the file. musl and glibc read at most three servers, and the interface of a link-local one after a %.
pub fn text(network: &NetworkUp) -> String {
    let mut text = String::new();
    for server in network.dns.iter().take(3) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "nameserver {server}");
    }
    let domains: Vec<&str> = network
        .search
        .iter()
        .chain(network.domain.iter().filter(|domain| !network.search.contains(domain)))
        // As in dracut, `rd.peerdns=0` is for search domains as well.
        .filter(|_| network.peer_dns)
        .map(String::as_str)
        .collect();
    if !domains.is_empty() {
        let _ = writeln!(text, "search {}", domains.join(" "));
    }
    text
}

/// The file for the OS, whose udev may rename interfaces: a link-local server has the index of its interface, which musl and glibc read,
/// too.
pub fn text_for_os(network: &NetworkUp, index: impl Fn(&str) -> Option<u32>) -> String {
    let mut network = network.clone();
    for interface in network.dns.iter_mut().filter_map(|server| server.interface.as_mut()) {
        if let Some(index) = index(interface) {
            *interface = index.to_string();
        }
    }
    text(&network)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(domain: Option<&str>) -> NetworkUp {
        let dns = ["10.0.2.3", "fe80::1%eth0"].map(|server| server.parse().unwrap()).to_vec();
        let (domain, search) = (domain.map(str::to_owned), vec!["lab".to_owned()]);
        NetworkUp { dns, domain, search, ..NetworkUp::of("10.0.2.15", 24) }
    }

    #[test]
    fn a_resolver_asks_the_servers_of_the_network() {
        let network = network(Some("example.org"));
        let servers = "nameserver 10.0.2.3\nnameserver fe80::1%eth0\n";
        assert_eq!(text(&network), format!("{servers}search lab example.org\n"));
        let for_os = text_for_os(&network, |name| (name == "eth0").then_some(7));
        assert!(for_os.contains("nameserver fe80::1%7\n"), "{for_os}");
        assert_eq!(text(&NetworkUp { peer_dns: false, ..network }), servers);
    }
}
