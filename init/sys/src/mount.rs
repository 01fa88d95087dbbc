//! Mounts as values, see mount_setattr(2), fsopen(2), move_mount(2).

use crate::TreePath;

/// Per-mount flags.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MountFlags {
    /// `MOUNT_ATTR_RDONLY`.
    pub read_only: bool,
    /// `MOUNT_ATTR_NODEV`.
    pub nodev: bool,
    /// `MOUNT_ATTR_NOSUID`.
    pub nosuid: bool,
    /// `MOUNT_ATTR_NOEXEC`.
    pub noexec: bool,
    /// `MOUNT_ATTR_NOATIME`.
    pub noatime: bool,
}

/// One change of the mount table. Targets exist already, and are found as every path of their tree: a symlink leads where the
/// OS will find it, or is refused. What is new shares no mount events with anything (`MS_PRIVATE`),
/// until [`Mount::Shared`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mount {
    /// A new file system.
    New {
        /// The kernel's name of the file system.
        fstype: String,
        /// Device, or a name for pseudo file systems.
        source: String,
        /// Where it goes.
        target: TreePath,
        /// Options of the file system: `key` or `key=value`.
        options: Vec<(String, Option<String>)>,
        /// Per-mount flags; `read_only` also makes the superblock read-only.
        flags: MountFlags,
    },
    /// An overlay. Paths stay under 255 bytes: the kernel refuses longer ones without a word (fs/fsopen.c).
    Overlay {
        /// Read-only layers, the topmost first.
        lower: Vec<TreePath>,
        /// Where changes go; without it the overlay cannot be written to, and needs two layers.
        writable: Option<Writable>,
        /// Where it goes.
        target: TreePath,
    },
    /// The same tree at a second place.
    Bind {
        /// What is shown.
        source: TreePath,
        /// Where.
        target: TreePath,
        /// With the mounts below it.
        recursive: bool,
        /// Flags of the new mount only.
        flags: MountFlags,
    },
    /// A mount, moved with all that is below it.
    Move {
        /// From.
        source: TreePath,
        /// To.
        target: TreePath,
    },
    /// Shares mount events with copies of the namespace, recursively (`MS_SHARED|MS_REC`).
    Shared {
        /// The mount.
        target: TreePath,
    },
    /// Nothing is written any more through a mount and those below it, nor by its file system. Refused (`EBUSY`) where a
    /// file is open for writing.
    ReadOnly {
        /// The mount.
        target: TreePath,
    },
    /// Takes a mount away (`MNT_DETACH` where it is busy and `lazy`).
    Unmount {
        /// The mount.
        target: TreePath,
        /// Also when busy.
        lazy: bool,
    },
}

/// What an overlay needs to be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writable {
    /// Where changes go; must be on one file system with `work`, and not on an overlay.
    pub upper: TreePath,
    /// The overlay's own work folder, empty.
    pub work: TreePath,
}
