//! The parts of `/etc/resolv.conf` and `/etc/hosts` that a lookup needs (resolv.conf(5), hosts(5)).

use std::net::IpAddr;

use crate::scoped::ScopedAddr;

/// Limit for servers, because all of them are asked at once. Real files have fewer.
const SERVERS: usize = 8;
/// The resolver's own limit (resolv.conf(5)).
const SEARCH: usize = 6;

/// The configuration of the resolver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// The name servers.
    pub servers: Vec<ScopedAddr>,
    /// Domains for a name without a dot.
    pub search: Vec<String>,
}

impl ResolvConf {
    /// Reads the file. Invalid lines are ignored, as in every resolver.
    pub fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let server = words.next().and_then(|word| word.parse().ok());
                    conf.servers.extend(server.filter(|_| conf.servers.len() < SERVERS));
                }
                // The last line counts.
                Some("search" | "domain") => {
                    let names = words.take(SEARCH).map(|name| name.trim_matches('.').to_owned());
                    conf.search = names.filter(|name| !name.is_empty()).collect();
                }
                _ => {}
            }
        }
        conf
    }

    /// The names to query, in order. A name with a dot is complete (`ndots:1`).
    pub fn candidates(&self, name: &str) -> Vec<String> {
        let bare = name.strip_suffix('.').unwrap_or(name);
        let mut names = Vec::new();
        if !name.contains('.') {
            names.extend(self.search.iter().map(|domain| format!("{bare}.{domain}")));
        }
        names.push(bare.to_owned());
        names
    }
}

/// The addresses of a name in `/etc/hosts`.
pub fn hosts(text: &str, name: &str) -> Vec<IpAddr> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let of_line = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then_some(address)
    };
    text.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_say_whom_to_ask() {
        let conf = ResolvConf::parse(
            "# comment\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\nnameserver fe80::2\nnameserver 2001:db8::1 x\nnameserver\n\
             domain old.example\nsearch a.example. b.example\noptions ndots:5\n",
        );
        let expected = ["10.0.0.2", "fe80::1%eth0", "2001:db8::1"].map(|server| server.parse().unwrap());
        assert_eq!(conf.servers, expected);
        assert_eq!(conf.candidates("boot"), ["boot.a.example", "boot.b.example", "boot"]);
        assert_eq!(conf.candidates("boot."), ["boot"]);
        assert_eq!(conf.candidates("boot.lan"), ["boot.lan"]);
        assert_eq!(ResolvConf::parse(&"nameserver 10.0.0.2\n".repeat(100)).servers.len(), SERVERS);

        let text = "127.0.0.1 localhost # boot\n10.0.0.9\tcdn Boot.lan boot\nx boot\nfe80::2 boot\n";
        let found: Vec<IpAddr> = vec!["10.0.0.9".parse().unwrap(), "fe80::2".parse().unwrap()];
        assert_eq!(hosts(text, "boot"), found);
        assert_eq!(hosts(text, "boot.LAN."), found[..1]);
        assert!(hosts(text, "other").is_empty());
    }
}
