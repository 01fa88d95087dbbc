//! The OS's /etc/hosts, hosts(5): its own lines stay, and the node's are added.

use dayfly_plan::settings::value::HostName;
use dayfly_sys::{Files, SysError};

use crate::trees::OS;
use crate::{NetworkUp, os};

const FILE: &str = "/etc/hosts";
/// What ends a line of ours. Where /etc is kept, the next boot finds it by that and writes it anew.
const OURS: &str = "# dayfly";
/// What every node has, where the image says nothing of the name.
const EVERYWHERE: [(&str, &str); 4] = [
    ("localhost", "127.0.0.1 localhost"),
    ("ip6-localhost", "::1 localhost ip6-localhost ip6-loopback"),
    ("ip6-allnodes", "ff02::1 ip6-allnodes"),
    ("ip6-allrouters", "ff02::2 ip6-allrouters"),
];

/// Adds the node.
pub fn write(sys: &dyn Files, name: &HostName, network: Option<&NetworkUp>) -> Result<(), SysError> {
    let there = os::read_bytes(sys, FILE)?.unwrap_or_default();
    // Comments of the image are bytes in any encoding, and stay so.
    sys.write(&OS.at(FILE), &with_node(&there, name, network), 0o644)
}

/// The node's own line comes first: of two for a name, most resolvers take the first.
fn with_node(there: &[u8], name: &HostName, network: Option<&NetworkUp>) -> Vec<u8> {
    let is_ours = |line: &&[u8]| line.trim_ascii_end().ends_with(OURS.as_bytes());
    let kept: Vec<&[u8]> =
        there.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_ours(line)).collect();
    let has = |wanted: &str, address: &str| {
        kept.iter().any(|line| {
            let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
            let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            words.next() == Some(address.as_bytes()) && words.any(|word| word == wanted.as_bytes())
        })
    };
    let mut text = Vec::new();
    let mut put = |line: &str| text.extend(format!("{line} {OURS}\n").into_bytes());
    if !name.is_placeholder() {
        put(&own_line(name, network));
    }
    for (name, line) in EVERYWHERE {
        let address = line.split(' ').next().unwrap_or_default();
        // An image may call ::1 by localhost alone.
        let is_there = has(name, address) || address == "::1" && has("localhost", address);
        if !is_there {
            put(line);
        }
    }
    text.extend(kept.concat());
    text
}

/// 127.0.1.1 is Debian's address for the own name of a machine without a fixed one (Debian manual 5.1.1).
fn own_line(name: &HostName, network: Option<&NetworkUp>) -> String {
    let own = network.map_or_else(|| "127.0.1.1".to_owned(), |network| network.address.to_string());
    let domain = network.and_then(|network| network.domain.as_ref());
    match (name.as_str().split_once('.'), domain) {
        (Some((short, _)), _) => format!("{own} {name} {short}"),
        (None, Some(domain)) => format!("{own} {name}.{domain} {name}"),
        (None, None) => format!("{own} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYBODY: &str = "127.0.0.1 localhost # dayfly\n::1 localhost ip6-localhost ip6-loopback # dayfly\n\
                             ff02::1 ip6-allnodes # dayfly\nff02::2 ip6-allrouters # dayfly\n";

    fn network(domain: Option<&str>) -> NetworkUp {
        NetworkUp {
            iface: "eth0".to_owned(),
            mac: None,
            address: [10, 0, 2, 15].into(),
            prefix: 24,
            gateway: None,
            mtu: None,
            dns: Vec::new(),
            domain: domain.map(str::to_owned),
            search: Vec::new(),
            hostname: None,
            lease: None,
        }
    }

    fn made(there: &str, name: &str, network: Option<&NetworkUp>) -> String {
        String::from_utf8(with_node(there.as_bytes(), &name.parse().unwrap(), network)).unwrap()
    }

    #[test]
    fn a_node_has_a_line_of_its_own() {
        let domain = network(Some("example.org"));
        for (name, network, line) in [
            ("worker7", Some(&network(None)), "10.0.2.15 worker7"),
            ("worker7", Some(&domain), "10.0.2.15 worker7.example.org worker7"),
            ("worker7.cluster.test", Some(&domain), "10.0.2.15 worker7.cluster.test worker7"),
            ("worker7", None, "127.0.1.1 worker7"),
        ] {
            assert_eq!(made("", name, network), format!("{line} # dayfly\n{EVERYBODY}"));
        }
        assert_eq!(made("", "localhost", Some(&domain)), EVERYBODY, "localhost is no name of this node");
    }

    #[test]
    fn the_lines_of_the_image_stay() {
        let own = "10.0.2.15 worker7 # dayfly\n";
        let network = network(None);
        let rest = "ff02::1 ip6-allnodes # dayfly\nff02::2 ip6-allrouters # dayfly\n";
        for (there, expected) in [
            ("10.9.9.9 registry.lab registry\n", format!("{own}{EVERYBODY}10.9.9.9 registry.lab registry\n")),
            // Without a last line's end, with the line ends of another system, with a comment.
            (
                "# ours\r\n10.9.9.9 registry # dayfly's",
                format!("{own}{EVERYBODY}# ours\r\n10.9.9.9 registry # dayfly's"),
            ),
            (
                "127.0.0.1\tlocalhost\n::1 localhost\n",
                format!("{own}{rest}127.0.0.1\tlocalhost\n::1 localhost\n"),
            ),
            (
                "127.0.0.1 build-host #localhost\n",
                format!("{own}{EVERYBODY}127.0.0.1 build-host #localhost\n"),
            ),
        ] {
            assert_eq!(made(there, "worker7", Some(&network)), expected, "{there}");
            // Where /etc is kept, with another name at the next boot.
            let again = made(&made(there, "old-name", None), "worker7", Some(&network));
            assert_eq!(again, expected, "{there} twice");
        }
        let latin = b"10.9.9.9 r # caf\xe9\n";
        assert!(with_node(latin, &"worker7".parse().unwrap(), None).ends_with(latin));
    }
}
