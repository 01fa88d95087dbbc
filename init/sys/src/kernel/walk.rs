//! Walks to a path of a tree name by name, with an open directory at each step, so that nothing in the tree can lead
//! out of it.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, chmodat, fstat, mkdirat, openat, readlinkat};
use rustix::io::Errno;

use super::{Tried, labels};
use crate::{Cause, Links, Result, SysError, Tree, TreePath};

/// The same limit as in the kernel (path_resolution(7)).
const MOST_LINKS: usize = 40;
/// The most directories in a path; each is open during the walk. Real paths have less than a tenth of this.
const MOST_DEEP: usize = 200;
/// The boot's own directory in /run, which does not belong to the OS.
const BOOTS: &str = "dayfly";

/// How to handle a symlink at the end of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// The symlink itself is meant.
    Stays,
    /// Follow it like the others.
    Followed,
}

/// How to handle a missing directory in the path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Fail.
    Fails,
    /// Create it with mode 0755.
    Made,
    /// Use the rest of the path as it is written.
    Assumed,
}

/// The result of a walk: an open directory and a name in it.
pub(super) struct Spot {
    folder: Option<OwnedFd>,
    name: CString,
    /// The path without symlinks, relative to the tree.
    trail: PathBuf,
    tree: Tree,
    last: Last,
}

impl Spot {
    /// The directory, opened with `O_PATH`.
    pub(super) fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_ref().map_or(CWD, AsFd::as_fd)
    }

    /// The name in it; `.` for the tree itself.
    pub(super) fn name(&self) -> &CString {
        &self.name
    }

    /// Opens the file. A symlink is no longer followed, because it may have been created after the walk.
    pub(super) fn open(&self, flags: OFlags, mode: Mode) -> std::result::Result<OwnedFd, Errno> {
        // For a path of this process, the kernel follows the symlink.
        let follows = self.tree.links() == Links::OwnRoot && self.last == Last::Followed;
        let flags = if follows { flags } else { flags | OFlags::NOFOLLOW };
        openat(self.folder(), &self.name, flags | OFlags::CLOEXEC, mode)
    }

    /// Opens it with `O_PATH`, which does not read it and does not call a driver.
    pub(super) fn handle(&self) -> std::result::Result<OwnedFd, Errno> {
        self.open(OFlags::PATH, Mode::empty())
    }

    /// A path for calls that take no descriptor. It goes through /proc to the open directory.
    pub(super) fn path(&self) -> PathBuf {
        use std::os::fd::AsRawFd;
        let name = OsStr::from_bytes(self.name.to_bytes());
        match &self.folder {
            None => PathBuf::from(name),
            Some(_) if self.name.as_c_str() == c"." => PathBuf::from(self.tree.root()),
            Some(folder) => PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name),
        }
    }

    /// The path that was found, without symlinks.
    pub(super) fn found(self) -> TreePath {
        self.tree.at(self.trail)
    }
}

/// Walks to a path.
pub(super) fn find(path: &TreePath, last: Last, missing: Missing) -> Result<Spot> {
    if path.tree().links() == Links::OwnRoot {
        return find_own(path, last, missing);
    }
    Walk::new(path, path.tree())?.go(last, missing)
}

/// Resolves the symlinks in a path by the tree's rule. Missing parts are used as they are written.
pub(super) fn resolve(path: &TreePath) -> Result<TreePath> {
    let tree = path.tree();
    // A path of this process may contain symlinks of other programs, such as udev; they are followed if they belong to
    // root.
    let walked = if tree.links() == Links::OwnRoot { Tree::image(tree.root()) } else { tree };
    let spot = Walk::new(path, walked)?.go(Last::Followed, Missing::Assumed)?;
    Ok(tree.at(spot.found().inside()))
}

/// Finds a path of this process. The kernel does the walk.
fn find_own(path: &TreePath, last: Last, missing: Missing) -> Result<Spot> {
    let outside = path.outside();
    let parent = outside.parent().unwrap_or(Path::new("/"));
    if missing == Missing::Made {
        super::changes::make_own_dir(parent, 0o755)?;
    }
    let tree = path.tree();
    let c_string =
        |text: &OsStr| CString::new(text.as_bytes()).map_err(|_| Errno::INVAL).tried("use the path", path);
    let spot = |folder, name, trail| Spot { folder, name, trail, tree, last };
    match (last, outside.file_name()) {
        (Last::Stays, Some(name)) => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = openat(CWD, parent, flags, Mode::empty()).tried("open the directory of", path)?;
            Ok(spot(Some(folder), c_string(name)?, outside.clone()))
        }
        _ => Ok(spot(None, c_string(outside.as_os_str())?, outside.clone())),
    }
}

/// A walk in progress.
struct Walk<'a> {
    path: &'a TreePath,
    tree: Tree,
    /// The open directories below the tree's root.
    open: Vec<OwnedFd>,
    root: OwnedFd,
    /// Their names.
    trail: Vec<OsString>,
    /// The remaining names, in reverse order.
    rest: Vec<OsString>,
    links: usize,
}

impl<'a> Walk<'a> {
    fn new(path: &'a TreePath, tree: Tree) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, tree.root(), flags, Mode::empty()).tried("open", tree.root())?;
        Ok(Self {
            path,
            tree,
            open: Vec::new(),
            root,
            trail: Vec::new(),
            rest: parts(path.inside()),
            links: 0,
        })
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.open.last().unwrap_or(&self.root).as_fd()
    }

    fn go(mut self, last: Last, missing: Missing) -> Result<Spot> {
        while let Some(part) = self.rest.pop() {
            if part == ".." {
                self.open.pop();
                self.trail.pop();
                continue;
            }
            self.check_boots(&part)?;
            let is_last = self.rest.is_empty();
            if is_last && last == Last::Stays {
                return self.spot(&part, last);
            }
            match self.enter(&part) {
                Ok(folder) => {
                    self.open.push(folder);
                    self.trail.push(part);
                    if self.open.len() > MOST_DEEP {
                        return self.refuse(
                            libc::ENAMETOOLONG,
                            format!("it is more than {MOST_DEEP} directories deep"),
                        );
                    }
                }
                Err(Errno::NOENT) if is_last => return self.spot(&part, last),
                Err(Errno::NOENT) if missing == Missing::Made => {
                    self.make(&part)?;
                    self.rest.push(part);
                }
                Err(Errno::NOENT | Errno::NOTDIR)
                    if missing == Missing::Assumed && !self.is_link(&part)? =>
                {
                    return Ok(self.assume(&part, last));
                }
                Err(Errno::NOTDIR | Errno::LOOP) if self.is_link(&part)? => self.follow(&part)?,
                Err(Errno::NOTDIR) if is_last => return self.spot(&part, last),
                Err(errno) => return Err(errno).tried("enter", self.shown(&part)),
            }
        }
        // The path ends in a directory that is open already. Its name is in the parent.
        match (self.open.pop(), self.trail.pop()) {
            (Some(_), Some(name)) => self.spot(&name, last),
            _ => Ok(Spot {
                folder: Some(self.root),
                name: c".".to_owned(),
                trail: PathBuf::new(),
                tree: self.tree,
                last,
            }),
        }
    }

    /// True if this name is the tree's /run, for which this process's /run is used.
    fn is_run(&self, part: &OsStr) -> bool {
        self.tree.shares_run() && self.trail.is_empty() && part == "run"
    }

    fn check_boots(&self, part: &OsStr) -> Result<()> {
        if self.tree.shares_run()
            && self.trail.len() == 1
            && self.trail.first().is_some_and(|top| top == "run")
            && part == BOOTS
        {
            return self
                .refuse(libc::EPERM, "it leads into the boot's own directory, /run/dayfly".to_owned());
        }
        Ok(())
    }

    fn enter(&self, part: &OsStr) -> std::result::Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if self.is_run(part) {
            return openat(CWD, "/run", flags, Mode::empty());
        }
        openat(self.here(), part, flags, Mode::empty())
    }

    fn is_link(&self, part: &OsStr) -> Result<bool> {
        match rustix::fs::statat(self.here(), part, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Symlink),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno).tried("inspect", self.shown(part)),
        }
    }

    /// Continues at the target of a symlink.
    fn follow(&mut self, part: &OsStr) -> Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let link = openat(self.here(), part, flags, Mode::empty()).tried("follow", self.shown(part))?;
        let uid = fstat(&link).tried("follow", self.shown(part))?.st_uid;
        if self.tree.links() == Links::Refused {
            let words = format!(
                "{} is a symlink, and symlinks are not followed there, because they could lead anywhere",
                self.shown(part)
            );
            return self.refuse(libc::ELOOP, words);
        }
        if uid != 0 {
            let words = format!(
                "the symlink {} belongs to the user {uid}: only symlinks of root are followed",
                self.shown(part)
            );
            return self.refuse(libc::EPERM, words);
        }
        self.links += 1;
        if self.links > MOST_LINKS {
            return self.refuse(libc::ELOOP, format!("it contains more than {MOST_LINKS} symlinks"));
        }
        let target = readlinkat(&link, c"", Vec::new()).tried("read the symlink", self.shown(part))?;
        let target = Path::new(OsStr::from_bytes(target.to_bytes()));
        if target.is_absolute() {
            self.open.clear();
            self.trail.clear();
        }
        self.rest.extend(parts(target));
        Ok(())
    }

    fn make(&self, part: &OsStr) -> Result<()> {
        let mode = Mode::from_raw_mode(0o755);
        let name =
            CString::new(part.as_bytes()).map_err(|_| Errno::INVAL).tried("use the path", self.path)?;
        match mkdirat(self.here(), &*name, mode) {
            // Another step created it in the meantime.
            Err(Errno::EXIST) => Ok(()),
            // Set the mode again, because the umask applies at creation.
            done => done
                .and_then(|()| chmodat(self.here(), &*name, mode, AtFlags::empty()))
                .and_then(|()| labels::inherit(self.here(), &name)),
        }
        .tried("create the directory", self.shown(part))
    }

    /// The result for a name in the current directory.
    fn spot(mut self, part: &OsStr, last: Last) -> Result<Spot> {
        let name =
            CString::new(part.as_bytes()).map_err(|_| Errno::INVAL).tried("use the path", self.path)?;
        let folder = if self.is_run(part) {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            openat(CWD, "/", flags, Mode::empty()).tried("open", "/")?
        } else {
            self.open.pop().unwrap_or(self.root)
        };
        let trail = self.trail.iter().map(OsString::as_os_str).chain([part]).collect();
        Ok(Spot { folder: Some(folder), name, trail, tree: self.tree, last })
    }

    /// The result for the rest of the path as it is written.
    fn assume(self, part: &OsStr, last: Last) -> Spot {
        let mut trail: PathBuf = self.trail.iter().map(OsString::as_os_str).chain([part]).collect();
        for part in self.rest.iter().rev() {
            if part == ".." {
                trail.pop();
            } else {
                trail.push(part);
            }
        }
        Spot { folder: None, name: c"".to_owned(), trail, tree: self.tree, last }
    }

    fn shown(&self, part: &OsStr) -> String {
        let trail: PathBuf = self.trail.iter().map(OsString::as_os_str).chain([part]).collect();
        self.tree.at(trail).to_string()
    }

    fn refuse<T>(&self, errno: i32, words: String) -> Result<T> {
        Err(SysError::new("follow", self.path.to_string(), Cause::Errno(errno), words))
    }
}

/// The names and `..` of a path, in reverse order.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect()
}
