//! Selects the devices that may be used among those that match a name: not a member of a larger device (RAID, LVM), and
//! each file system only once even if several devices show it.

use dayfly_formats::superblock::{self, Kind};
use dayfly_plan::settings::value::DeviceRef;
use dayfly_sys::own;

use super::{Device, sysfs};
use crate::context::Context;

/// Why a device that matches the name must not be used. The text follows the device's path in a sentence.
pub(super) fn objection(cx: &Context, device: &Device, wanted: &DeviceRef) -> Option<String> {
    let name = device.name();
    if let Some(holder) = sysfs::holders(cx, &name).first() {
        return Some(format!("is used by {holder}"));
    }
    let superblock = device.superblock.as_ref()?;
    let by_content = matches!(wanted, DeviceRef::Label(_) | DeviceRef::Uuid(_));
    if by_content && !superblock.kind.is_file_system() && superblock.kind != Kind::Swap {
        let kind = superblock.kind.as_str();
        return Some(match superblock.kind {
            Kind::Luks1 | Kind::Luks2 => format!("is encrypted ({kind})"),
            _ => format!("is a member of a larger device ({kind})"),
        });
    }
    // An ISO file that was written to a USB stick has a partition table, but its file system starts at the first byte.
    let partitions = if by_content && superblock.kind != Kind::Iso9660 {
        sysfs::partitions(cx, &name)
    } else {
        Vec::new()
    };
    if !partitions.is_empty() {
        return Some(format!("is divided into {}", partitions.join(", ")));
    }
    if device.btrfs_devices > 1 {
        return Some(format!("is one of the {} devices of a btrfs", device.btrfs_devices));
    }
    member(cx, device, superblock.kind)
}

/// Checks for RAID metadata at the end of the device. Skips CDs: their last sectors often cannot be read, and they are
/// never part of a RAID.
fn member(cx: &Context, device: &Device, kind: Kind) -> Option<String> {
    let len = sysfs::size(cx, &device.name()).filter(|_| kind != Kind::Iso9660)?;
    match superblock::member_of(len, |offset, count| cx.sys.read_at(&own(&device.path), offset, count)) {
        Ok(None) => None,
        Ok(Some(name)) => {
            Some(format!("is a member of a larger device, according to the metadata at its end ({name})"))
        }
        Err(error) => Some(format!("may be a member of a larger device: its end cannot be read ({error})")),
    }
}

/// Removes devices that show a file system which another device in the list shows already.
pub(super) fn once_each(cx: &Context, found: Vec<Device>) -> Vec<Device> {
    let mut kept: Vec<Device> = Vec::with_capacity(found.len());
    for device in found {
        if !kept.iter().any(|other| is_same(cx, other, &device)) {
            kept.push(device);
        }
    }
    kept
}

fn is_same(cx: &Context, one: &Device, other: &Device) -> bool {
    if one.superblock.is_none() || one.superblock != other.superblock {
        return false;
    }
    let names = (one.name(), other.name());
    let disks = (sysfs::disk_of(cx, &names.0), sysfs::disk_of(cx, &names.1));
    let numbers = (sysfs::partition(cx, &names.0), sysfs::partition(cx, &names.1));
    if disks.0 == disks.1 {
        // A whole disk and its partition can show the same file system. On an ISO, a partition may begin at a second
        // copy of the superblock.
        let is_iso = one.superblock.as_ref().is_some_and(|found| found.kind == Kind::Iso9660);
        let from_start = sysfs::start(cx, &names.0) == sysfs::start(cx, &names.1);
        return numbers.0.is_some() != numbers.1.is_some() && (is_iso || from_start);
    }
    // Multipath: two devices for the same disk.
    let ids = (sysfs::hardware_id(cx, &disks.0), sysfs::hardware_id(cx, &disks.1));
    ids.0.is_some()
        && ids.0 == ids.1
        && numbers.0 == numbers.1
        && sysfs::size(cx, &names.0) == sysfs::size(cx, &names.1)
}
