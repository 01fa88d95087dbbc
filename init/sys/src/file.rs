//! Types for files, directories and files in memory.

use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use crate::{Result, TreePath, own};

/// The type of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file of this many bytes.
    File(u64),
    /// A directory.
    Dir,
    /// A symlink.
    Symlink,
    /// A block device.
    Block,
    /// A character device, socket or pipe.
    Other,
}

/// The owner and mode of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// The twelve bits of chmod(2).
    pub mode: u32,
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file name. Names that are not UTF-8 are not listed.
    pub name: String,
    /// True for a directory (not for a symlink to one).
    pub is_dir: bool,
}

/// What a tree copy copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// The number of files, directories, links and device nodes.
    pub entries: u64,
    /// Bytes of file contents.
    pub bytes: u64,
}

/// Where the bytes of an image are stored.
#[derive(Debug, Clone)]
pub enum Backing {
    /// An open file in memory. The loop device keeps it open after the switch to the new root.
    Memory(Arc<OwnedFd>),
    /// A file or a block device.
    Path(TreePath),
    /// A part of a file or device: a partition in the image of a disk.
    Part {
        /// The whole image.
        of: Box<Backing>,
        /// Where it starts, in bytes.
        offset: u64,
        /// How many bytes it has.
        len: u64,
    },
}

impl Backing {
    /// The path with which this process can open it; for a part, that of the whole. Reading this path is faster than
    /// reading through a loop device.
    pub fn path(&self) -> TreePath {
        match self {
            // proc(5): the link refers to the open file itself, even if it has no name.
            Self::Memory(fd) => own(format!("/proc/self/fd/{}", fd.as_raw_fd())),
            Self::Path(path) => path.clone(),
            Self::Part { of, .. } => of.path(),
        }
    }

    /// The offset in the file at [`Backing::path`].
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
