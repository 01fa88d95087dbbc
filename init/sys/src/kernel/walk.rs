//! The way to a path of a tree: name by name, each an open folder, so that nothing that is there can lead out of it.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, chmodat, fstat, mkdirat, openat, readlinkat};
use rustix::io::Errno;

use super::{Tried, labels};
use crate::{Cause, Links, Result, SysError, Tree, TreePath};

/// As the kernel's own limit (path_resolution(7)).
const MOST_LINKS: usize = 40;
/// Folders on a way, each of which is open while it is walked. No path that a boot writes is a tenth as deep.
const MOST_DEEP: usize = 200;
/// The boot's own folder in /run, which is none of the OS's paths.
const BOOTS: &str = "dayfly";

/// What becomes of a symlink that a path ends in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// It is what is meant.
    Stays,
    /// It is followed like the others.
    Followed,
}

/// What becomes of a folder on the way that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is a failure.
    Fails,
    /// It is made, 0755.
    Made,
    /// The rest of the path is taken as it is written.
    Assumed,
}

/// Where a way ends: an open folder and a name in it.
pub(super) struct Spot {
    folder: Option<OwnedFd>,
    name: CString,
    /// The way without symlinks, relative to the tree.
    trail: PathBuf,
    tree: Tree,
    last: Last,
}

impl Spot {
    /// The folder, opened by its path (`O_PATH`).
    pub(super) fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_ref().map_or(CWD, AsFd::as_fd)
    }

    /// The name in it; `.` for the tree itself.
    pub(super) fn name(&self) -> &CString {
        &self.name
    }

    /// Opens what is there. A symlink is not followed any more, whoever has just put it there.
    pub(super) fn open(&self, flags: OFlags, mode: Mode) -> std::result::Result<OwnedFd, Errno> {
        // The kernel's own way to a path of this process ends where its symlink leads.
        let follows = self.tree.links() == Links::OwnRoot && self.last == Last::Followed;
        let flags = if follows { flags } else { flags | OFlags::NOFOLLOW };
        openat(self.folder(), &self.name, flags | OFlags::CLOEXEC, mode)
    }

    /// Opens it as a place, which reads nothing and calls no driver.
    pub(super) fn handle(&self) -> std::result::Result<OwnedFd, Errno> {
        self.open(OFlags::PATH, Mode::empty())
    }

    /// A path for calls that take no descriptor: through /proc, where it is the open folder's.
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

/// Where a path leads when symlinks are followed as its tree has it. What does not exist is taken as it is written.
pub(super) fn resolve(path: &TreePath) -> Result<TreePath> {
    let tree = path.tree();
    // A path of this process may lead through symlinks of others, udev's say; those are followed if they are root's.
    let walked = if tree.links() == Links::OwnRoot { Tree::image(tree.root()) } else { tree };
    let spot = Walk::new(path, walked)?.go(Last::Followed, Missing::Assumed)?;
    Ok(tree.at(spot.found().inside()))
}

/// The kernel walks a path of this process by itself.
fn find_own(path: &TreePath, last: Last, missing: Missing) -> Result<Spot> {
    let outside = path.outside();
    let parent = outside.parent().unwrap_or(Path::new("/"));
    if missing == Missing::Made {
        super::files::make_own_dir(parent, 0o755)?;
    }
    let tree = path.tree();
    let c_string =
        |text: &OsStr| CString::new(text.as_bytes()).map_err(|_| Errno::INVAL).tried("use the path", path);
    let spot = |folder, name, trail| Spot { folder, name, trail, tree, last };
    match (last, outside.file_name()) {
        (Last::Stays, Some(name)) => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = openat(CWD, parent, flags, Mode::empty()).tried("open the folder of", path)?;
            Ok(spot(Some(folder), c_string(name)?, outside.clone()))
        }
        _ => Ok(spot(None, c_string(outside.as_os_str())?, outside.clone())),
    }
}

/// A walk under way.
struct Walk<'a> {
    path: &'a TreePath,
    tree: Tree,
    /// The open folders from the tree's root down, without it.
    open: Vec<OwnedFd>,
    root: OwnedFd,
    /// The names of those.
    trail: Vec<OsString>,
    /// What is still to go, the next name last.
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
                        return self
                            .refuse(libc::ENAMETOOLONG, format!("it is more than {MOST_DEEP} folders deep"));
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
        // It ends in a folder that is open: its own name is in the one above.
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

    /// True where this process's /run stands for the tree's.
    fn is_run(&self, part: &OsStr) -> bool {
        self.tree.shares_run() && self.trail.is_empty() && part == "run"
    }

    fn check_boots(&self, part: &OsStr) -> Result<()> {
        if self.tree.shares_run()
            && self.trail.len() == 1
            && self.trail.first().is_some_and(|top| top == "run")
            && part == BOOTS
        {
            return self.refuse(libc::EPERM, "it leads into the boot's own folder, /run/dayfly".to_owned());
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

    /// Goes on where a symlink leads.
    fn follow(&mut self, part: &OsStr) -> Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let link = openat(self.here(), part, flags, Mode::empty()).tried("follow", self.shown(part))?;
        let uid = fstat(&link).tried("follow", self.shown(part))?.st_uid;
        if self.tree.links() == Links::Refused {
            let words = format!(
                "{} is a symlink, and none is followed there: it could lead anywhere",
                self.shown(part)
            );
            return self.refuse(libc::ELOOP, words);
        }
        if uid != 0 {
            let words = format!(
                "the symlink {} belongs to the user {uid}, who could lead it anywhere: only symlinks of root are followed",
                self.shown(part)
            );
            return self.refuse(libc::EPERM, words);
        }
        self.links += 1;
        if self.links > MOST_LINKS {
            return self.refuse(libc::ELOOP, format!("it has more than {MOST_LINKS} symlinks on its way"));
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
            // Another step made it meanwhile.
            Err(Errno::EXIST) => Ok(()),
            // The mode again, without the umask.
            done => done
                .and_then(|()| chmodat(self.here(), &*name, mode, AtFlags::empty()))
                .and_then(|()| labels::inherit(self.here(), &name)),
        }
        .tried("make the folder", self.shown(part))
    }

    /// The place of a name in the folder that was reached.
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

    /// What is left of the path, as it is written.
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

/// Names and `..` of a path, the first one last.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect()
}
