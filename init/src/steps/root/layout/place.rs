//! Sets up one path of the layout.

use std::path::{Path, PathBuf};

use dayfly_plan::{Code, LayoutEntry, Policy};
use dayfly_sys::{FileKind, Mount, MountFlags, SysError, TreePath};

use super::kept::{escaped, set_aside};
use crate::Failure;
use crate::context::Context;
use crate::events::Level;
use crate::steps::root::overlay;
use crate::trees::{OS, OVERLAY, WRITABLE};

/// A symlink in a path that must not contain any, errno(3).
const ELOOP: i32 = 40;

pub(super) struct Place<'a> {
    pub(super) path: &'a str,
    /// The mount point in the OS. The image's symlinks are resolved already; any other symlink in the path is an error.
    pub(super) target: TreePath,
    /// The path in the image.
    pub(super) image: TreePath,
    /// The policy of the nearest parent; that of the root's overlay is ephemeral.
    pub(super) above: Policy,
    /// Paths below it with their own policy, relative to it.
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
        // Entries are sorted parents first, so the last match is the nearest parent.
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

    /// Makes sure that the mount point exists. Returns false if the path is skipped without failing the boot: a default
    /// path that this image does not have, or a path with an unexpected symlink on the state disk.
    pub(super) fn prepare(&self, cx: &Context) -> Result<bool, SysError> {
        if !self.has_room(cx, FileKind::Dir)? {
            return Ok(false);
        }
        match cx.sys.make_dir(&self.target, 0o755) {
            Ok(()) => Ok(true),
            Err(error) if self.is_default && self.above == Policy::ReadOnly => {
                cx.note(Level::Info, format!("{} is not in the image and is skipped: {error}", self.path));
                Ok(false)
            }
            Err(error) if self.above.persists() => {
                // The persistent parent is full, read-only or broken. A missing directory has no data to lose.
                let tried = format!("make {} {}", self.path, self.policy);
                cx.tolerate(&Failure::from_sys(Code::RootLayout, tried, &error));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a mount point of this type exists or can be created. A file of another type on the state disk is
    /// renamed, because the image decides.
    pub(super) fn has_room(&self, cx: &Context, wanted: FileKind) -> Result<bool, SysError> {
        let there = match cx.sys.inspect(&self.target) {
            Ok(there) => there,
            Err(error) if error.errno() == Some(ELOOP) && self.above.persists() => {
                let text = format!("{} stays as on the state disk, not {}: {error}", self.path, self.policy);
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
            // The package database of an older image on the state disk.
            cx.sys.remove_tree(&self.target)?;
        } else {
            set_aside(cx, &self.target)?;
        }
        Ok(true)
    }

    /// Whether it is on another file system that was mounted below the root before. An overlay of the root does not
    /// show such file systems.
    fn is_apart(&self, cx: &Context) -> bool {
        let below = cx.known.mounted_root.iter().flat_map(|root| &root.below);
        below.into_iter().any(|place| Path::new(self.path).starts_with(place))
    }

    pub(super) fn bind(&self, cx: &Context, source: TreePath, flags: MountFlags) -> Result<(), SysError> {
        cx.sys.mount(&Mount::Bind { source, target: self.target.clone(), recursive: false, flags })
    }

    /// A bind mount of the image's own directory without the overlay: it is read-only, and reading is faster.
    pub(super) fn protect(&self, cx: &Context) -> Result<(), SysError> {
        if !matches!(cx.sys.inspect(&self.image)?, Some(FileKind::Dir | FileKind::File(_))) {
            cx.note(Level::Debug, format!("{} is not in the image: nothing to make read-only", self.path));
            return Ok(());
        }
        // If it is a separate file system, make it read-only as a whole, like the root, so that not even its superblock
        // changes.
        let below = cx.known.mounted_root.iter().flat_map(|root| &root.below);
        if below.into_iter().any(|place| place == self.path)
            && let Err(error) = cx.sys.mount(&Mount::ReadOnly { target: self.image.clone() })
        {
            let open = "stays writable for programs that have a file in it open";
            cx.note(Level::Warning, format!("the file system of {} {open}: {error}", self.path));
        }
        self.bind(cx, self.image.clone(), MountFlags { read_only: true, ..MountFlags::default() })
    }

    /// Uses the root's overlay itself. If a parent is mounted over it, bind mounts the overlay's directory.
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

    /// Restores a file of the image below a persistent path. It is a copy and not a bind mount, because programs
    /// replace such files by rename(2).
    fn put_back(&self, cx: &Context) -> Result<(), SysError> {
        if !self.has_room(cx, FileKind::File(0))? {
            return Ok(());
        }
        // Compare the size first, because the file on the disk may be very large.
        let there = cx.sys.inspect(&self.target)?;
        let is_alike = matches!(there, Some(FileKind::File(_))) && there == cx.sys.inspect(&self.image)?;
        if is_alike && cx.sys.read(&self.target)? == cx.sys.read(&self.image)? {
            return Ok(());
        }
        cx.sys.remove_tree(&self.target)?;
        cx.sys.make_dir(&self.target.parent(), 0o755)?;
        cx.sys.copy_file(&self.image, &self.target)
    }

    /// Mounts a separate overlay for this path. It uses memory only for changes, and keeps attributes that a tmpfs
    /// cannot store (user xattrs before Linux 6.6).
    fn own_overlay(&self, cx: &Context) -> Result<(), SysError> {
        match cx.sys.inspect(&self.image)? {
            Some(FileKind::Dir) => {}
            // A single file cannot be the upper layer of an overlay, so it stays as it is.
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

    /// Keeps a persistent path in memory if there is no state disk. On an installed disk, it may be larger than the
    /// memory, so it is not copied.
    pub(super) fn lie_in_memory(&self, cx: &Context) -> Result<(), SysError> {
        match self.policy {
            // The image's file in the root's overlay is used, or programs create it.
            Policy::PersistentFile => Ok(()),
            _ if cx.known.mounted_root.is_some() => self.show_overlay(cx),
            _ => self.fill_tmpfs(cx),
        }
    }

    /// Mounts a tmpfs and fills it from the image. It is not the root's overlay, because containers put overlays on
    /// /var, and an overlay cannot be the upper layer of another one.
    pub(super) fn fill_tmpfs(&self, cx: &Context) -> Result<(), SysError> {
        if matches!(cx.sys.inspect(&self.image)?, Some(FileKind::File(_))) {
            // A single file in the root's overlay is ephemeral already.
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

/// The relative path from `outer` to `inner`, if `inner` is below it.
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
