//! What is on a block device, by its first bytes: the kind of file system or container, its label and its UUID, as
//! `blkid` prints them.
//!
//! Sources: the kernel's on-disk format documents and headers, the LUKS and LVM2 format specifications, ECMA-119 for
//! ISO 9660, Microsoft's FAT and exFAT specifications. Held against blkid in `tests/tests/superblock_oracle.rs`.

mod bytes;
mod container;
mod fat;
mod image;
mod iso;
mod linux;
mod member;

pub use image::{Need, image_len, kernel_needs};
pub use linux::{btrfs_devices, xfs_has_ftype};
pub use member::{member_at, member_of, member_places};

/// How many bytes from the start of a device [`probe`] wants to see; btrfs keeps its superblock at 64 KiB.
/// A shorter device is fine.
pub const PROBE_LEN: usize = 68 * 1024;

/// What a device holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it all
pub enum Kind {
    Ext2,
    Ext3,
    Ext4,
    Xfs,
    Btrfs,
    Vfat,
    Exfat,
    F2fs,
    Ntfs,
    Squashfs,
    Erofs,
    Iso9660,
    Swap,
    Luks1,
    Luks2,
    Lvm2,
    ZfsMember,
    RaidMember,
    /// Something else that takes the whole device and is mounted by nothing here: blkid's name.
    Other(&'static str),
}

impl Kind {
    /// The TYPE that blkid prints: for file systems the kernel's name for mount(2).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ext2 => "ext2",
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Vfat => "vfat",
            Self::Exfat => "exfat",
            Self::F2fs => "f2fs",
            Self::Ntfs => "ntfs",
            Self::Squashfs => "squashfs",
            Self::Erofs => "erofs",
            Self::Iso9660 => "iso9660",
            Self::Swap => "swap",
            Self::Luks1 | Self::Luks2 => "crypto_LUKS",
            Self::Lvm2 => "LVM2_member",
            Self::ZfsMember => "zfs_member",
            Self::RaidMember => "linux_raid_member",
            Self::Other(name) => name,
        }
    }

    /// The kernel's modules that mounting it needs, as far as their names are not the file system's. The kernel asks modprobe for
    /// FAT's tables of file names, and an initramfs may have none.
    pub fn modules(self) -> &'static [&'static str] {
        match self {
            Self::Vfat => &["vfat", "nls_cp437", "nls_ascii", "nls_iso8859_1"],
            Self::Iso9660 => &["isofs"],
            // One driver for all three, in every kernel since 4.0.
            Self::Ext2 | Self::Ext3 | Self::Ext4 => &["ext4"],
            Self::Xfs => &["xfs"],
            Self::Btrfs => &["btrfs"],
            Self::Exfat => &["exfat"],
            Self::F2fs => &["f2fs"],
            Self::Squashfs => &["squashfs"],
            Self::Erofs => &["erofs"],
            _ => &[],
        }
    }

    /// Whether it can be mounted as it is: not swap, not encrypted, not a member of something larger.
    pub fn is_file_system(self) -> bool {
        !matches!(
            self,
            Self::Swap
                | Self::Luks1
                | Self::Luks2
                | Self::Lvm2
                | Self::ZfsMember
                | Self::RaidMember
                | Self::Other(_)
        )
    }
}

/// What [`probe`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superblock {
    /// What it is.
    pub kind: Kind,
    /// The volume's name; `None` if it is empty or out of reach (NTFS and most exFAT volumes keep it far inside).
    pub label: Option<String>,
    /// The UUID in blkid's spelling: `1b4e28ba-…` in lower case, `ABCD-1234` for FAT, `2024-01-31-12-00-00-00` for ISO 9660.
    pub uuid: Option<String>,
}

/// Recognizes what a device holds by its first [`PROBE_LEN`] bytes (fewer on a shorter device).
///
/// Containers are asked before file systems, so that a member of a RAID or an encrypted volume is never taken for the
/// file system whose remains it may hold. What sits at a device's end (md metadata 0.90 and 1.0, the RAIDs of firmware) is
/// for [`member_of`] to see.
pub fn probe(device: &[u8]) -> Option<Superblock> {
    [
        container::luks,
        container::lvm2,
        container::raid,
        container::zfs,
        container::other,
        linux::xfs,
        linux::ext,
        linux::btrfs,
        linux::f2fs,
        image::squashfs,
        image::erofs,
        fat::exfat,
        fat::ntfs,
        iso::iso9660,
        linux::swap,
        fat::vfat,
    ]
    .iter()
    .find_map(|probe| probe(device))
}

#[cfg(test)]
mod tests;
