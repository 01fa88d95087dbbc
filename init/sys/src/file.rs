//! Files, folders and memory files.

use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use crate::{Result, TreePath, own};

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file of this many bytes.
    File(u64),
    /// A folder.
    Dir,
    /// A symlink.
    Symlink,
    /// A block device.
    Block,
    /// A character device, socket or pipe.
    Other,
}

/// Who may do what with a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// The twelve bits of chmod(2).
    pub mode: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, without the folder. Names that are not UTF-8 are left out of a listing.
    pub name: String,
    /// True for a folder (not for a symlink to one).
    pub is_dir: bool,
}

/// What a tree copy moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files, folders, links and nodes.
    pub entries: u64,
    /// Bytes of file contents.
    pub bytes: u64,
}

/// Where the bytes of an image are.
#[derive(Debug, Clone)]
pub enum Backing {
    /// An open memory file; the loop device keeps it alive after the switch.
    Memory(Arc<OwnedFd>),
    /// A file or a block device.
    Path(TreePath),
    /// A part of one of those: a partition of a disk's image.
    Part {
        /// The whole.
        of: Box<Backing>,
        /// Where it starts, in bytes.
        offset: u64,
        /// How many bytes it has.
        len: u64,
    },
}

impl Backing {
    /// Where this process can open it, a part as the whole. Reading it there costs less than through a loop device.
    pub fn path(&self) -> TreePath {
        match self {
            // proc(5): the link leads to the open file itself, name or not.
            Self::Memory(fd) => own(format!("/proc/self/fd/{}", fd.as_raw_fd())),
            Self::Path(path) => path.clone(),
            Self::Part { of, .. } => of.path(),
        }
    }

    /// Where it starts in what [`Backing::path`] leads to.
    pub fn offset(&self) -> u64 {
        match self {
            Self::Memory(_) | Self::Path(_) => 0,
            Self::Part { of, offset, .. } => of.offset().saturating_add(*offset),
        }
    }
}

/// An image file in memory while it is being filled.
pub trait RamFile: Write + Send {
    /// The bytes so far, as a backing for a loop device.
    fn backing(&self) -> Result<Backing>;
}
