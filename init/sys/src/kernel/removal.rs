//! Removal of whole trees, never across a mount point.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use super::Tried;
use super::trees::{begins_mount, names};
use super::walk::{self, Last, Missing};
use crate::{Result, TreePath};

/// Removes a tree. A symlink is removed, but not its target.
pub(super) fn remove_tree(path: &TreePath) -> Result<()> {
    let spot = match walk::find(path, Last::Stays, Missing::Fails) {
        Err(error) if matches!(error.errno(), Some(libc::ENOENT | libc::ENOTDIR)) => return Ok(()),
        found => found?,
    };
    let (dir, name) = (spot.folder(), spot.name());
    let refused = match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        Err(errno) => errno,
    };
    let folder = match open_dir(dir, name) {
        // Not a directory, so it is a file that the kernel refuses to delete.
        Err(Errno::NOTDIR | Errno::LOOP) => return Err(refused).tried("remove", path),
        opened => opened.tried("open the directory", path)?,
    };
    let emptied = empty(&folder);
    match unlinkat(dir, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => match emptied {
            Err((name, errno)) => Err(errno).tried("remove", path.join(OsStr::from_bytes(name.to_bytes()))),
            Ok(()) => Err(errno).tried("remove", path),
        },
    }
}

/// Deletes the contents of a directory, as far as possible. The error is the first entry that stayed, with the reason.
/// Other mounts are neither entered nor removed. The directory itself may be covered by a mount, as the initramfs is
/// after the switch: then `..` would lead from below it to the covering mount. So the walk uses the open descriptor to
/// return to it.
pub(super) fn empty(top: &OwnedFd) -> std::result::Result<(), (CString, Errno)> {
    let mut failure = None;
    let list = |dir: &OwnedFd| names(dir.as_fd()).unwrap_or_default();
    // Only one directory is open at a time, and the walk returns with `..`. So a tree may be deeper than the limit of
    // open descriptors and than the stack of a thread.
    let mut entries = list(top);
    let open = || fcntl_dupfd_cloexec(top, 3);
    let mut here = open().map_err(|errno| (CString::default(), errno))?;
    let mut above: Vec<(Identity, Vec<CString>, CString)> = Vec::new();
    loop {
        let Some(name) = entries.pop() else {
            let Some((identity, left, name)) = above.pop() else { break };
            let parent = if above.is_empty() { open() } else { identity.above(&here) };
            match parent {
                Ok(parent) => here = parent,
                Err(errno) => return Err(failure.unwrap_or((name, errno))),
            }
            entries = left;
            if let Err(errno) = unlinkat(&here, &*name, AtFlags::REMOVEDIR) {
                failure = failure.or(Some((name, errno)));
            }
            continue;
        };
        // For directories, Linux returns EISDIR; POSIX specifies EPERM.
        let errno = match unlinkat(&here, &*name, AtFlags::empty()) {
            Ok(()) => continue,
            Err(errno) => errno,
        };
        let child = match open_dir(&here, &*name) {
            Ok(child) if begins_mount(here.as_fd(), child.as_fd()) => {
                failure = failure.or(Some((name, Errno::BUSY)));
                continue;
            }
            Ok(child) => child,
            Err(_) => {
                failure = failure.or(Some((name, errno)));
                continue;
            }
        };
        match Identity::of(&here) {
            Ok(identity) => {
                above.push((identity, std::mem::replace(&mut entries, list(&child)), name));
                here = child;
            }
            Err(errno) => failure = failure.or(Some((name, errno))),
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Identifies a directory, to check that `..` leads back to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    pub(super) fn of(folder: &OwnedFd) -> rustix::io::Result<Self> {
        let stat = rustix::fs::fstat(folder)?;
        Ok(Self(stat.st_dev, stat.st_ino))
    }

    /// Opens this directory again, as the parent of `below`.
    pub(super) fn above(self, below: &OwnedFd) -> rustix::io::Result<OwnedFd> {
        let parent = open_dir(below, c"..")?;
        if Self::of(&parent)? == self { Ok(parent) } else { Err(Errno::STALE) }
    }
}

pub(super) fn open_dir<P: rustix::path::Arg>(dir: impl AsFd, name: P) -> rustix::io::Result<OwnedFd> {
    openat(dir, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::own;
    use std::fs;
    use std::path::Path;

    #[test]
    fn a_tree_goes_and_what_its_links_show_stays() {
        let dir = std::env::temp_dir().join(format!("dayfly-sys-remove-{}", std::process::id()));
        let mut deep = dir.clone();
        for level in 0..300 {
            deep.push(format!("{level}"));
        }
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("leaf"), "x").unwrap();
        fs::write(dir.join("file"), "x").unwrap();
        fs::create_dir(dir.join("empty")).unwrap();
        std::os::unix::fs::symlink("/etc", dir.join("link")).unwrap();
        remove_tree(&own(&dir)).unwrap();
        assert!(!dir.exists());
        assert!(Path::new("/etc/passwd").exists());
        remove_tree(&own(&dir)).unwrap();
        remove_tree(&own(dir.join("below/nothing"))).unwrap();
    }

    #[test]
    fn a_file_and_a_link_to_a_folder_go_alone() {
        let dir = std::env::temp_dir().join(format!("dayfly-sys-remove-one-{}", std::process::id()));
        fs::create_dir_all(dir.join("kept/inside")).unwrap();
        fs::write(dir.join("file"), "x").unwrap();
        std::os::unix::fs::symlink("kept", dir.join("link")).unwrap();
        remove_tree(&own(dir.join("file"))).unwrap();
        remove_tree(&own(dir.join("link"))).unwrap();
        let left: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["kept"]);
        assert!(dir.join("kept/inside").exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_cannot_go_is_named() {
        let error = remove_tree(&own("/proc/self")).unwrap_err();
        assert!(error.to_string().starts_with("remove /proc/self: "), "{error}");
    }
}
