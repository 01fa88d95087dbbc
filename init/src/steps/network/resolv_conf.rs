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
        // As in dracut, `rd.peerdns=0` is for search domains as well.
        .filter(|_| network.peer_dns)
        .map(String::as_str)
        .collect();
    if !domains.is_empty() {
        let _ = writeln!(text, "search {}", domains.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(domain: Option<&str>) -> NetworkUp {
        let dns = vec![[10, 0, 2, 3].into()];
        let (domain, search) = (domain.map(str::to_owned), vec!["lab".to_owned()]);
        NetworkUp { dns, domain, search, ..NetworkUp::of("10.0.2.15", 24) }
    }

    #[test]
    fn a_resolver_asks_the_servers_of_the_network() {
        let network = network(Some("example.org"));
        assert_eq!(text(&network), "nameserver 10.0.2.3\nsearch lab example.org\n");
        assert_eq!(text(&NetworkUp { peer_dns: false, ..network }), "nameserver 10.0.2.3\n");
    }
}
