//! FAT12, FAT16, FAT32, exFAT and NTFS: related boot sectors.

use super::bytes::{array, at, byte, has, le16, le32, le64, text, text16};
use super::{Kind, Superblock};

/// The parts of the boot sector's geometry that give the location of the root directory.
struct Geometry {
    sector: usize,
    cluster: usize,
    reserved: usize,
    fats: usize,
    fat_sectors: usize,
    /// FAT12 and FAT16: the number of entries of the root directory, which follows the FATs. FAT32: 0.
    root_entries: usize,
}

/// Microsoft's "FAT: General Overview of On-Disk Format" 1.03.
pub(super) fn vfat(device: &[u8]) -> Option<Superblock> {
    has(device, 510, &[0x55, 0xAA]).then_some(())?;
    let geometry = geometry(device)?;
    let fat32 = geometry.root_entries == 0;
    let (signature_at, serial_at, label_at) = if fat32 { (66, 67, 71) } else { (38, 39, 43) };
    // 0x29 means serial, label and type; 0x28 means only the serial.
    let signature = byte(device, signature_at)?;
    let serial = matches!(signature, 0x28 | 0x29).then(|| le32(device, serial_at)).flatten();
    let in_boot = if signature == 0x29 { text(at(device, label_at, 11)?) } else { None };
    let label = root_label(device, &geometry).or(in_boot).filter(|label| label != "NO NAME");
    Some(Superblock { kind: Kind::Vfat, label, uuid: serial.filter(|serial| *serial != 0).map(serial_text) })
}

fn serial_text(serial: u32) -> String {
    format!("{:04X}-{:04X}", serial >> 16, serial & 0xFFFF)
}

/// `None` if these values are not plausible for FAT. A partition table also ends with 0x55AA.
fn geometry(device: &[u8]) -> Option<Geometry> {
    let sector = usize::from(le16(device, 11)?);
    let per_cluster = usize::from(byte(device, 13)?);
    let reserved = usize::from(le16(device, 14)?);
    let fats = usize::from(byte(device, 16)?);
    let root_entries = usize::from(le16(device, 17)?);
    let media = byte(device, 21)?;
    let fat_sectors = match le16(device, 22)? {
        0 => usize::try_from(le32(device, 36)?).ok()?,
        sectors => usize::from(sectors),
    };
    let plausible = matches!(sector, 512 | 1024 | 2048 | 4096)
        && per_cluster.is_power_of_two()
        && reserved != 0
        && (1..=4).contains(&fats)
        && fat_sectors != 0
        && (media == 0xF0 || media >= 0xF8);
    let cluster = sector.checked_mul(per_cluster)?;
    plausible.then_some(Geometry { sector, cluster, reserved, fats, fat_sectors, root_entries })
}

/// The label in the root directory, which tools change. Only if it is inside the probed bytes.
fn root_label(device: &[u8], geometry: &Geometry) -> Option<String> {
    const VOLUME: u8 = 0x08;
    const FOLDER: u8 = 0x10;
    const LONG_NAME: u8 = 0x0F;
    let fats = geometry.fats.checked_mul(geometry.fat_sectors)?;
    let after_fats = fats.checked_add(geometry.reserved)?.checked_mul(geometry.sector)?;
    let (start, len) = if geometry.root_entries == 0 {
        let cluster = usize::try_from(le32(device, 44)?).ok()?.checked_sub(2)?;
        (cluster.checked_mul(geometry.cluster)?.checked_add(after_fats)?, geometry.cluster)
    } else {
        (after_fats, geometry.root_entries.checked_mul(32)?)
    };
    let folder = device.get(start..)?;
    let folder = folder.get(..len).unwrap_or(folder);
    folder
        .chunks_exact(32)
        .take_while(|entry| byte(entry, 0) != Some(0))
        .filter(|entry| byte(entry, 0) != Some(0xE5))
        .find(|entry| {
            byte(entry, 11)
                .is_some_and(|flags| flags & LONG_NAME != LONG_NAME && flags & (VOLUME | FOLDER) == VOLUME)
        })
        .and_then(|entry| text(at(entry, 0, 11)?))
}

/// Microsoft's exFAT specification, section 3.1.
pub(super) fn exfat(device: &[u8]) -> Option<Superblock> {
    (has(device, 3, b"EXFAT   ") && has(device, 510, &[0x55, 0xAA])).then_some(())?;
    let serial = le32(device, 100)?;
    Some(Superblock { kind: Kind::Exfat, label: exfat_label(device), uuid: Some(serial_text(serial)) })
}

/// The label is an entry of the root directory. Only on small volumes it is inside the probed bytes.
fn exfat_label(device: &[u8]) -> Option<String> {
    const LABEL: u8 = 0x83;
    let sector_bits = u32::from(byte(device, 108)?);
    let cluster_bits = sector_bits.checked_add(u32::from(byte(device, 109)?))?;
    let heap = u64::from(le32(device, 88)?).checked_shl(sector_bits)?;
    let root = u64::from(le32(device, 96)?.checked_sub(2)?).checked_shl(cluster_bits)?;
    let folder = device.get(usize::try_from(heap.checked_add(root)?).ok()?..)?;
    let entry = folder
        .chunks_exact(32)
        .take_while(|entry| byte(entry, 0) != Some(0))
        .find(|entry| byte(entry, 0) == Some(LABEL))?;
    let units = usize::from(byte(entry, 1)?).min(11);
    text16(at(entry, 2, units.checked_mul(2)?)?, u16::from_le_bytes)
}

/// NTFS: the boot sector. The label is a record of the master file table, outside the probed bytes.
pub(super) fn ntfs(device: &[u8]) -> Option<Superblock> {
    has(device, 3, b"NTFS    ").then_some(())?;
    array::<8>(device, 72)?;
    let serial = le64(device, 72)?;
    Some(Superblock { kind: Kind::Ntfs, label: None, uuid: Some(format!("{serial:016X}")) })
}
