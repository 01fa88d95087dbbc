//! Copies the contents of a directory, or one file, with all metadata.

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, RawDir, Stat, Timespec, Timestamps, Uid, chmodat, chownat,
    copy_file_range, fchmod, fchown, linkat, mkdirat, mknodat, openat, readlinkat, sendfile, statat,
    symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::Tried;
use super::files::open_folder;
use super::removal::Identity;
use super::walk::{self, Last, Missing};
use super::xattrs::copy_xattrs;
use crate::{Copied, Result, TreePath};

/// The number of bytes requested per call; the kernel may copy less.
const CHUNK: usize = 16 << 20;

/// The longest path in an image, in bytes. Real trees have less than a hundredth of it.
const DEEPEST: usize = 1 << 20;

/// Files up to this size are copied through memory.
const SMALL: usize = 64 << 10;

/// The directory that is being copied.
struct Frame {
    from: OwnedFd,
    to: OwnedFd,
    names: Vec<CString>,
    /// The metadata that the directory gets after its contents. Not before, because files created in a set-group-ID
    /// directory inherit its group, and a default ACL is inherited as well.
    stat: Stat,
}

/// A parent of the current directory. It is not kept open, because a tree can be deeper than the limit of open
/// descriptors.
struct Above {
    from: Identity,
    to: Identity,
    names: Vec<CString>,
    stat: Stat,
}

impl Above {
    fn of(frame: Frame) -> std::result::Result<Self, Errno> {
        let (from, to) = (Identity::of(&frame.from)?, Identity::of(&frame.to)?);
        Ok(Self { from, to, names: frame.names, stat: frame.stat })
    }

    fn reopen(self, below: &Frame) -> std::result::Result<Frame, Errno> {
        let (from, to) = (self.from.above(&below.from)?, self.to.above(&below.to)?);
        Ok(Frame { from, to, names: self.names, stat: self.stat })
    }
}

struct Copier {
    from: PathBuf,
    /// The path of the current directory, relative to source and target: for messages and hard links.
    path: PathBuf,
    top: OwnedFd,
    /// The first name of each file with several hard links, by device and inode.
    linked: HashMap<(u64, u64), PathBuf>,
    buffer: Vec<u8>,
    /// False after the source's file system reported that it does not support xattrs.
    has_xattrs: bool,
    copied: Copied,
}

/// Copies one regular file to a path that does not exist.
pub(super) fn copy_file(from: &TreePath, to: &TreePath) -> Result<()> {
    let source = walk::find(from, Last::Stays, Missing::Fails)?;
    let target = walk::find(to, Last::Stays, Missing::Fails)?;
    let stat = statat(source.folder(), source.name(), AtFlags::SYMLINK_NOFOLLOW).tried("inspect", from)?;
    let top = rustix::io::fcntl_dupfd_cloexec(target.folder(), 3).tried("open the directory of", to)?;
    let mut copier = Copier::new(&from.outside(), top);
    copier.file((source.folder(), source.name()), (target.folder(), target.name()), &stat).tried("copy", from)
}

pub(super) fn copy(from: &TreePath, to: &TreePath, skip: &[PathBuf]) -> Result<Copied> {
    let source = open_folder(from)?;
    let target = open_folder(to)?;
    let from = &from.outside();
    let to = &to.outside();
    let top = rustix::io::fcntl_dupfd_cloexec(&target, 3).tried("open the directory", to.display())?;
    let mut copier = Copier::new(from, top);
    let names = names(source.as_fd()).tried("list", from.display())?;
    let stat = rustix::fs::fstat(&source).tried("inspect", from.display())?;
    make_plain(&target).tried("prepare the directory", to.display())?;
    let mut here = Frame { from: source, to: target, names, stat };
    // Uses a stack instead of recursion, because a tree can be deeper than the stack of a thread.
    let mut above: Vec<Above> = Vec::new();
    loop {
        if let Some(name) = here.names.pop() {
            if let Some(below) = copier.entry(&here, &name, skip)? {
                copier.path.push(OsStr::from_bytes(name.to_bytes()));
                let shown = from.join(&copier.path);
                if shown.as_os_str().len() > DEEPEST {
                    return Err(Errno::NAMETOOLONG).tried("copy a tree as deep as", from.display());
                }
                above.push(Above::of(std::mem::replace(&mut here, below)).tried("inspect", shown.display())?);
            }
            continue;
        }
        let shown = from.join(&copier.path);
        finish(here.from.as_fd(), here.to.as_fd(), c".", FileType::Directory, &here.stat)
            .tried("copy the attributes of", shown.display())?;
        // Set the times last, because each new entry changes those of the directory.
        rustix::fs::futimens(&here.to, &times(&here.stat)).tried("set the times of", shown.display())?;
        let Some(parent) = above.pop() else { break };
        here = parent.reopen(&here).tried("go back from", shown.display())?;
        copier.path.pop();
    }
    Ok(copier.copied)
}

impl Copier {
    fn new(from: &Path, top: OwnedFd) -> Self {
        Self {
            from: from.into(),
            path: PathBuf::new(),
            top,
            linked: HashMap::new(),
            buffer: vec![0; SMALL],
            has_xattrs: true,
            copied: Copied::default(),
        }
    }

    /// Copies one entry. A directory is returned, so that its contents are copied next.
    fn entry(&mut self, frame: &Frame, name: &CStr, skip: &[PathBuf]) -> Result<Option<Frame>> {
        let path = self.path.join(OsStr::from_bytes(name.to_bytes()));
        let shown = self.from.join(&path);
        let shown = shown.display();
        let stat = statat(&frame.from, name, AtFlags::SYMLINK_NOFOLLOW).tried("inspect", &shown)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Socket {
            // A socket belongs to a process and is not part of the tree.
            return Ok(None);
        }
        if kind != FileType::Directory && stat.st_nlink > 1 && self.link(frame, name, &stat, &path)? {
            self.copied.entries += 1;
            return Ok(None);
        }
        let (from, to) = (frame.from.as_fd(), frame.to.as_fd());
        let mut create = || match kind {
            FileType::RegularFile => self.file((from, name), (to, name), &stat),
            _ => make(from, to, name, kind, &stat),
        };
        let made = match create() {
            // Replace the existing file, unless both are directories.
            Err(Errno::EXIST) if kind != FileType::Directory => {
                unlinkat(to, name, AtFlags::empty()).and_then(|()| create())
            }
            made => made,
        };
        made.tried("copy", &shown)?;
        self.copied.entries += 1;
        if kind == FileType::RegularFile {
            return Ok(None);
        }
        if kind != FileType::Directory {
            finish(from, to, name, kind, &stat).tried("copy the attributes of", &shown)?;
            utimensat(to, name, &times(&stat), AtFlags::SYMLINK_NOFOLLOW)
                .tried("set the times of", &shown)?;
            return Ok(None);
        }
        let below = open_dir(from, name, OFlags::NOFOLLOW).tried("open the directory", &shown)?;
        let copy = open_dir(to, name, OFlags::NOFOLLOW).tried("open the copy of the directory", &shown)?;
        // A mount point is copied as an empty directory.
        let names = if skip.contains(&path) || begins_mount(from, below.as_fd()) {
            Vec::new()
        } else {
            names(below.as_fd()).tried("list", &shown)?
        };
        make_plain(&copy).tried("prepare the copy of", &shown)?;
        Ok(Some(Frame { from: below, to: copy, names, stat }))
    }

    /// Makes a hard link to the first copy of the same file, if there is one. Otherwise remembers this one.
    fn link(&mut self, frame: &Frame, name: &CStr, stat: &Stat, path: &Path) -> Result<bool> {
        let key = (stat.st_dev, stat.st_ino);
        let Some(first) = self.linked.get(&key) else {
            self.linked.insert(key, path.to_path_buf());
            return Ok(false);
        };
        let link = || linkat(&self.top, first, &frame.to, name, AtFlags::empty());
        match link() {
            Err(Errno::EXIST) => unlinkat(&frame.to, name, AtFlags::empty()).and_then(|()| link()),
            // The path is too long for a hard link: copy it as a separate file.
            Err(Errno::NAMETOOLONG) => return Ok(false),
            made => made,
        }
        .tried("link", format!("{} to {}", path.display(), first.display()))?;
        Ok(true)
    }

    /// Copies a file with its attributes, using only descriptors. An OS image has thousands of small files, and an
    /// additional path lookup takes as long as reading one.
    fn file(
        &mut self,
        (from, name): (BorrowedFd<'_>, &CStr),
        (to, new): (BorrowedFd<'_>, &CStr),
        stat: &Stat,
    ) -> std::result::Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let source = openat(from, name, flags, Mode::empty())?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        let roots = (stat.st_uid, stat.st_gid) == (0, 0);
        // Keep the file private until owner and mode are set. A file of root with a normal mode is right from the
        // start.
        let plain = roots && !mode.intersects(Mode::SUID | Mode::SGID | Mode::SVTX | Mode::WGRP | Mode::WOTH);
        let target = openat(to, new, flags, if plain { mode } else { Mode::RUSR | Mode::WUSR })?;
        self.copied.bytes += if stat.st_size <= self.buffer.len() as i64 {
            copy_through(&source, &target, &mut self.buffer)?
        } else {
            copy_large(&source, &target, &mut self.buffer)?
        };
        // Owner before mode before xattrs, as in `finish`; times last.
        if !roots {
            fchown(&target, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
        }
        if !plain {
            fchmod(&target, mode)?;
        }
        if self.has_xattrs {
            self.has_xattrs = copy_xattrs(&source, &target)?;
        }
        rustix::fs::futimens(&target, &times(stat))
    }
}

fn make(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &CStr,
    kind: FileType,
    stat: &Stat,
) -> std::result::Result<(), Errno> {
    // Keep the file private until owner and mode are set.
    let private = Mode::RUSR | Mode::WUSR;
    match kind {
        FileType::Directory => match mkdirat(to, name, private | Mode::XUSR) {
            Err(Errno::EXIST) => Ok(()),
            made => made,
        },
        FileType::Symlink => symlinkat(&*readlinkat(from, name, Vec::new())?, to, name),
        _ => mknodat(to, name, kind, private, stat.st_rdev),
    }
}

/// Makes an existing directory like a new one: private, and without attributes that new files inherit (inode(7),
/// S_ISGID; ext4(5), grpid; acl(5), default ACLs).
fn make_plain(dir: &OwnedFd) -> std::result::Result<(), Errno> {
    let stat = rustix::fs::fstat(dir)?;
    let private = Mode::RWXU;
    if (stat.st_uid, stat.st_gid) == (0, 0) && Mode::from_raw_mode(stat.st_mode) == private {
        return Ok(());
    }
    fchown(dir, Some(Uid::ROOT), Some(Gid::ROOT))?;
    fchmod(dir, private)?;
    match rustix::fs::fremovexattr(dir, c"system.posix_acl_default") {
        Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Copies through memory. For a file that fits into the buffer this needs two calls, and no extra call to find the end.
fn copy_through(from: &OwnedFd, to: &OwnedFd, buffer: &mut [u8]) -> std::result::Result<u64, Errno> {
    let mut total = 0;
    loop {
        let count = rustix::io::retry_on_intr(|| rustix::io::read(from, &mut *buffer))?;
        let mut rest = buffer.get(..count).unwrap_or_default();
        while !rest.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::write(to, rest))?;
            rest = rest.get(written..).unwrap_or_default();
        }
        total += count as u64;
        // A short read means the end of a regular file (read(2)).
        if count < buffer.len() {
            return Ok(total);
        }
    }
}

/// Copies with the fastest method that both file systems support. If a method stops early, the next one continues.
fn copy_large(from: &OwnedFd, to: &OwnedFd, buffer: &mut [u8]) -> std::result::Result<u64, Errno> {
    type Way = fn(&OwnedFd, &OwnedFd) -> std::result::Result<usize, Errno>;
    let ways: [Way; 2] = [
        // Shares blocks if possible.
        |from, to| copy_file_range(from, None, to, None, CHUNK),
        // Copies inside the kernel.
        |from, to| sendfile(to, from, None, CHUNK),
    ];
    let mut total = 0;
    for way in ways {
        loop {
            match way(from, to) {
                Ok(count) if count > 0 => total += count as u64,
                Err(Errno::INTR) => {}
                // This is the end of the file, or a method that does not work here without an error. The last method
                // decides.
                Ok(_)
                | Err(
                    Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::BADF | Errno::PERM,
                ) => break,
                Err(errno) => return Err(errno),
            }
        }
    }
    Ok(total + copy_through(from, to, buffer)?)
}

/// Sets the owner first, then the mode (a change of owner clears set-user-ID), then xattrs (both clear capabilities).
fn finish(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &CStr,
    kind: FileType,
    stat: &Stat,
) -> std::result::Result<(), Errno> {
    let (owner, group) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    chownat(to, name, Some(owner), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
    if kind != FileType::Symlink {
        chmodat(to, name, Mode::from_raw_mode(stat.st_mode & 0o7777), AtFlags::empty())?;
    }
    copy_xattrs(through_proc(from, name).as_slice(), through_proc(to, name).as_slice()).map(drop)
}

/// A path to an entry of an open directory. The xattr calls for symlinks and devices need paths.
fn through_proc(dir: BorrowedFd<'_>, name: &CStr) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.to_bytes());
    path
}

fn times(stat: &Stat) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: stat.st_atime as _, tv_nsec: stat.st_atime_nsec as _ },
        last_modification: Timespec { tv_sec: stat.st_mtime as _, tv_nsec: stat.st_mtime_nsec as _ },
    }
}

/// Whether a directory is on another mount than its parent.
pub(super) fn begins_mount(above: BorrowedFd<'_>, below: BorrowedFd<'_>) -> bool {
    use rustix::fs::{StatxFlags, statx};
    let look = |fd| statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS | StatxFlags::MNT_ID);
    match (look(above), look(below)) {
        (Ok(above), Ok(below)) if above.stx_mask & below.stx_mask & StatxFlags::MNT_ID.bits() != 0 => {
            above.stx_mnt_id != below.stx_mnt_id
        }
        // Before Linux 5.8.
        (Ok(above), Ok(below)) => {
            (above.stx_dev_major, above.stx_dev_minor) != (below.stx_dev_major, below.stx_dev_minor)
        }
        _ => false,
    }
}

fn open_dir<P: rustix::path::Arg>(
    dir: impl AsFd,
    name: P,
    more: OFlags,
) -> std::result::Result<OwnedFd, Errno> {
    openat(dir, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | more, Mode::empty())
}

/// The entries of a directory, without `.` and `..`.
pub(super) fn names(dir: BorrowedFd<'_>) -> std::result::Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    // Use a buffer on the stack: most directories are small, and a larger one takes another call.
    let mut buffer = [MaybeUninit::uninit(); 4 << 10];
    let mut entries = RawDir::new(dir, &mut buffer);
    while let Some(entry) = entries.next() {
        let name = entry?.file_name().to_owned();
        if name.as_c_str() != c"." && name.as_c_str() != c".." {
            names.push(name);
        }
    }
    Ok(names)
}
