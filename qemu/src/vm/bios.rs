//! The machine's own firmware, for machines that do not get their kernel from QEMU.

use std::{fs, path::Path};

use anyhow::{Context, Result};

/// OVMF's code, and the variables that a new machine has.
const UEFI: [&str; 2] = ["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"];

/// The size of the boot file's name in a DHCP answer, with the zero at its end (RFC 2131, section 2).
pub(super) const BOOT_FILE: usize = 128;

/// Starts only devices in the boot order. Without graphics, SeaBIOS and the iPXE after it write to the serial port.
pub(super) const NETBOOT: [&str; 4] = ["-boot", "strict=on", "-machine", "graphics=off"];

/// UEFI, with variables of its own in `folder`.
pub(super) fn uefi(folder: &Path) -> Result<Vec<String>> {
    let [code, variables] = UEFI;
    let own = folder.join("uefi-variables.fd");
    fs::copy(variables, &own).with_context(|| format!("cannot copy {variables}; run qemu/provision"))?;
    let flash = |unit: u8, more: &str, path: &str| {
        let path = path.replace(',', ",,");
        ["-drive".to_owned(), format!("if=pflash,format=raw,unit={unit}{more},file={path}")]
    };
    Ok([flash(0, ",readonly=on", code), flash(1, "", &own.to_string_lossy())].concat())
}
