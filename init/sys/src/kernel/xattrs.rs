//! Extended attributes, xattr(7): security contexts, capabilities, POSIX ACLs.

use std::os::fd::OwnedFd;

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr, lgetxattr, llistxattr, lsetxattr};
use rustix::io::Errno;

/// The longest list of names and the longest value that the kernel allows (linux/limits.h).
const LIMIT: usize = 64 << 10;

type Tried<T> = std::result::Result<T, Errno>;

/// A file with extended attributes: an open file, or a path (symlinks and devices cannot be opened for this).
pub(super) trait Attributes {
    fn list(&self, names: &mut [u8]) -> Tried<usize>;
    fn get(&self, name: &[u8], value: &mut [u8]) -> Tried<usize>;
    fn set(&self, name: &[u8], value: &[u8]) -> Tried<()>;
}

impl Attributes for OwnedFd {
    fn list(&self, names: &mut [u8]) -> Tried<usize> {
        flistxattr(self, names)
    }

    fn get(&self, name: &[u8], value: &mut [u8]) -> Tried<usize> {
        fgetxattr(self, name, value)
    }

    fn set(&self, name: &[u8], value: &[u8]) -> Tried<()> {
        fsetxattr(self, name, value, XattrFlags::empty())
    }
}

impl Attributes for [u8] {
    fn list(&self, names: &mut [u8]) -> Tried<usize> {
        llistxattr(self, names)
    }

    fn get(&self, name: &[u8], value: &mut [u8]) -> Tried<usize> {
        lgetxattr(self, name, value)
    }

    fn set(&self, name: &[u8], value: &[u8]) -> Tried<()> {
        lsetxattr(self, name, value, XattrFlags::empty())
    }
}

/// Copies all attributes. Returns false if the source's file system does not support them.
pub(super) fn copy_xattrs<A: Attributes + ?Sized>(from: &A, to: &A) -> Tried<bool> {
    let mut list = vec![0; 256];
    let length = match grown(&mut list, |list| from.list(list)) {
        Ok(0) => return Ok(true),
        Err(Errno::OPNOTSUPP) => return Ok(false),
        length => length?,
    };
    let mut value = vec![0; 256];
    for name in
        list.get(..length).unwrap_or_default().split(|byte| *byte == 0).filter(|name| !name.is_empty())
    {
        // overlayfs stores private data about its layers, which must not be copied.
        if name.starts_with(b"trusted.overlay.") {
            continue;
        }
        let length = match grown(&mut value, |value| from.get(name, value)) {
            // It was removed, or is listed but not readable.
            Err(Errno::NODATA | Errno::OPNOTSUPP) => continue,
            length => length?,
        };
        match to.set(name, value.get(..length).unwrap_or_default()) {
            // tmpfs supports user.* only since Linux 6.6. The system does not depend on these attributes.
            Err(Errno::OPNOTSUPP) if name.starts_with(b"user.") => {}
            set => set?,
        }
    }
    Ok(true)
}

/// Repeats a call with a larger buffer while the kernel returns `ERANGE`.
fn grown(buffer: &mut Vec<u8>, mut call: impl FnMut(&mut [u8]) -> Tried<usize>) -> Tried<usize> {
    loop {
        match call(buffer) {
            Err(Errno::RANGE) if buffer.len() < LIMIT => buffer.resize(LIMIT, 0),
            done => return done,
        }
    }
}
