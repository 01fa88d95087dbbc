//! The contents of a block device, from its first bytes: the type of file system or container, its label and its UUID,
//! as `blkid` prints them.
//!
//! Sources: the kernel's on-disk format documents and headers, the LUKS and LVM2 format specifications, ECMA-119 for
//! ISO 9660, Microsoft's FAT and exFAT specifications. `tests/tests/superblock_oracle.rs` compares the results with
//! blkid.

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

/// The number of bytes from the start of a device that [`probe`] needs: btrfs has its superblock at 64 KiB. A shorter
/// device is valid.
pub const PROBE_LEN: usize = 68 * 1024;

/// The contents of a device.
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
    /// Another format that uses the whole device and cannot be mounted here, with blkid's name.
    Other(&'static str),
}

impl Kind {
    /// The TYPE that blkid prints. For file systems, this is the kernel's name for mount(2).
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

    /// The kernel modules that a mount needs. For FAT, the kernel also requests the modules for file name encodings
    /// from modprobe, which an initramfs may not have.
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

    /// Whether it can be mounted directly: not swap, not encrypted, not a member of another device.
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

/// The result of [`probe`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superblock {
    /// What it is.
    pub kind: Kind,
    /// The volume's name. `None` if it is empty or outside the probed bytes (NTFS and most exFAT volumes store it
    /// further in).
    pub label: Option<String>,
    /// The UUID in blkid's format: `1b4e28ba-…` in lower case, `ABCD-1234` for FAT, `2024-01-31-12-00-00-00` for ISO
    /// 9660.
    pub uuid: Option<String>,
}

/// Recognizes the contents of a device from its first [`PROBE_LEN`] bytes (fewer on a shorter device).
///
/// Containers are checked before file systems, so that a member of a RAID or an encrypted volume is never mistaken for
/// an old file system whose remains it may contain. [`member_of`] finds metadata at a device's end (md metadata 0.90
/// and 1.0, firmware RAIDs).
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
