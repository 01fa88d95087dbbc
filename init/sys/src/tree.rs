//! Paths that belong to a tree.
//!
//! A path of the OS is not a path of this process: its symlinks refer to paths inside the OS, and an earlier user of
//! the node may have created them. So no call to the machine takes a bare path. A [`TreePath`] contains the tree, and
//! the kernel's side walks it name by name under that tree's rule.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// How symlinks in a path are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Links {
    /// Followed by the kernel as usual: only for paths that no untrusted program could have created.
    OwnRoot,
    /// Symlinks that belong to root are followed inside the tree, as in the OS; others are refused.
    OfRoot,
    /// All are refused.
    Refused,
}

/// A directory tree, and the rule for paths in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tree {
    root: &'static str,
    links: Links,
    shares_run: bool,
}

impl Tree {
    /// The root of this process: the initramfs, /proc, /sys, /dev and the boot's own directory in /run.
    pub const OWN: Self = Self { root: "/", links: Links::OwnRoot, shares_run: false };

    /// The root of an OS before the switch to it. Its /run is the current one, without the boot's own directory in it.
    pub const fn os(root: &'static str) -> Self {
        Self { root, links: Links::OfRoot, shares_run: true }
    }

    /// The image of an OS.
    pub const fn image(root: &'static str) -> Self {
        Self { root, links: Links::OfRoot, shares_run: false }
    }

    /// A tree in which no symlink is followed.
    pub const fn plain(root: &'static str) -> Self {
        Self { root, links: Links::Refused, shares_run: false }
    }

    /// The same tree with a rule that follows no symlink.
    pub const fn without_links(self) -> Self {
        Self { links: Links::Refused, ..self }
    }

    /// The path of the tree in this process.
    pub const fn root(self) -> &'static str {
        self.root
    }

    /// The rule for symlinks.
    pub const fn links(self) -> Links {
        self.links
    }

    /// Whether its /run is that of this process.
    pub const fn shares_run(self) -> bool {
        self.shares_run
    }

    /// A path in it, with or without a `/` at its start.
    pub fn at(self, path: impl AsRef<Path>) -> TreePath {
        TreePath { tree: self, inside: normal(path.as_ref()) }
    }

    /// The mount point of the tree, as a path of this process.
    pub fn place(self) -> TreePath {
        own(self.root)
    }

    /// The root of the tree.
    pub fn top(self) -> TreePath {
        self.at("")
    }
}

/// A path of this process itself, see [`Tree::OWN`].
pub fn own(path: impl AsRef<Path>) -> TreePath {
    Tree::OWN.at(path)
}

/// A path of a tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath {
    tree: Tree,
    /// Names and `..`, relative to the root of the tree.
    inside: PathBuf,
}

impl TreePath {
    /// The tree of the path.
    pub fn tree(&self) -> Tree {
        self.tree
    }

    /// The path inside its tree, relative.
    pub fn inside(&self) -> &Path {
        &self.inside
    }

    /// The absolute path inside the tree, as its OS sees it.
    pub fn as_inside(&self) -> PathBuf {
        Path::new("/").join(&self.inside)
    }

    /// A path below this one; a leading `/` is ignored.
    pub fn join(&self, path: impl AsRef<Path>) -> Self {
        Self { tree: self.tree, inside: self.inside.join(normal(path.as_ref())) }
    }

    /// The parent directory; at the top, the root of the tree.
    pub fn parent(&self) -> Self {
        Self { tree: self.tree, inside: self.inside.parent().unwrap_or(Path::new("")).to_owned() }
    }

    /// The last name.
    pub fn file_name(&self) -> Option<&OsStr> {
        self.inside.file_name()
    }

    /// The same path with a rule that follows no symlink.
    pub fn without_links(&self) -> Self {
        Self { tree: self.tree.without_links(), inside: self.inside.clone() }
    }

    /// The same path in another tree.
    pub fn in_tree(&self, tree: Tree) -> Self {
        Self { tree, inside: self.inside.clone() }
    }

    /// The path that the kernel shows, for example in /proc/mounts. For messages and comparisons; calls take the
    /// [`TreePath`] itself.
    pub fn outside(&self) -> PathBuf {
        let root = if self.tree.shares_run && self.inside.starts_with("run") { "/" } else { self.tree.root };
        Path::new(root).join(&self.inside)
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outside().display().fmt(f)
    }
}

/// Normalises a path: without `.`, without a leading `/`, and without `..` that would leave the tree.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name),
            Component::ParentDir if parts.as_os_str().is_empty() => {}
            Component::ParentDir => parts.push(".."),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const OS: Tree = Tree::os("/sysroot");

    #[test]
    fn a_path_stays_in_its_tree_however_it_is_written() {
        for (path, outside) in [
            ("/etc/hosts", "/sysroot/etc/hosts"),
            ("etc//hosts/.", "/sysroot/etc/hosts"),
            ("/../../etc", "/sysroot/etc"),
            ("", "/sysroot/"),
            ("/run/systemd", "/run/systemd"),
            ("/runner", "/sysroot/runner"),
        ] {
            assert_eq!(OS.at(path).outside(), Path::new(outside), "{path}");
        }
        let folder = OS.at("/etc");
        assert_eq!(folder.join("/ssh/key").to_string(), "/sysroot/etc/ssh/key");
        assert_eq!(folder.join("ssh").parent(), folder);
        assert_eq!(OS.top().parent(), OS.top());
        assert_eq!(own("/proc/mounts").to_string(), "/proc/mounts");
    }
}
