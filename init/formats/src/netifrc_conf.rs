//! The configuration of an interface in `/etc/conf.d/net` of netifrc, Gentoo's network scripts for OpenRC.

/// The first method for an interface: `dhcp`, `null`, an address …; `None` if the text has none, which netifrc takes as
/// `dhcp`. Of several assignments the last one counts, as in the shell.
pub fn method<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let assignment = format!("config_{}=", variable(name));
    let mut rest = text;
    while let Some((before, after)) = rest.rsplit_once(&assignment) {
        rest = before;
        // Otherwise it is part of a comment or of another variable.
        if before.rsplit('\n').next().is_none_or(|line| line.trim().is_empty()) {
            return first_word(after);
        }
    }
    None
}

/// The interface's name in the names of variables.
pub fn variable(name: &str) -> String {
    name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect()
}

/// The first word of a value, which may be quoted and go over several lines, or be an array.
fn first_word(value: &str) -> Option<&str> {
    let value = value.trim_start_matches(['(', ' ']);
    match value.strip_prefix(['"', '\'']) {
        Some(quoted) => quoted.split(['"', '\'']).next()?.split_whitespace().next(),
        None => value.split(char::is_whitespace).next().filter(|word| !word.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_method_is_found() {
        for (text, found) in [
            ("", None),
            ("config_eth0=\"dhcp\"\n", Some("dhcp")),
            ("config_eth0='dhcp'\n", Some("dhcp")),
            ("config_eth0=dhcp\n", Some("dhcp")),
            ("  config_eth0=\"192.168.0.2/24 brd 192.168.0.255\"\n", Some("192.168.0.2/24")),
            ("config_eth0=( \"noop\" \"dhcp\" )\n", Some("noop")),
            ("config_eth0=\"dhcp\"\nconfig_eth0=\"null\"\n", Some("null")),
            ("config_eth0=\"\n\t192.168.0.2/24\n\t192.168.0.3/24\"\n", Some("192.168.0.2/24")),
            ("config_eth0=\"dhcp\"\n# config_eth0=\"null\"\n", Some("dhcp")),
            ("config_eth0=\"\"\nconfig_eth1=\"null\"\n", None),
            ("config_eth0=\nconfig_eth1=\"null\"\n", None),
            ("#config_eth0=\"dhcp\"\nconfig_eth01=\"null\"\nconfig_eth1=\"null\"\n", None),
            ("config_eth0", None),
        ] {
            assert_eq!(method(text, "eth0"), found, "{text}");
        }
        assert_eq!(method("config_vlan_5=\"null\"", "vlan.5"), Some("null"));
    }
}
