//! Hands the time servers to chronyd, by a file in the folder from which its configuration takes those of DHCP (chrony.conf(5),
//! `sourcedir`). In Debian and Fedora, hooks of dhclient and NetworkManager write such files; systemd-networkd has none.

use std::fmt::Write;

use dayfly_sys::{Files, SysError};

use crate::NetworkUp;
use crate::os;

/// The configurations of Debian and Fedora.
const CONFIGS: [&str; 2] = ["/etc/chrony/chrony.conf", "/etc/chrony.conf"];
const FOLDER: &str = "/run/chrony-dhcp";

/// Writes the file. False if there is no time server, or the image has no chronyd that reads the folder.
pub(super) fn hand_over(sys: &dyn Files, network: &NetworkUp) -> Result<bool, SysError> {
    let mut text = String::new();
    for (server, _) in network.time_servers() {
        // Writing to a String cannot fail. The option is the one of the hooks.
        let _ = writeln!(text, "server {server} iburst");
    }
    if text.is_empty() || !reads_folder(sys)? {
        return Ok(false);
    }
    os::write(sys, &format!("{FOLDER}/dayfly.sources"), &text, 0o644)?;
    Ok(true)
}

fn reads_folder(sys: &dyn Files) -> Result<bool, SysError> {
    for config in CONFIGS {
        let text = os::read(sys, config)?.unwrap_or_default();
        if text.lines().any(|line| line.split_whitespace().eq(["sourcedir", FOLDER])) {
            return Ok(true);
        }
    }
    Ok(false)
}
