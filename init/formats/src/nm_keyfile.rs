//! The interface that a connection profile of NetworkManager is for (nm-settings-keyfile(5)).

use crate::mac::Mac;

/// What a profile says of its interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    interface_name: Option<String>,
    mac: Option<Mac>,
    is_automatic: bool,
}

impl Profile {
    /// Reads a keyfile. Of a key that is set more than once, the last value counts.
    pub fn parse(text: &str) -> Self {
        let mut found = Self { interface_name: None, mac: None, is_automatic: true };
        let mut section = "";
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name;
                continue;
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            let value = value.trim();
            match (section, key.trim_end()) {
                ("connection", "interface-name") => {
                    found.interface_name = Some(value).filter(|name| !name.is_empty()).map(str::to_owned);
                }
                ("connection", "autoconnect") => found.is_automatic = !matches!(value, "false" | "no" | "0"),
                ("ethernet" | "802-3-ethernet", "mac-address") => found.mac = value.parse().ok(),
                _ => {}
            }
        }
        found
    }

    /// Whether NetworkManager activates it by itself on the interface with these names and this MAC address, and not on any
    /// other one.
    pub fn is_for(&self, names: &[String], mac: Option<Mac>) -> bool {
        let has_name = self.interface_name.as_ref().map(|name| names.contains(name));
        let has_mac = self.mac.map(|own| mac == Some(own));
        let is_named = has_name.or(has_mac).is_some();
        self.is_automatic && is_named && has_name != Some(false) && has_mac != Some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_for_one_interface_are_told_from_those_for_any() {
        let names = ["eth0", "enp0s3"].map(str::to_owned);
        let mac = Mac([2, 0, 0, 0, 0, 7]);
        for (text, is_for) in [
            ("[connection]\ntype=ethernet\n", false),
            ("[connection]\ninterface-name=enp0s3\n", true),
            ("[connection]\ninterface-name = enp0s3 \nautoconnect=false\n", false),
            ("[connection]\ninterface-name=enp0s8\n", false),
            ("[connection]\ninterface-name=\n", false),
            ("#[connection]\ninterface-name=eth0\n", false),
            ("[vlan]\ninterface-name=eth0\n", false),
            ("[ethernet]\nmac-address=02:00:00:00:00:07\n", true),
            ("[802-3-ethernet]\nmac-address=02:00:00:00:00:07\n", true),
            ("[ethernet]\nmac-address=02:00:00:00:00:08\n", false),
            ("[connection]\ninterface-name=eth0\n[ethernet]\nmac-address=02:00:00:00:00:08\n", false),
            ("[connection]\ninterface-name=eth1\n[ethernet]\nmac-address=02:00:00:00:00:07\n", false),
            ("[connection]\ninterface-name=eth1\ninterface-name=eth0", true),
        ] {
            assert_eq!(Profile::parse(text).is_for(&names, Some(mac)), is_for, "{text}");
        }
        assert!(!Profile::parse("[ethernet]\nmac-address=02:00:00:00:00:07\n").is_for(&names, None));
    }
}
