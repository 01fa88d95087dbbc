//! The read-only file systems that operating system images come in.

use super::bytes::{array, at, byte, has, le16, le32, le64, text, uuid};
use super::{Kind, Superblock};

const SQUASHFS_MAGIC: &[u8] = b"hsqs";
const EROFS_MAGIC: [u8; 4] = 0xE0F5_E1E2_u32.to_le_bytes();

/// fs/squashfs/squashfs_fs.h, `struct squashfs_super_block`; it has neither a label nor a UUID.
pub(super) fn squashfs(device: &[u8]) -> Option<Superblock> {
    // Version 4 has been the only one since 2009.
    (has(device, 0, SQUASHFS_MAGIC) && le16(device, 28)? == 4).then_some(())?;
    Some(Superblock { kind: Kind::Squashfs, label: None, uuid: None })
}

/// fs/erofs/erofs_fs.h, `struct erofs_super_block` at 1024.
pub(super) fn erofs(device: &[u8]) -> Option<Superblock> {
    let sb = device.get(1024..)?;
    has(sb, 0, &EROFS_MAGIC).then_some(())?;
    Some(Superblock { kind: Kind::Erofs, label: text(at(sb, 64, 16)?), uuid: uuid(array(sb, 48)?) })
}

/// The length in bytes that a squashfs or erofs image says it has, by its first 4 KiB. The file may be longer: mksquashfs
/// pads to 4 KiB. `None` for anything else.
pub fn image_len(image: &[u8]) -> Option<u64> {
    if squashfs(image).is_some() {
        return le64(image, 40);
    }
    erofs(image)?;
    let sb = image.get(1024..)?;
    let block_bits = u32::from(byte(sb, 12)?);
    // 512 bytes to 64 KiB; else it is damaged.
    (9..=16).contains(&block_bits).then_some(())?;
    u64::from(le32(sb, 36)?).checked_shl(block_bits)
}

/// How a squashfs image is compressed, in the kernel's words: `gzip`, `lzma`, `lzo`, `xz`, `lz4`, `zstd`.
pub fn squashfs_compression(image: &[u8]) -> Option<&'static str> {
    squashfs(image)?;
    Some(match le16(image, 20)? {
        1 => "gzip",
        2 => "lzma",
        3 => "lzo",
        4 => "xz",
        5 => "lz4",
        6 => "zstd",
        _ => return None,
    })
}
