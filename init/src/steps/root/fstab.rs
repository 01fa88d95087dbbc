//! The OS's own list of file systems: what the boot has mounted, the OS must neither mount again nor mount over.

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
/// Where kernels and boot loaders lie. A kernel that is installed into an OS that forgets would not fit what is left.
const BOOT: [&str; 2] = ["/boot", "/efi"];

/// The OS's fstab as it is now; empty where there is none.
pub fn read(cx: &Context) -> Result<Vec<u8>, SysError> {
    Ok(os::read_bytes(&*cx.sys, FSTAB)?.unwrap_or_default())
}

/// Takes out what the layout has put into place, and lets nothing write to boot partitions.
pub fn settle(cx: &Context, entries: &[LayoutEntry], left: &[&str]) -> Result<(), SysError> {
    let is_placed = |place: &str| {
        place == "/" || entries.iter().any(|entry| entry.path == place) && !left.contains(&place)
    };
    let fate = |entry: &Entry<'_>| {
        if is_placed(&entry.place) {
            Fate::Leave("Dayfly has put this place into order at boot:")
        } else if is_boot(&entry.place) && !is_read_only(entry.options) {
            Fate::ReadOnly("Dayfly keeps boot partitions as they are:")
        } else if is_missing(cx, entry) {
            let text = format!(
                "{FSTAB}: {} for {} is not there: the OS does not wait for it",
                entry.device, entry.place
            );
            cx.note(Level::Warning, text);
            Fate::Optional("This disk was not there when the node booted:")
        } else {
            Fate::Stay
        }
    };
    let Some(text) = fstab::rewrite(&read(cx)?, fate) else { return Ok(()) };
    let place = cx.sys.resolve(&OS.at(FSTAB))?;
    match cx.sys.write(&place, &text, 0o644) {
        // Whoever makes /etc read-only has an fstab that fits, or is told here why the OS complains.
        Err(error)
            if entries.iter().any(|entry| entry.path == "/etc" && entry.policy == Policy::ReadOnly) =>
        {
            cx.note(Level::Warning, error.to_string());
            Ok(())
        }
        written => written,
    }
}

/// A disk that the OS would wait for, 90 s long, and then end in its emergency mode: of the machine that the image was copied
/// from. Where somebody else has mounted the root, that one knows its disks.
fn is_missing(cx: &Context, entry: &Entry<'_>) -> bool {
    const DISKS: [&str; 6] = ["/dev/sd", "/dev/vd", "/dev/hd", "/dev/xvd", "/dev/nvme", "/dev/mmcblk"];
    // systemd waits for swap with nofail as well.
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
    // Two disks of that name are there.
    matches!(devices::find(cx, &device), Ok(None))
}

fn is_boot(place: &str) -> bool {
    BOOT.iter()
        .any(|boot| place.strip_prefix(boot).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// The last one wins (mount(8)).
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
