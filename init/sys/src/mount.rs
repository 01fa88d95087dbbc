//! Types for mount operations, see mount_setattr(2), fsopen(2), move_mount(2).

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

/// One change of the mount table. Targets must exist. They are found by the rule of their tree: a symlink is followed
/// as the OS will follow it, or it is refused. New mounts are private (`MS_PRIVATE`), until [`Mount::Shared`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mount {
    /// A new file system.
    New {
        /// The kernel's name of the file system.
        fstype: String,
        /// Device, or a name for pseudo file systems.
        source: String,
        /// The mount point.
        target: TreePath,
        /// Options of the file system: `key` or `key=value`.
        options: Vec<(String, Option<String>)>,
        /// Per-mount flags; `read_only` also makes the superblock read-only.
        flags: MountFlags,
    },
    /// An overlay. Paths must be shorter than 255 bytes: the kernel refuses longer ones without a message
    /// (fs/fsopen.c).
    Overlay {
        /// Read-only layers, the topmost first.
        lower: Vec<TreePath>,
        /// The directories for changes. Without them the overlay is read-only and needs two layers.
        writable: Option<Writable>,
        /// The mount point.
        target: TreePath,
    },
    /// A bind mount: the same tree at a second mount point.
    Bind {
        /// The tree to show.
        source: TreePath,
        /// The mount point.
        target: TreePath,
        /// Include the mounts below it.
        recursive: bool,
        /// Flags of the new mount only.
        flags: MountFlags,
    },
    /// Moves a mount with all mounts below it.
    Move {
        /// The old mount point.
        source: TreePath,
        /// The new mount point.
        target: TreePath,
    },
    /// Shares mount events with copies of the namespace, recursively (`MS_SHARED|MS_REC`).
    Shared {
        /// The mount.
        target: TreePath,
    },
    /// Makes a mount, those below it, and its file system read-only. Refused (`EBUSY`) if a file is open for writing.
    ReadOnly {
        /// The mount.
        target: TreePath,
    },
    /// Unmounts a mount (with `MNT_DETACH` if it is busy and `lazy`).
    Unmount {
        /// The mount.
        target: TreePath,
        /// Detach it if it is busy.
        lazy: bool,
    },
}

/// The directories of a writable overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writable {
    /// The directory for changes. It must be on the same file system as `work`, and not on an overlay.
    pub upper: TreePath,
    /// The work directory of the overlay; empty.
    pub work: TreePath,
}
