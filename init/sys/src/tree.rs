//! Paths: of which tree they are, and where inside it.
//!
//! A path of the OS is no path of this process: its symlinks mean places inside the OS, and whoever owned the node
//! yesterday may have made them. So no call to the machine takes a bare path. A [`TreePath`] says whose path it is, and
//! the kernel's side walks it name by name under that tree's rule.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// What is done about symlinks on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Links {
    /// As the kernel does for this process: only for paths that nobody else could have made.
    OwnRoot,
    /// Those that belong to root are followed inside the tree, as the OS will; others are refused.
    OfRoot,
    /// Each is refused.
    Refused,
}

/// A tree of files, and the rule by which paths in it are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tree {
    root: &'static str,
    links: Links,
    shares_run: bool,
}

impl Tree {
    /// What this process sees at `/`: the initramfs, /proc, /sys, /dev and the boot's own folder in /run.
    pub const OWN: Self = Self { root: "/", links: Links::OwnRoot, shares_run: false };

    /// An OS that is about to be entered: its /run is the one that is there already, and the boot's own folder in it is
    /// none of the OS's paths.
    pub const fn os(root: &'static str) -> Self {
        Self { root, links: Links::OfRoot, shares_run: true }
    }

    /// The image of an OS.
    pub const fn image(root: &'static str) -> Self {
        Self { root, links: Links::OfRoot, shares_run: false }
    }

    /// A place where files and folders are what they are: no symlink in it is followed.
    pub const fn plain(root: &'static str) -> Self {
        Self { root, links: Links::Refused, shares_run: false }
    }

    /// The same tree, in which no symlink is followed.
    pub const fn without_links(self) -> Self {
        Self { links: Links::Refused, ..self }
    }

    /// Where this process has it.
    pub const fn root(self) -> &'static str {
        self.root
    }

    /// What is done about symlinks.
    pub const fn links(self) -> Links {
        self.links
    }

    /// Whether its /run is this process's.
    pub const fn shares_run(self) -> bool {
        self.shares_run
    }

    /// A path in it, with or without a `/` at its start.
    pub fn at(self, path: impl AsRef<Path>) -> TreePath {
        TreePath { tree: self, inside: normal(path.as_ref()) }
    }

    /// The folder that it is mounted on, as a path of this process.
    pub fn place(self) -> TreePath {
        own(self.root)
    }

    /// The tree itself.
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
    /// Names and `..`, relative to the tree.
    inside: PathBuf,
}

impl TreePath {
    /// Whose path it is.
    pub fn tree(&self) -> Tree {
        self.tree
    }

    /// The path inside its tree, relative.
    pub fn inside(&self) -> &Path {
        &self.inside
    }

    /// The path as the OS in the tree has it: absolute.
    pub fn as_inside(&self) -> PathBuf {
        Path::new("/").join(&self.inside)
    }

    /// A path below this one; a `/` at its start means nothing.
    pub fn join(&self, path: impl AsRef<Path>) -> Self {
        Self { tree: self.tree, inside: self.inside.join(normal(path.as_ref())) }
    }

    /// The folder it is in; the tree itself where there is none above.
    pub fn parent(&self) -> Self {
        Self { tree: self.tree, inside: self.inside.parent().unwrap_or(Path::new("")).to_owned() }
    }

    /// Its last name.
    pub fn file_name(&self) -> Option<&OsStr> {
        self.inside.file_name()
    }

    /// The same path, on which no symlink is followed.
    pub fn without_links(&self) -> Self {
        Self { tree: self.tree.without_links(), inside: self.inside.clone() }
    }

    /// The same path in another tree.
    pub fn in_tree(&self, tree: Tree) -> Self {
        Self { tree, inside: self.inside.clone() }
    }

    /// What the kernel calls it, in /proc/mounts say. For people and for comparing: a call takes the path itself.
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

/// Without `.`, without a root, and without `..` above the first name: nothing is above a tree.
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
