//! Linux's own disk file systems, and swap.

use super::bytes::{array, at, has, le16, le32, text, text16, uuid};
use super::{Kind, Superblock};

/// ext2, ext3 and ext4: fs/ext4/ext4.h, `struct ext4_super_block` at 1024.
pub(super) fn ext(device: &[u8]) -> Option<Superblock> {
    const HAS_JOURNAL: u32 = 0x4;
    const JOURNAL_DEVICE: u32 = 0x8;
    /// filetype, recover, meta_bg
    const EXT3_INCOMPAT: u32 = 0x2 | 0x4 | 0x10;
    /// sparse_super, large_file, btree_dir
    const EXT3_RO_COMPAT: u32 = 0x1 | 0x2 | 0x4;

    let sb = device.get(1024..)?;
    if le16(sb, 0x38)? != 0xEF53 {
        return None;
    }
    let (compat, incompat, ro_compat) = (le32(sb, 0x5C)?, le32(sb, 0x60)?, le32(sb, 0x64)?);
    if incompat & JOURNAL_DEVICE != 0 {
        return None;
    }
    // Features that ext3 does not support mean ext4, and a journal without them means ext3. blkid checks the same
    // features.
    let kind = if incompat & !EXT3_INCOMPAT != 0 || ro_compat & !EXT3_RO_COMPAT != 0 {
        Kind::Ext4
    } else if compat & HAS_JOURNAL != 0 {
        Kind::Ext3
    } else {
        Kind::Ext2
    };
    Some(Superblock { kind, label: text(at(sb, 0x78, 16)?), uuid: uuid(array(sb, 0x68)?) })
}

/// fs/xfs/libxfs/xfs_format.h, `struct xfs_dsb`.
pub(super) fn xfs(device: &[u8]) -> Option<Superblock> {
    has(device, 0, b"XFSB").then_some(())?;
    Some(Superblock { kind: Kind::Xfs, label: text(at(device, 108, 12)?), uuid: uuid(array(device, 32)?) })
}

/// Whether an xfs stores file types in its directories, which OverlayFS requires. `None` if it is not xfs.
pub fn xfs_has_ftype(device: &[u8]) -> Option<bool> {
    /// XFS_SB_VERSION_NUMBITS, XFS_SB_VERSION_MOREBITSBIT, XFS_SB_VERSION2_FTYPE, XFS_SB_FEAT_INCOMPAT_FTYPE
    const NUMBER: u16 = 0xF;
    const HAS_MORE: u16 = 0x8000;
    const FTYPE_4: u32 = 0x200;
    const FTYPE_5: u32 = 0x1;

    has(device, 0, b"XFSB").then_some(())?;
    let version = u16::from_be_bytes(array(device, 100)?);
    if version & NUMBER == 5 {
        return Some(u32::from_be_bytes(array(device, 216)?) & FTYPE_5 != 0);
    }
    Some(version & HAS_MORE != 0 && u32::from_be_bytes(array(device, 200)?) & FTYPE_4 != 0)
}

/// include/uapi/linux/btrfs_tree.h, `struct btrfs_super_block` at 64 KiB.
pub(super) fn btrfs(device: &[u8]) -> Option<Superblock> {
    let sb = device.get(0x10000..)?;
    has(sb, 0x40, b"_BHRfS_M").then_some(())?;
    Some(Superblock { kind: Kind::Btrfs, label: text(at(sb, 0x12B, 256)?), uuid: uuid(array(sb, 0x20)?) })
}

/// The number of devices of a btrfs. `None` if it is not btrfs.
pub fn btrfs_devices(device: &[u8]) -> Option<u64> {
    btrfs(device)?;
    array(device, 0x10000 + 0x88).map(u64::from_le_bytes)
}

/// include/linux/f2fs_fs.h, `struct f2fs_super_block` at 1024.
pub(super) fn f2fs(device: &[u8]) -> Option<Superblock> {
    let sb = device.get(1024..)?;
    has(sb, 0, &0xF2F5_2010_u32.to_le_bytes()).then_some(())?;
    let label = text16(at(sb, 124, 1024)?, u16::from_le_bytes);
    Some(Superblock { kind: Kind::F2fs, label, uuid: uuid(array(sb, 108)?) })
}

/// include/linux/swap.h, `union swap_header`: the signature is at the end of the first page, for any page size.
pub(super) fn swap(device: &[u8]) -> Option<Superblock> {
    let marked = |page: usize| page.checked_sub(10).is_some_and(|end| has(device, end, b"SWAPSPACE2"));
    [4096, 8192, 16384, 32768, 65536].into_iter().any(marked).then_some(())?;
    Some(Superblock {
        kind: Kind::Swap,
        label: text(at(device, 1052, 16)?),
        uuid: uuid(array(device, 1036)?),
    })
}
