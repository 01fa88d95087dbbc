//! Writes the name servers and search domains of the network, in the format of resolv.conf(5).

use std::fmt::Write;

use crate::NetworkUp;

/// The contents of the file. musl and glibc read at most three servers.
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
        .map(String::as_str)
        .collect();
    if !domains.is_empty() {
        let _ = writeln!(text, "search {}", domains.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use dayfly_formats::mac::Mac;

    use super::*;

    fn network(domain: Option<&str>) -> NetworkUp {
        NetworkUp {
            iface: "eth0".to_owned(),
            mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            address: [10, 0, 2, 15].into(),
            prefix: 24,
            gateway: None,
            mtu: None,
            dns: vec![[10, 0, 2, 3].into()],
            domain: domain.map(str::to_owned),
            search: vec!["lab".to_owned()],
            hostname: None,
            lease: None,
        }
    }

    #[test]
    fn a_resolver_asks_the_servers_of_the_network() {
        let network = network(Some("example.org"));
        assert_eq!(text(&network), "nameserver 10.0.2.3\nsearch lab example.org\n");
    }
}
