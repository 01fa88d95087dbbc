//! Keeps cloud-init from configuring the network of a node whose addresses a service of the OS has already.

use std::path::Path;

use dayfly_sys::{Files, SysError};

use crate::os::{self, WRITTEN};
use crate::trees::OS;

const CONFIG: &str = "/etc/cloud/cloud.cfg";
const MORE: &str = "/etc/cloud/cloud.cfg.d";
const OURS: &str = "99-dayfly-network.cfg";

/// Disables the network configuration of cloud-init. False if the image has no cloud-init, or says itself what cloud-init
/// does with the network.
pub(super) fn keep_off(sys: &dyn Files) -> Result<bool, SysError> {
    if !os::has(sys, CONFIG)? {
        return Ok(false);
    }
    let entries = match sys.list(&OS.at(MORE)) {
        Ok(entries) => entries,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error),
    };
    let more = entries.into_iter().map(|entry| entry.name).filter(|name| is_config(name) && name != OURS);
    for path in std::iter::once(CONFIG.to_owned()).chain(more.map(|name| format!("{MORE}/{name}"))) {
        let text = os::read(sys, &path)?.unwrap_or_default();
        // A key of the top level (cloud-init's "Network configuration").
        if text.lines().any(|line| line.starts_with("network:")) {
            return Ok(false);
        }
    }
    let text = format!("{WRITTEN}network: {{config: disabled}}\n");
    os::write(sys, &format!("{MORE}/{OURS}"), &text, 0o644)?;
    Ok(true)
}

/// cloud-init compares the extension with its case.
fn is_config(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "cfg")
}
