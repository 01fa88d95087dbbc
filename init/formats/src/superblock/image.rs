//! The read-only file systems of operating system images.

use super::bytes::{array, at, byte, has, le16, le32, le64, text, uuid};
use super::{Kind, Superblock};

const SQUASHFS_MAGIC: &[u8] = b"hsqs";
const EROFS_MAGIC: [u8; 4] = 0xE0F5_E1E2_u32.to_le_bytes();

/// fs/squashfs/squashfs_fs.h, `struct squashfs_super_block`. It has neither a label nor a UUID.
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

/// The length in bytes from the superblock of a squashfs or erofs image, read from its first 4 KiB. The file may be
/// longer: mksquashfs pads to 4 KiB. `None` for anything else.
pub fn image_len(image: &[u8]) -> Option<u64> {
    if squashfs(image).is_some() {
        return le64(image, 40);
    }
    erofs(image)?;
    let sb = image.get(1024..)?;
    let block_bits = u32::from(byte(sb, 12)?);
    // Valid are 512 bytes to 64 KiB. Otherwise the image is damaged.
    (9..=16).contains(&block_bits).then_some(())?;
    u64::from(le32(sb, 36)?).checked_shl(block_bits)
}

/// A kernel option that an image requires, and the first kernel version with it: "none" if no release has it, or if
/// none is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The feature of the image.
    pub what: &'static str,
    /// The kernel's option.
    pub option: &'static str,
    /// The first kernel that has it.
    pub since: &'static str,
}

/// fs/squashfs/squashfs_fs.h and Kconfig: the id of a compression, its name, the kernel's option and the first version.
const SQUASHFS: [(u16, &str, &str, &str); 6] = [
    (1, "gzip", "CONFIG_SQUASHFS_ZLIB", "2.6.29"),
    (2, "lzma", "an out-of-tree patch: no mainline kernel ever supported lzma for squashfs", "none"),
    (3, "lzo", "CONFIG_SQUASHFS_LZO", "2.6.36"),
    (4, "xz", "CONFIG_SQUASHFS_XZ", "2.6.38"),
    (5, "lz4", "CONFIG_SQUASHFS_LZ4", "3.19"),
    (6, "zstd", "CONFIG_SQUASHFS_ZSTD", "4.14"),
];

/// fs/erofs/erofs_fs.h, `EROFS_FEATURE_INCOMPAT_*`: the oldest kernel that supports each.
const EROFS_FEATURES: [(u32, &str, &str, &str); 9] = [
    (0x1, "compressed files", "CONFIG_EROFS_FS_ZIP", "5.4"),
    (0x2, "large compressed clusters, or not only lz4", "CONFIG_EROFS_FS_ZIP", "5.13"),
    (0x4, "files in chunks", "CONFIG_EROFS_FS", "5.15"),
    (0x8, "several devices or a second compression", "CONFIG_EROFS_FS", "5.16"),
    (0x10, "compressed tails of files (-Eztailpacking)", "CONFIG_EROFS_FS_ZIP", "5.17"),
    (0x20, "fragments or shared data (-Efragments, -Ededupe)", "CONFIG_EROFS_FS_ZIP", "6.1"),
    (0x40, "long names of attributes", "CONFIG_EROFS_FS", "6.4"),
    (0x80, "48-bit block addresses", "CONFIG_EROFS_FS", "6.15"),
    (0x100, "compressed metadata (-m)", "CONFIG_EROFS_FS_ZIP", "6.17"),
];

/// The same header, `Z_EROFS_COMPRESSION_*`: bits of the compressions that an image uses.
const EROFS_COMPRESSIONS: [(u16, &str, &str, &str); 3] = [
    (0x2, "files compressed with lzma", "CONFIG_EROFS_FS_ZIP_LZMA", "5.16"),
    (0x4, "files compressed with deflate", "CONFIG_EROFS_FS_ZIP_DEFLATE", "6.6"),
    (0x8, "files compressed with zstd", "CONFIG_EROFS_FS_ZIP_ZSTD", "6.10"),
];

const NEWER: &str = "a newer kernel may have it";

/// The kernel options that an image requires, from its first 4 KiB: for squashfs the compression, for erofs features,
/// compressions and block size. Empty for anything else, and if any kernel with that file system supports the image.
pub fn kernel_needs(image: &[u8]) -> Vec<Need> {
    const COMPRESSED: u32 = 0x1;
    const COMPRESSION_TABLE: u32 = 0x2;
    if squashfs(image).is_some() {
        let id = le16(image, 20).unwrap_or_default();
        let known = SQUASHFS.iter().find(|(known, ..)| *known == id);
        return vec![known.map_or(
            Need { what: "a compression that is unknown here", option: NEWER, since: "none" },
            |(_, what, option, since)| Need { what, option, since },
        )];
    }
    let Some(sb) = erofs(image).and_then(|_| image.get(1024..)) else { return Vec::new() };
    let mut needs = Vec::new();
    let mut features = le32(sb, 80).unwrap_or_default();
    // Without the table, the field is the window size of lz4. The first bit is lz4 itself, which needs no extra option.
    let has_table = features & COMPRESSION_TABLE != 0;
    let mut compressions = if has_table { le16(sb, 84).unwrap_or_default() & !1 } else { 0 };
    if byte(sb, 12).is_some_and(|bits| bits < 12) {
        // The first kernels require blocks of the page size.
        let since = if features & COMPRESSED != 0 { "6.8" } else { "6.4" };
        needs.push(Need { what: "blocks of less than 4096 bytes (-b)", option: "CONFIG_EROFS_FS", since });
    }
    for (bit, what, option, since) in EROFS_FEATURES {
        if features & bit != 0 {
            needs.push(Need { what, option, since });
        }
        features &= !bit;
    }
    for (bit, what, option, since) in EROFS_COMPRESSIONS {
        if compressions & bit != 0 {
            needs.push(Need { what, option, since });
        }
        compressions &= !bit;
    }
    if (features, compressions) != (0, 0) {
        needs.push(Need { what: "a feature that is unknown here", option: NEWER, since: "none" });
    }
    needs
}
