//! The interfaces that a configuration of dhcpcd names (dhcpcd.conf(5)).

/// Whether the text has options for the interface with this name alone.
pub fn has_interface(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some("interface") && words.next() == Some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_found_by_name() {
        let text = "hostname\n# interface eth1\n  interface\teth0\nstatic ip_address=10.0.0.2/24\ninterface\ndenyinterfaces eth2\n";
        for (name, found) in [("eth0", true), ("eth1", false), ("eth2", false), ("", false), ("eth", false)] {
            assert_eq!(has_interface(text, name), found, "{name}");
        }
    }
}
