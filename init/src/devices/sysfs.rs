//! Reads the attributes of disks and partitions from /sys/class/block.

use dayfly_formats::{gpt, mbr, uevent};
use dayfly_sys::{TreePath, own};

use crate::context::Context;

/// /sys counts in sectors of this size, independent of the disk's own sector size.
const SECTOR: u64 = 512;

fn folder(name: &str) -> TreePath {
    // Some old drivers use subdirectories of /dev: cciss/c0d0.
    own("/sys/class/block").join(name.replace('/', "!"))
}

/// The contents of an attribute file of a device; `None` if it does not exist.
pub(super) fn text(cx: &Context, name: &str, file: &str) -> Option<String> {
    let bytes = cx.sys.read(&folder(name).join(file)).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn number(cx: &Context, name: &str, file: &str) -> Option<u64> {
    text(cx, name, file)?.parse().ok()
}

/// The size of the device in bytes.
pub(super) fn size(cx: &Context, name: &str) -> Option<u64> {
    number(cx, name, "size")?.checked_mul(SECTOR)
}

/// The start of a partition on its disk, in sectors; 0 for a whole disk.
pub(super) fn start(cx: &Context, name: &str) -> u64 {
    number(cx, name, "start").unwrap_or(0)
}

/// The partition number, if it is a partition.
pub(super) fn partition(cx: &Context, name: &str) -> Option<u32> {
    text(cx, name, "partition")?.parse().ok()
}

/// The device-mapper, md or bcache devices that use it.
pub(super) fn holders(cx: &Context, name: &str) -> Vec<String> {
    // Partitions and disks have this directory; an error means that the device went away.
    let entries = cx.sys.list(&folder(name).join("holders")).unwrap_or_default();
    entries.into_iter().map(|entry| entry.name).collect()
}

/// The partitions of a whole disk.
pub(super) fn partitions(cx: &Context, name: &str) -> Vec<String> {
    let entries = cx.sys.list(&folder(name)).unwrap_or_default();
    let own = name.replace('/', "!");
    entries.into_iter().map(|entry| entry.name).filter(|entry| entry.starts_with(&own)).collect()
}

/// The disk of a partition; for a disk, the disk itself.
pub(super) fn disk_of(cx: &Context, name: &str) -> String {
    let Some(number) = partition(cx, name) else { return name.to_owned() };
    let stem = name.strip_suffix(&number.to_string()).unwrap_or(name);
    // nvme0n1p2 and mmcblk0p2 have a p before the number, sda2 does not.
    match stem.strip_suffix('p') {
        Some(disk) if disk.ends_with(|c: char| c.is_ascii_digit()) => disk.to_owned(),
        _ => stem.to_owned(),
    }
}

/// The hardware's globally unique id. Two devices with the same id are two paths to one disk.
pub(super) fn hardware_id(cx: &Context, disk: &str) -> Option<String> {
    let id = text(cx, disk, "wwid").or_else(|| text(cx, disk, "device/wwid"))?;
    ["naa.", "eui.", "uuid.", "nvme."].iter().any(|kind| id.starts_with(kind)).then_some(id)
}

/// A field of the device's uevent file.
pub(super) fn field(cx: &Context, name: &str, key: &str) -> Option<String> {
    let fields = uevent::parse_file(&text(cx, name, "uevent")?);
    fields.into_iter().find_map(|(name, value)| (name == key).then_some(value))
}

/// The UUID of a partition. Since Linux 6.14 it is in the uevent file; before, read it from the disk's partition table.
pub(super) fn part_uuid(cx: &Context, name: &str) -> Option<String> {
    if let Some(uuid) = field(cx, name, "PARTUUID") {
        return Some(uuid);
    }
    let number = partition(cx, name)?;
    let disk = disk_of(cx, name);
    let head = cx.sys.read_at(&own("/dev").join(&disk), 0, 64 << 10).ok()?;
    let sector =
        text(cx, &disk, "queue/logical_block_size").and_then(|text| text.parse().ok()).unwrap_or(512);
    match gpt::parse(&head, sector) {
        Ok(table) => table.into_iter().find(|part| part.number == number).map(|part| part.uuid),
        Err(_) => mbr::part_uuid(&head, number),
    }
}
