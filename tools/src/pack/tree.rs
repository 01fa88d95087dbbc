//! Merges the layers of a container's image into one tar stream, which mksquashfs reads. Owners, modes, devices and attributes are
//! kept without creating the files on this host, so root is not needed.
//!
//! <https://github.com/opencontainers/image-spec/blob/main/layer.md>: an entry `.wh.NAME` removes NAME of the layers below,
//! `.wh..wh..opq` removes everything that they have in its folder.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tar::{Builder, EntryType, Header};

/// The beginnings of whiteouts.
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Attributes in a tar file of POSIX's format.
const XATTR: &str = "SCHILY.xattr.";

/// A path in a tree, without a slash at its ends.
pub type Name = Vec<u8>;
/// A layer, and an entry of it.
type Place = (usize, usize);

/// The entry at a path of the tree.
#[derive(Debug)]
enum Node {
    /// A folder: its header and its attributes.
    Folder(Box<Header>, Vec<(String, Vec<u8>)>),
    /// Any other entry, with a header and perhaps contents.
    Entry(Place),
    /// Another name of a file.
    Link { place: Place, target: Name },
}

/// The tree that the layers make.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<Name, Node>,
    /// Files that have, or had, other names.
    targets: HashSet<Name>,
    /// A whiteout that removed nothing of these layers.
    unmet: Option<Name>,
}

/// Opens a layer at its beginning; each pass opens it again.
pub type Open<'a> = &'a dyn Fn(usize) -> Result<Box<dyn Read>>;

impl Tree {
    /// Reads the headers of `count` layers, the lowest first.
    pub fn read(count: usize, open: Open<'_>) -> Result<Self> {
        let mut tree = Self::default();
        for layer in 0..count {
            tree.layer(layer, open(layer)?)
                .with_context(|| format!("cannot read layer {} of {count}", layer + 1))?;
        }
        tree.parents();
        Ok(tree)
    }

    /// Whether there is something at one of the paths.
    pub fn has(&self, paths: &[&str]) -> bool {
        paths.iter().any(|path| self.nodes.contains_key(path.as_bytes()))
    }

    fn layer(&mut self, layer: usize, tar: Box<dyn Read>) -> Result<()> {
        let mut found = Vec::new();
        for (index, entry) in tar::Archive::new(tar).entries()?.enumerate() {
            let mut entry = entry?;
            let name = clean(&entry.path_bytes())?;
            let (folder, last) = split(&name);
            // A whiteout removes entries of the layers below, wherever it is in its own layer.
            if last == OPAQUE {
                if !self.remove(folder, false) {
                    self.unmet.get_or_insert(name);
                }
            } else if let Some(gone) = last.strip_prefix(WHITEOUT) {
                // Those that begin with .wh..wh. are internal to aufs.
                if !gone.starts_with(WHITEOUT) && !self.remove(&join(folder, gone), true) {
                    self.unmet.get_or_insert(name);
                }
            } else {
                let node = match entry.header().entry_type() {
                    EntryType::Directory => {
                        Node::Folder(Box::new(header(&entry, EntryType::Directory)?), xattrs(&mut entry)?)
                    }
                    EntryType::Link => {
                        let target = entry.link_name_bytes().context("a hard link has no target")?;
                        let target = clean(&target)?;
                        // tar writes a file that it was told twice as a link to itself.
                        if target == name {
                            continue;
                        }
                        Node::Link { place: (layer, index), target }
                    }
                    EntryType::XGlobalHeader => continue,
                    _ => Node::Entry((layer, index)),
                };
                found.push((name, node));
            }
        }
        for (name, node) in found.into_iter().filter(|(name, _)| !name.is_empty()) {
            // A folder's entry may come after those of its contents.
            if !matches!((&node, self.nodes.get(&name)), (Node::Folder(..), None | Some(Node::Folder(..)))) {
                self.remove(&name, true);
            }
            if let Node::Link { target, .. } = &node {
                self.targets.insert(target.clone());
            }
            self.nodes.insert(name, node);
        }
        Ok(())
    }

    /// A whiteout that removed nothing of these layers; it can only be about what lies below all of them.
    pub fn unmet_whiteout(&self) -> Option<&Name> {
        self.unmet.as_ref()
    }

    /// Removes everything below a path, and the path too with `itself`. A file with other names stays, under the first of them.
    /// Returns whether there was anything.
    fn remove(&mut self, path: &[u8], itself: bool) -> bool {
        let below = if path.is_empty() { Vec::new() } else { [path, b"/"].concat() };
        let range = self.nodes.range(below.clone()..).take_while(|(name, _)| name.starts_with(&below));
        let mut names: Vec<Name> = range.map(|(name, _)| name.clone()).collect();
        if itself {
            names.push(path.to_vec());
        }
        let gone: Vec<(Name, Node)> =
            names.into_iter().filter_map(|name| self.nodes.remove(&name).map(|node| (name, node))).collect();
        let is_met = !gone.is_empty();
        for (name, node) in gone {
            let Node::Entry(content) = node else { continue };
            if !self.targets.contains(&name) {
                continue;
            }
            let mut heir = None;
            for (other, node) in &mut self.nodes {
                let Node::Link { place, target } = node else { continue };
                if *target != name || place.0 < content.0 {
                    continue;
                }
                match &heir {
                    None => {
                        self.targets.insert(other.clone());
                        heir = Some(other.clone());
                        *node = Node::Entry(content);
                    }
                    Some(heir) => target.clone_from(heir),
                }
            }
        }
        is_met
    }

    /// Adds the folders for which no layer has an entry.
    fn parents(&mut self) {
        let mut missing = Vec::new();
        for name in self.nodes.keys() {
            let mut folder = split(name).0;
            while !folder.is_empty() && !self.nodes.contains_key(folder) {
                missing.push(folder.to_vec());
                folder = split(folder).0;
            }
        }
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        self.nodes.extend(
            missing.into_iter().map(|name| (name, Node::Folder(Box::new(header.clone()), Vec::new()))),
        );
    }

    /// Writes the tree: folders first, each before its contents, then the rest in the order of the layers.
    pub fn write(&self, count: usize, open: Open<'_>, to: impl Write) -> Result<()> {
        let mut builder = Builder::new(to);
        let mut places: HashMap<Place, (&Name, Option<&Name>)> = HashMap::new();
        for (name, node) in &self.nodes {
            match node {
                Node::Folder(header, xattrs) => {
                    extend(&mut builder, xattrs)?;
                    builder.append_data(&mut (**header).clone(), path(name), io::empty())?;
                }
                Node::Entry(place) => drop(places.insert(*place, (name, None))),
                Node::Link { place, target } => drop(places.insert(*place, (name, Some(target)))),
            }
        }
        for layer in 0..count {
            for (index, entry) in tar::Archive::new(open(layer)?).entries()?.enumerate() {
                let mut entry = entry?;
                let Some(&(name, target)) = places.get(&(layer, index)) else { continue };
                if let Some(target) = target {
                    let mut header = header(&entry, EntryType::Link)?;
                    builder.append_link(&mut header, path(name), path(target))?;
                    continue;
                }
                let kind = entry.header().entry_type();
                let mut header = header(&entry, if kind.is_file() { EntryType::Regular } else { kind })?;
                let xattrs = xattrs(&mut entry)?;
                extend(&mut builder, &xattrs)?;
                if kind == EntryType::Symlink {
                    let target =
                        entry.link_name_bytes().context("a symbolic link has no target")?.into_owned();
                    builder.append_link(&mut header, path(name), path(&target))?;
                } else {
                    builder.append_data(&mut header, path(name), &mut entry)?;
                }
            }
        }
        builder.into_inner()?.flush()?;
        Ok(())
    }
}

/// A path without `./` and without slashes at its ends. Refuses one that leads out of the tree.
fn clean(path: &[u8]) -> Result<Name> {
    let parts: Vec<&[u8]> =
        path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    ensure!(
        !parts.contains(&&b".."[..]),
        "the entry {:?} leads out of the tree",
        String::from_utf8_lossy(path)
    );
    Ok(parts.join(&b'/'))
}

fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|&byte| byte == b'/') {
        Some(at) => (name.get(..at).unwrap_or_default(), name.get(at + 1..).unwrap_or_default()),
        None => (&[], name),
    }
}

fn join(folder: &[u8], name: &[u8]) -> Name {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

fn path(name: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(name))
}

/// A header with the same owner, mode, time, size and device, in a form that has room for all of them.
fn header<R: Read>(entry: &tar::Entry<'_, R>, kind: EntryType) -> Result<Header> {
    let old = entry.header();
    let mut new = Header::new_gnu();
    new.set_entry_type(kind);
    new.set_mode(old.mode()?);
    new.set_uid(old.uid()?);
    new.set_gid(old.gid()?);
    new.set_mtime(old.mtime()?);
    new.set_size(if kind == EntryType::Regular { entry.size() } else { 0 });
    // Other kinds leave these fields empty.
    if matches!(kind, EntryType::Char | EntryType::Block) {
        new.set_device_major(old.device_major()?.unwrap_or(0))?;
        new.set_device_minor(old.device_minor()?.unwrap_or(0))?;
    }
    Ok(new)
}

fn xattrs<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        if let Some(key) = extension.key().ok().filter(|key| key.starts_with(XATTR)) {
            found.push((key.to_owned(), extension.value_bytes().to_vec()));
        }
    }
    Ok(found)
}

fn extend<W: Write>(builder: &mut Builder<W>, xattrs: &[(String, Vec<u8>)]) -> Result<()> {
    if !xattrs.is_empty() {
        builder.append_pax_extensions(xattrs.iter().map(|(key, value)| (key.as_str(), value.as_slice())))?;
    }
    Ok(())
}
