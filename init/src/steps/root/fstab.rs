//! Adapts the OS's fstab, so that the OS does not mount again, or mount over, what the boot has mounted.

use dayfly_formats::fstab::{self, Entry, Fate};
use dayfly_plan::settings::value::DeviceRef;
use dayfly_plan::{LayoutEntry, Policy};
use dayfly_sys::SysError;

use crate::context::Context;
use crate::devices;
use crate::events::Level;
use crate::os;
use crate::trees::OS;

const FSTAB: &str = "/etc/fstab";
/// The mount points of boot partitions. Installing a kernel from a stateless OS would leave the partition inconsistent
/// with the image.
const BOOT: [&str; 2] = ["/boot", "/efi"];

/// Reads the OS's fstab; empty if it does not exist.
pub fn read(cx: &Context) -> Result<Vec<u8>, SysError> {
    Ok(os::read_bytes(&*cx.sys, FSTAB)?.unwrap_or_default())
}

/// Disables the entries of paths that the layout manages, and makes boot partitions read-only.
pub fn settle(cx: &Context, entries: &[LayoutEntry], left: &[&str]) -> Result<(), SysError> {
    let is_placed = |place: &str| {
        place == "/" || entries.iter().any(|entry| entry.path == place) && !left.contains(&place)
    };
    let fate = |entry: &Entry<'_>| {
        if is_placed(&entry.place) {
            Fate::Leave("Dayfly has mounted this path at boot:")
        } else if is_boot(&entry.place) && !is_read_only(entry.options) {
            Fate::ReadOnly("Dayfly makes boot partitions read-only:")
        } else if is_missing(cx, entry) {
            let text = format!(
                "{FSTAB}: {} for {} does not exist: the OS will not wait for it",
                entry.device, entry.place
            );
            cx.note(Level::Warning, text);
            Fate::Optional("This disk did not exist when the node booted:")
        } else {
            Fate::Stay
        }
    };
    let Some(text) = fstab::rewrite(&read(cx)?, fate) else { return Ok(()) };
    let place = cx.sys.resolve(&OS.at(FSTAB))?;
    match cx.sys.write(&place, &text, 0o644) {
        // If the layout makes /etc read-only, the fstab may already be right. If not, this explains the OS's errors.
        Err(error)
            if entries.iter().any(|entry| entry.path == "/etc" && entry.policy == Policy::ReadOnly) =>
        {
            cx.note(Level::Warning, error.to_string());
            Ok(())
        }
        written => written,
    }
}

/// Whether the entry is for a disk that does not exist. The OS would wait 90 s for it and then enter emergency mode.
/// Such entries come from the machine from which the image was copied. Not for a mounted root (`init=`), whose fstab
/// fits its machine.
fn is_missing(cx: &Context, entry: &Entry<'_>) -> bool {
    const DISKS: [&str; 6] = ["/dev/sd", "/dev/vd", "/dev/hd", "/dev/xvd", "/dev/nvme", "/dev/mmcblk"];
    // systemd also waits for swap with nofail.
    let waits = !entry
        .options
        .split(',')
        .any(|option| option == "noauto" || option == "nofail" && entry.fstype != "swap");
    let device = entry.device.replace('"', "");
    let tags = ["UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="];
    if !waits
        || cx.known.mounted_root.is_some()
        || !tags.iter().chain(&DISKS).any(|start| device.starts_with(start))
    {
        return false;
    }
    let Ok(device) = device.parse::<DeviceRef>() else { return false };
    // An error means that two disks match: then it is not missing.
    matches!(devices::find(cx, &device), Ok(None))
}

fn is_boot(place: &str) -> bool {
    BOOT.iter()
        .any(|boot| place.strip_prefix(boot).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// The last option takes precedence (mount(8)).
fn is_read_only(options: &str) -> bool {
    options.split(',').rfind(|option| ["ro", "rw"].contains(option)) == Some("ro")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_partitions_are_known_by_their_place() {
        for (place, expected) in [
            ("/boot", true),
            ("/boot/efi", true),
            ("/efi", true),
            ("/bootstrap", false),
            ("/srv/boot", false),
        ] {
            assert_eq!(is_boot(place), expected, "{place}");
        }
        for (options, expected) in
            [("ro", true), ("defaults,ro", true), ("ro,rw", false), ("errors=remount-ro", false)]
        {
            assert_eq!(is_read_only(options), expected, "{options}");
        }
    }
}
