//! Devices that contain or are part of another device: encryption, volume managers, RAID.

use super::bytes::{array, at, be32, has, le32, text, uuid};
use super::{Kind, Superblock};

/// LUKS1 On-Disk Format Specification 1.2.3; LUKS2 On-Disk Format Specification 1.1: `struct luks2_hdr_disk`.
pub(super) fn luks(device: &[u8]) -> Option<Superblock> {
    has(device, 0, b"LUKS\xba\xbe").then_some(())?;
    let uuid = text(at(device, 168, 40)?);
    match array(device, 6).map(u16::from_be_bytes)? {
        1 => Some(Superblock { kind: Kind::Luks1, label: None, uuid }),
        2 => Some(Superblock { kind: Kind::Luks2, label: text(at(device, 24, 48)?), uuid }),
        _ => None,
    }
}

/// LVM2's lib/format_text/layout.h: a label in one of the first four sectors points to the physical volume's header.
pub(super) fn lvm2(device: &[u8]) -> Option<Superblock> {
    let sector = [0, 512, 1024, 1536].into_iter().find_map(|start| {
        let sector = device.get(start..)?;
        (has(sector, 0, b"LABELONE") && has(sector, 24, b"LVM2 001")).then_some(sector)
    })?;
    let id = at(sector, usize::try_from(le32(sector, 20)?).ok()?, 32)?;
    let id = std::str::from_utf8(id).ok().filter(|id| id.is_ascii())?;
    let mut rest = id;
    let mut groups = Vec::with_capacity(7);
    for len in [6, 4, 4, 4, 4, 4, 6] {
        let (group, after) = rest.split_at_checked(len)?;
        groups.push(group);
        rest = after;
    }
    Some(Superblock { kind: Kind::Lvm2, label: None, uuid: Some(groups.join("-")) })
}

/// drivers/md, include/uapi/linux/raid/md_p.h, `struct mdp_superblock_1`: version 1.1 at the start, 1.2 at 4 KiB.
pub(super) fn raid(device: &[u8]) -> Option<Superblock> {
    [0, 4096].into_iter().find_map(|start| {
        let sb = device.get(start..)?;
        let version_1 = le32(sb, 4)? == 1;
        (has(sb, 0, &0xA92B_4EFC_u32.to_le_bytes()) && version_1).then_some(())?;
        Some(Superblock { kind: Kind::RaidMember, label: text(at(sb, 32, 32)?), uuid: uuid(array(sb, 16)?) })
    })
}

/// OpenZFS: a vdev label contains an XDR name-value list at 16 KiB, with the pool's name and guid.
pub(super) fn zfs(device: &[u8]) -> Option<Superblock> {
    const UINT64: u32 = 8;
    const STRING: u32 = 9;
    // The header: XDR encoding, then the byte order of the host; then the list's version 0 and its flag.
    let list = device.get(16 * 1024..)?;
    (has(list, 0, &[1]) && has(list, 2, &[0, 0, 0, 0, 0, 0])).then_some(())?;
    let mut rest = list.get(12..)?;
    let (mut name, mut guid) = (None, None);
    // The list ends with a pair of size 0.
    while let Some(size) =
        be32(rest, 0).and_then(|size| usize::try_from(size).ok()).filter(|size| *size >= 20)
    {
        let Some(pair) = at(rest, 0, size) else { break };
        let key_len = usize::try_from(be32(pair, 8)?).ok()?;
        let key = at(pair, 12, key_len)?;
        let value = pair.get(12_usize.checked_add(key_len.checked_next_multiple_of(4)?)?..)?;
        match (key, be32(value, 0)?) {
            (b"name", STRING) => {
                let len = usize::try_from(be32(value, 8)?).ok()?;
                name = text(at(value, 12, len)?);
            }
            (b"pool_guid", UINT64) => guid = array(value, 8).map(u64::from_be_bytes),
            _ => {}
        }
        rest = rest.get(size..)?;
    }
    Some(Superblock { kind: Kind::ZfsMember, label: name, uuid: Some(guid?.to_string()) })
}

/// Other formats that use a whole device and have a signature at its beginning: blkid's name, the offset of the
/// signature, and the signature.
const OTHERS: &[(&str, usize, &[u8])] = &[
    ("bcache", 4096 + 24, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"),
    ("bcachefs", 4096 + 24, b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"),
    ("BitLocker", 3, b"-FVE-FS-"),
    ("ceph_bluestore", 0, b"bluestore block device"),
    ("DM_integrity", 0, b"integrt\0"),
    ("DM_snapshot_cow", 0, b"SnAp"),
    ("DM_verity_hash", 0, b"verity\0\0"),
    ("hpt37x_raid_member", 9 * 512 + 32, &[0xF0, 0x16, 0x78, 0x5A]),
    ("hpt37x_raid_member", 9 * 512 + 32, &[0xFD, 0x16, 0x78, 0x5A]),
    ("LVM1_member", 0, b"HM\x01\0"),
    ("LVM1_member", 0, b"HM\x02\0"),
    ("oracleasm", 32, b"ORCLDISK"),
    ("stratis", 512 + 4, b"!Stra0tis\x86\xff\x02^\x41rh"),
    ("stratis", 9 * 512 + 4, b"!Stra0tis\x86\xff\x02^\x41rh"),
    ("vdo", 0, b"dmvdo001"),
];

pub(super) fn other(device: &[u8]) -> Option<Superblock> {
    let (name, ..) = OTHERS.iter().find(|(_, at, mark)| has(device, *at, mark))?;
    Some(Superblock { kind: Kind::Other(name), label: None, uuid: None })
}
