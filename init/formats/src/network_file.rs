//! The interfaces that a `.network` file of systemd-networkd matches (systemd.network(5), "[Match] section options").

use crate::mac::Mac;
use crate::systemd_syntax::whole_lines;

/// The parts of the `[Match]` section that distinguish files for one interface from files for any interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    macs: Vec<String>,
    names: Vec<String>,
    types: Vec<String>,
    /// It cannot match an Ethernet interface of the booting machine.
    is_elsewhere: bool,
}

/// The interfaces that a file matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Interfaces that it lists individually.
    Named,
    /// Any Ethernet interface.
    General,
    /// Others: virtual devices or wireless.
    Other,
}

impl Match {
    /// Reads the section from a file's text. An empty value clears the earlier ones (systemd.syntax(7)).
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        let mut is_match = false;
        for line in whole_lines(text) {
            if line.starts_with('[') {
                is_match = line == "[Match]";
                continue;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| is_match) else { continue };
            let value = value.trim();
            let list = match key.trim_end() {
                "MACAddress" | "PermanentMACAddress" => &mut found.macs,
                "Name" => &mut found.names,
                "Type" => &mut found.types,
                // `Kind=!*` matches devices without a kind: physical interfaces.
                "Kind" => {
                    found.is_elsewhere |= !value.is_empty() && !value.starts_with('!');
                    continue;
                }
                "WLANInterfaceType" | "SSID" | "BSSID" => {
                    found.is_elsewhere = true;
                    continue;
                }
                "Virtualization" => {
                    found.is_elsewhere |= value == "container";
                    continue;
                }
                _ => continue,
            };
            if value.is_empty() {
                list.clear();
            }
            list.extend(value.split_whitespace().map(str::to_owned));
        }
        found
    }

    /// The interfaces that the file matches.
    pub fn scope(&self) -> Scope {
        let no_ethernet =
            |kind: &String| kind != "ether" && !kind.starts_with('!') && !kind.contains(['*', '?', '[']);
        if self.is_elsewhere || !self.types.is_empty() && self.types.iter().all(no_ethernet) {
            return Scope::Other;
        }
        if !self.macs.is_empty() {
            return Scope::Named;
        }
        let wild = |name: &String| name.contains(['*', '?', '[', '!']);
        // The names that the kernel and udev give to Ethernet interfaces start with an e.
        let of_cards = |name: &String| name.starts_with(['e', '*', '?', '[', '!']);
        match &self.names {
            names if names.is_empty() => Scope::General,
            names if !names.iter().any(wild) => Scope::Named,
            names if names.iter().any(|name| wild(name) && of_cards(name)) => Scope::General,
            _ => Scope::Other,
        }
    }

    /// Whether it lists this MAC address.
    pub fn has(&self, mac: Mac) -> bool {
        self.macs.iter().any(|text| text.parse() == Ok(mac))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_for_one_card_are_told_from_those_for_any() {
        for (lines, scope) in [
            ("", Scope::General),
            ("Name=en*", Scope::General),
            ("Name=!lo", Scope::General),
            ("Name=vlan5 en* ", Scope::General),
            ("Type=ether", Scope::General),
            ("Type=!wlan", Scope::General),
            ("Driver=virtio_net", Scope::General),
            ("Kind=!*\nType=!loopback", Scope::General),
            ("Name=enp0s3", Scope::Named),
            ("Name=enp0s3 uplink", Scope::Named),
            ("Name=en*\nName=\nName=eth1", Scope::Named),
            ("PermanentMACAddress=02:00:00:00:00:07", Scope::Named),
            ("Type=ether\nMACAddress=02-00-00-00-00-07", Scope::Named),
            ("Name=6rd-*", Scope::Other),
            ("Name=ve-*\nDriver=veth", Scope::Other),
            ("Kind=bridge\nName=eth0", Scope::Other),
            ("Type=wlan", Scope::Other),
            ("WLANInterfaceType=ad-hoc", Scope::Other),
            ("Virtualization=container\nName=host0", Scope::Other),
        ] {
            let text = format!("[Link]\nName=x\n[Match]\n# Name=y\n{lines}\n[Network]\nName=z\nDHCP=yes\n");
            assert_eq!(Match::parse(&text).scope(), scope, "{lines}");
        }
    }

    #[test]
    fn a_card_is_named_by_its_address() {
        let mac: Mac = "02:00:00:00:00:07".parse().unwrap();
        for (line, has) in [
            ("MACAddress=02:00:00:00:00:08 02:00:00:00:00:07", true),
            ("PermanentMACAddress=02-00-00-00-00-07", true),
            ("MACAddress=02:00:00:00:00:08", false),
            ("MACAddress=!02:00:00:00:00:07", false),
            ("Name=eth0", false),
        ] {
            assert_eq!(Match::parse(&format!("[Match]\n{line}")).has(mac), has, "{line}");
        }
    }
}
