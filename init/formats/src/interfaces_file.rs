//! The configuration of an interface in Debian's `/etc/network/interfaces` (interfaces(5)).

/// The IPv4 methods of the interface with this name: `static`, `dhcp`, `manual` …; one per stanza.
pub fn methods<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        // A line that ends with a backslash continues in the next one. A comment line cannot continue.
        let is_part = std::mem::take(&mut goes_on);
        if !is_part && line.trim_start().starts_with('#') {
            continue;
        }
        goes_on = line.ends_with('\\');
        let mut words = line.split_whitespace();
        if !is_part
            && words.next() == Some("iface")
            && words.next() == Some(name)
            && words.next() == Some("inet")
        {
            found.extend(words.next().filter(|method| *method != "\\"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_methods_of_one_interface_are_found() {
        let text = "# iface eth0 inet static\nauto lo eth0\niface lo inet loopback\n\tiface eth0 inet dhcp\n  mtu 1400\n\
            iface eth0 inet6 auto\niface eth0:1 inet static\niface eth00 inet manual\n  up echo \\\niface eth0 inet static\n\
            iface eth0 inet static inherits base\niface eth0 inet\niface";
        assert_eq!(methods(text, "eth0"), ["dhcp", "static"]);
        assert_eq!(methods(text, "eth00"), ["manual"]);
        assert!(methods(text, "eth1").is_empty());
        assert!(methods("", "").is_empty());
    }
}
