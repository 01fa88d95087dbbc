//! Adds the node to the OS's /etc/hosts, hosts(5). The image's own lines stay.

use dayfly_plan::settings::value::HostName;
use dayfly_sys::{Files, SysError};

use crate::trees::OS;
use crate::{NetworkUp, os};

const FILE: &str = "/etc/hosts";
/// The comment at the end of Dayfly's lines. With a persistent /etc, the next boot finds and replaces the lines by it.
const OURS: &str = "# dayfly";
/// The entries that every node gets, unless the image has the names already.
const EVERYWHERE: [(&str, &str); 4] = [
    ("localhost", "127.0.0.1 localhost"),
    ("ip6-localhost", "::1 localhost ip6-localhost ip6-loopback"),
    ("ip6-allnodes", "ff02::1 ip6-allnodes"),
    ("ip6-allrouters", "ff02::2 ip6-allrouters"),
];

/// Adds the node's entries.
pub fn write(sys: &dyn Files, name: &HostName, network: Option<&NetworkUp>) -> Result<(), SysError> {
    let there = os::read_bytes(sys, FILE)?.unwrap_or_default();
    // The image's comments may have any encoding, so the file is handled as bytes.
    sys.write(&OS.at(FILE), &with_node(&there, name, network), 0o644)
}

/// The node's own line comes first, because most resolvers use the first match of a name.
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
        // The image may have ::1 only as localhost.
        let is_there = has(name, address) || address == "::1" && has("localhost", address);
        if !is_there {
            put(line);
        }
    }
    text.extend(kept.concat());
    text
}

/// Debian uses 127.0.1.1 for the host name of a machine without a fixed address (Debian manual 5.1.1).
fn own_line(name: &HostName, network: Option<&NetworkUp>) -> String {
    let up = network.map(|network| &network.first).filter(|up| !up.is_withdrawn());
    let own = up.map_or_else(|| "127.0.1.1".to_owned(), |up| up.address.to_string());
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
        NetworkUp { domain: domain.map(str::to_owned), ..NetworkUp::of("10.0.2.15", 24) }
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
        assert_eq!(made("", "localhost", Some(&domain)), EVERYBODY, "localhost is not this node's name");
    }

    #[test]
    fn the_lines_of_the_image_stay() {
        let own = "10.0.2.15 worker7 # dayfly\n";
        let network = network(None);
        let rest = "ff02::1 ip6-allnodes # dayfly\nff02::2 ip6-allrouters # dayfly\n";
        for (there, expected) in [
            ("10.9.9.9 registry.lab registry\n", format!("{own}{EVERYBODY}10.9.9.9 registry.lab registry\n")),
            // Without a newline at the end, with the line ends of another system, with a comment.
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
            // With a persistent /etc and another name at the next boot.
            let again = made(&made(there, "old-name", None), "worker7", Some(&network));
            assert_eq!(again, expected, "{there} twice");
        }
        let latin = b"10.9.9.9 r # caf\xe9\n";
        assert!(with_node(latin, &"worker7".parse().unwrap(), None).ends_with(latin));
    }
}
