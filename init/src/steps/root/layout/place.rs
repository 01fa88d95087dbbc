//! One path of the layout, and what is made of it.

use std::path::{Path, PathBuf};

use dayfly_plan::{Code, LayoutEntry, Policy};
use dayfly_sys::{FileKind, Mount, MountFlags, SysError, TreePath};

use super::kept::{escaped, set_aside};
use crate::Failure;
use crate::context::Context;
use crate::events::Level;
use crate::steps::root::overlay;
use crate::trees::{OS, OVERLAY, WRITABLE};

/// A symlink on a way where none is followed, errno(3).
const ELOOP: i32 = 40;

pub(super) struct Place<'a> {
    pub(super) path: &'a str,
    /// Where it is mounted: in the OS, where nobody's symlink but the image's own counts.
    pub(super) target: TreePath,
    /// Where the image has it.
    pub(super) image: TreePath,
    /// The nearest policy above it; the root's overlay is ephemeral.
    pub(super) above: Policy,
    /// What below it has a policy of its own, relative to it.
    pub(super) below: Vec<PathBuf>,
    pub(super) policy: Policy,
    is_default: bool,
}

impl<'a> Place<'a> {
    pub(super) fn new(
        entries: &[(&'a LayoutEntry, String)],
        (entry, real): &(&'a LayoutEntry, String),
        image: TreePath,
    ) -> Self {
        // The last of those above is the nearest: parents come first.
        let above = entries.iter().rfind(|(_, other)| below(other, real).is_some());
        Self {
            path: &entry.path,
            target: OS.without_links().at(real),
            image,
            above: above.map_or(Policy::Ephemeral, |(above, _)| above.policy),
            below: entries.iter().filter_map(|(_, other)| below(real, other)).collect(),
            policy: entry.policy,
            is_default: entry.is_default,
        }
    }

    fn is_in_image(&self, cx: &Context) -> Result<bool, SysError> {
        Ok(cx.sys.inspect(&self.image)? == Some(FileKind::Dir))
    }

    /// Makes sure that there is a folder to mount on. False where it is not worth a failed boot: a default that an
    /// image without this folder does not need, or a way that a symlink on the state disk has bent.
    pub(super) fn prepare(&self, cx: &Context) -> Result<bool, SysError> {
        if !self.has_room(cx, FileKind::Dir)? {
            return Ok(false);
        }
        match cx.sys.make_dir(&self.target, 0o755) {
            Ok(()) => Ok(true),
            Err(error) if self.is_default && self.above == Policy::ReadOnly => {
                cx.note(
                    Level::Info,
                    format!("{} is not in the image and is passed over: {error}", self.path),
                );
                Ok(false)
            }
            Err(error) if self.above.persists() => {
                // What lies above is full, read-only or broken: a folder that is not there has nothing to be kept or lost.
                let tried = format!("make {} {}", self.path, self.policy);
                cx.tolerate(&Failure::from_sys(Code::RootLayout, tried, &error));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a folder or a file of this place can be mounted on, or made. What the state disk has in its stead is set
    /// aside: the image says what is there.
    pub(super) fn has_room(&self, cx: &Context, wanted: FileKind) -> Result<bool, SysError> {
        let there = match cx.sys.inspect(&self.target) {
            Ok(there) => there,
            Err(error) if error.errno() == Some(ELOOP) && self.above.persists() => {
                let text =
                    format!("{} stays as the state disk has it, not {}: {error}", self.path, self.policy);
                cx.note(Level::Warning, text);
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let fits = match (there, wanted) {
            (None, _)
            | (Some(FileKind::Dir), FileKind::Dir)
            | (Some(FileKind::File(_)), FileKind::File(_)) => true,
            (Some(_), _) => false,
        };
        if fits || !self.above.persists() {
            return Ok(true);
        }
        if self.policy == Policy::Ephemeral && self.is_default {
            // What the state disk has of an older image's database.
            cx.sys.remove_tree(&self.target)?;
        } else {
            set_aside(cx, &self.target)?;
        }
        Ok(true)
    }

    /// Whether it is a part of a file system that was mounted below the root before: an overlay shows nothing of that.
    fn is_apart(&self, cx: &Context) -> bool {
        let below = cx.known.mounted_root.iter().flat_map(|root| &root.below);
        below.into_iter().any(|place| Path::new(self.path).starts_with(place))
    }

    pub(super) fn bind(&self, cx: &Context, source: TreePath, flags: MountFlags) -> Result<(), SysError> {
        cx.sys.mount(&Mount::Bind { source, target: self.target.clone(), recursive: false, flags })
    }

    /// The image's own folder, without the overlay: nothing can be written, and reading costs less.
    pub(super) fn protect(&self, cx: &Context) -> Result<(), SysError> {
        if !matches!(cx.sys.inspect(&self.image)?, Some(FileKind::Dir | FileKind::File(_))) {
            cx.note(Level::Debug, format!("{} is not in the image: nothing to protect", self.path));
            return Ok(());
        }
        // Of a file system of its own, as of the root's, not even its superblock is to change.
        let below = cx.known.mounted_root.iter().flat_map(|root| &root.below);
        if below.into_iter().any(|place| place == self.path)
            && let Err(error) = cx.sys.mount(&Mount::ReadOnly { target: self.image.clone() })
        {
            let open = "stays writable for who has a file of it open";
            cx.note(Level::Warning, format!("the file system of {} {open}: {error}", self.path));
        }
        self.bind(cx, self.image.clone(), MountFlags { read_only: true, ..MountFlags::default() })
    }

    /// The root's overlay itself; where something else lies above, the overlay's folder is shown through it.
    pub(super) fn show_overlay(&self, cx: &Context) -> Result<(), SysError> {
        let is_apart = self.is_apart(cx);
        if self.above == Policy::Ephemeral && !is_apart {
            return Ok(());
        }
        if self.is_default {
            match cx.sys.inspect(&self.image)? {
                Some(FileKind::Dir) => {}
                Some(FileKind::File(_)) if self.above.persists() => return self.put_back(cx),
                _ => return Ok(()),
            }
        }
        if is_apart {
            return self.own_overlay(cx);
        }
        let source = self.target.in_tree(OVERLAY);
        cx.sys.make_dir(&source, 0o755)?;
        if self.prepare(cx)? { self.bind(cx, source, MountFlags::default()) } else { Ok(()) }
    }

    /// A file of the image's below what is kept. Nothing is bound over it: programs replace such files by rename(2).
    fn put_back(&self, cx: &Context) -> Result<(), SysError> {
        if !self.has_room(cx, FileKind::File(0))? {
            return Ok(());
        }
        // The size first: what lies on the disk may be of any.
        let there = cx.sys.inspect(&self.target)?;
        let is_alike = matches!(there, Some(FileKind::File(_))) && there == cx.sys.inspect(&self.image)?;
        if is_alike && cx.sys.read(&self.target)? == cx.sys.read(&self.image)? {
            return Ok(());
        }
        cx.sys.remove_tree(&self.target)?;
        cx.sys.make_dir(&self.target.parent(), 0o755)?;
        cx.sys.copy_file(&self.image, &self.target)
    }

    /// An overlay for this place alone, which costs memory only for what changes, and shows what a tmpfs could not keep (user xattrs
    /// before Linux 6.6).
    fn own_overlay(&self, cx: &Context) -> Result<(), SysError> {
        match cx.sys.inspect(&self.image)? {
            Some(FileKind::Dir) => {}
            // Nothing can be written beside it, and a file cannot be one's upper layer.
            Some(_) => return Ok(()),
            None => return self.tmpfs(cx, None),
        }
        if !self.prepare(cx)? {
            return Ok(());
        }
        let writable = WRITABLE.at(format!("of-{}", escaped(self.path)));
        let rights = cx.sys.rights(&self.image)?;
        overlay::over(cx, vec![self.image.clone()], &writable, &self.target, rights.mode)?;
        cx.sys.set_owner(&self.target, rights.uid, rights.gid)
    }

    /// What should persist and cannot. An installed disk may have more there than fits into memory.
    pub(super) fn lie_in_memory(&self, cx: &Context) -> Result<(), SysError> {
        match self.policy {
            // The image's own file, if any, in the root's overlay: programs find it or make it.
            Policy::PersistentFile => Ok(()),
            _ if cx.known.mounted_root.is_some() => self.show_overlay(cx),
            _ => self.fill_tmpfs(cx),
        }
    }

    /// In memory, filled from the image. A file system of its own and not the root's overlay: containers put overlays
    /// on /var, and an overlay cannot be another one's upper layer.
    pub(super) fn fill_tmpfs(&self, cx: &Context) -> Result<(), SysError> {
        if matches!(cx.sys.inspect(&self.image)?, Some(FileKind::File(_))) {
            // A single file is as ephemeral in the root's overlay.
            return Ok(());
        }
        self.tmpfs(cx, None)?;
        if self.is_in_image(cx)? {
            cx.sys.copy_tree(&self.image, &self.target, &self.below)?;
        }
        Ok(())
    }

    pub(super) fn tmpfs(&self, cx: &Context, size: Option<u64>) -> Result<(), SysError> {
        let mode = if self.path.ends_with("tmp") { "1777" } else { "0755" };
        let mut options = vec![("mode".to_owned(), Some(mode.to_owned()))];
        if let Some(bytes) = size {
            options.push(("size".to_owned(), Some(bytes.to_string())));
        }
        if !self.prepare(cx)? {
            return Ok(());
        }
        cx.sys.mount(&Mount::New {
            fstype: "tmpfs".to_owned(),
            source: "tmpfs".to_owned(),
            target: self.target.clone(),
            options,
            flags: MountFlags { nodev: true, ..MountFlags::default() },
        })
    }
}

/// The rest of a path that is below another.
pub(super) fn below(outer: &str, inner: &str) -> Option<PathBuf> {
    inner.strip_prefix(outer)?.strip_prefix('/').map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees::IMAGE;

    #[test]
    fn a_place_knows_what_is_around_it() {
        let entries: Vec<LayoutEntry> = [
            ("/usr", Policy::ReadOnly),
            ("/usr/local", Policy::Persistent),
            ("/var", Policy::Persistent),
            ("/var/lib/dpkg", Policy::Ephemeral),
            ("/variant", Policy::Ephemeral),
        ]
        .map(|(path, policy)| LayoutEntry { path: path.to_owned(), policy, is_default: true })
        .into();
        let around = |index: usize| {
            let found: Vec<(&LayoutEntry, String)> =
                entries.iter().map(|entry| (entry, entry.path.clone())).collect();
            let place = Place::new(&found, &found[index], IMAGE.at(&found[index].1));
            (place.above, place.below)
        };
        assert_eq!(around(0), (Policy::Ephemeral, vec![PathBuf::from("local")]));
        assert_eq!(around(1), (Policy::ReadOnly, vec![]));
        assert_eq!(around(2), (Policy::Ephemeral, vec![PathBuf::from("lib/dpkg")]));
        assert_eq!(around(3), (Policy::Persistent, vec![]));
        assert_eq!(around(4), (Policy::Ephemeral, vec![]));
    }
}
