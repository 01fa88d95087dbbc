//! Mounts as values, see mount_setattr(2), fsopen(2), move_mount(2).

use std::path::PathBuf;

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

/// One change of the mount table. Targets exist already. What is new shares no mount events with anything (`MS_PRIVATE`),
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
        target: PathBuf,
        /// Options of the file system: `key` or `key=value`.
        options: Vec<(String, Option<String>)>,
        /// Per-mount flags; `read_only` also makes the superblock read-only.
        flags: MountFlags,
    },
    /// An overlay. Paths stay under 255 bytes: the kernel refuses longer ones without a word (fs/fsopen.c).
    Overlay {
        /// Read-only layers, the topmost first.
        lower: Vec<PathBuf>,
        /// Where changes go; must be on one file system with `work`, and not on an overlay.
        upper: PathBuf,
        /// The overlay's own work folder, empty.
        work: PathBuf,
        /// Where it goes.
        target: PathBuf,
    },
    /// The same tree at a second place.
    Bind {
        /// What is shown.
        source: PathBuf,
        /// Where.
        target: PathBuf,
        /// With the mounts below it.
        recursive: bool,
        /// Flags of the new mount only.
        flags: MountFlags,
    },
    /// A mount, moved with all that is below it.
    Move {
        /// From.
        source: PathBuf,
        /// To.
        target: PathBuf,
    },
    /// Shares mount events with copies of the namespace, recursively (`MS_SHARED|MS_REC`).
    Shared {
        /// The mount.
        target: PathBuf,
    },
    /// Nothing is written any more through a mount and those below it, nor by its file system. Refused (`EBUSY`) where a
    /// file is open for writing.
    ReadOnly {
        /// The mount.
        target: PathBuf,
    },
    /// Takes a mount away (`MNT_DETACH` where it is busy and `lazy`).
    Unmount {
        /// The mount.
        target: PathBuf,
        /// Also when busy.
        lazy: bool,
    },
}

impl Mount {
    /// Where the change happens.
    pub fn target(&self) -> &std::path::Path {
        match self {
            Mount::New { target, .. }
            | Mount::Overlay { target, .. }
            | Mount::Bind { target, .. }
            | Mount::Move { target, .. }
            | Mount::Shared { target }
            | Mount::ReadOnly { target }
            | Mount::Unmount { target, .. } => target,
        }
    }
}
