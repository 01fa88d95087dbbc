//! Layers of a container's image become one tar stream, which mksquashfs reads: owners, modes, devices and attributes stay what they are
//! without any of them being made on this host, so nobody needs to be root.
//!
//! <https://github.com/opencontainers/image-spec/blob/main/layer.md>: an entry `.wh.NAME` takes NAME of the layers below away,
//! `.wh..wh..opq` all that they have in its folder.

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

type Name = Vec<u8>;
/// A layer, and an entry of it.
type Place = (usize, usize);

/// What is at a path of the tree.
#[derive(Debug)]
enum Node {
    /// A folder: its header and its attributes.
    Folder(Box<Header>, Vec<(String, Vec<u8>)>),
    /// Anything with a header and perhaps a content of its own.
    Entry(Place),
    /// Another name of a file.
    Link { place: Place, target: Name },
}

/// The tree that the layers make.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<Name, Node>,
    /// Files that had other names at some time.
    targets: HashSet<Name>,
}

/// A layer as it is read: again and again from its beginning.
pub type Open<'a> = &'a dyn Fn(usize) -> Result<Box<dyn Read>>;

impl Tree {
    /// Reads the headers of so many layers, the lowest first.
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
            // A whiteout is for the layers below, wherever it stands in its own.
            if last == OPAQUE {
                self.remove(folder, false);
            } else if let Some(gone) = last.strip_prefix(WHITEOUT) {
                // Those that begin with .wh..wh. are aufs's own.
                if !gone.starts_with(WHITEOUT) {
                    self.remove(&join(folder, gone), true);
                }
            } else {
                let node = match entry.header().entry_type() {
                    EntryType::Directory => {
                        Node::Folder(Box::new(header(&entry, EntryType::Directory)?), xattrs(&mut entry)?)
                    }
                    EntryType::Link => {
                        let target = entry.link_name_bytes().context("a hard link has no target")?;
                        Node::Link { place: (layer, index), target: clean(&target)? }
                    }
                    EntryType::XGlobalHeader => continue,
                    _ => Node::Entry((layer, index)),
                };
                found.push((name, node));
            }
        }
        for (name, node) in found.into_iter().filter(|(name, _)| !name.is_empty()) {
            if !matches!((&node, self.nodes.get(&name)), (Node::Folder(..), Some(Node::Folder(..)))) {
                self.remove(&name, true);
            }
            if let Node::Link { target, .. } = &node {
                self.targets.insert(target.clone());
            }
            self.nodes.insert(name, node);
        }
        Ok(())
    }

    /// Takes away what is below a path, and what is at it. A file with other names lives on under the first of them.
    fn remove(&mut self, path: &[u8], itself: bool) {
        let below = if path.is_empty() { Vec::new() } else { [path, b"/"].concat() };
        let range = self.nodes.range(below.clone()..).take_while(|(name, _)| name.starts_with(&below));
        let mut names: Vec<Name> = range.map(|(name, _)| name.clone()).collect();
        if itself {
            names.push(path.to_vec());
        }
        let gone: Vec<(Name, Node)> =
            names.into_iter().filter_map(|name| self.nodes.remove(&name).map(|node| (name, node))).collect();
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
    }

    /// Folders that no layer has an entry for.
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

    /// Writes it: folders first, each before what is in it, then the rest in the order of the layers.
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

/// Without `./`, slashes at both ends, and nothing that leads out.
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
    // Others leave these fields empty.
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A layer in words: `d PATH`, `f PATH TEXT`, `s PATH TARGET` (symbolic), `h PATH TARGET` (hard).
    fn layer(lines: &[&str]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let text = words.get(2).copied().unwrap_or_default();
            let mut header = Header::new_gnu();
            header.set_mode(0o640);
            header.set_uid(7);
            header.set_gid(3_000_000);
            header.set_mtime(9);
            header.set_size(0);
            match words[0] {
                "d" => {
                    header.set_entry_type(EntryType::Directory);
                    builder.append_data(&mut header, words[1], io::empty()).expect("written");
                }
                "f" => {
                    header.set_size(text.len() as u64);
                    builder.append_data(&mut header, words[1], text.as_bytes()).expect("written");
                }
                "s" => {
                    header.set_entry_type(EntryType::Symlink);
                    builder.append_link(&mut header, words[1], text).expect("written");
                }
                _ => {
                    header.set_entry_type(EntryType::Link);
                    builder.append_link(&mut header, words[1], text).expect("written");
                }
            }
        }
        builder.into_inner().expect("written")
    }

    fn merged(layers: &[&[&str]]) -> Vec<String> {
        let layers: Vec<Vec<u8>> = layers.iter().map(|lines| layer(lines)).collect();
        let open = |index: usize| Ok(Box::new(Cursor::new(layers[index].clone())) as Box<dyn Read>);
        let tree = Tree::read(layers.len(), &open).expect("read");
        let mut out = Vec::new();
        tree.write(layers.len(), &open, &mut out).expect("written");
        let mut lines = Vec::new();
        for entry in tar::Archive::new(Cursor::new(out)).entries().expect("entries") {
            let mut entry = entry.expect("an entry");
            let name = entry.path().expect("a path").display().to_string();
            let target = entry.link_name().expect("a target").map(|target| target.display().to_string());
            let kind = entry.header().entry_type();
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("a text");
            lines.push(match kind {
                EntryType::Directory => format!("d {name}"),
                EntryType::Symlink => format!("s {name} {}", target.unwrap_or_default()),
                EntryType::Link => format!("h {name} {}", target.unwrap_or_default()),
                _ => {
                    assert_eq!(
                        (entry.header().uid().ok(), entry.header().gid().ok()),
                        (Some(7), Some(3_000_000))
                    );
                    format!("f {name} {text}")
                }
            });
        }
        lines
    }

    #[test]
    fn layers_lie_over_each_other() {
        let table: &[(&[&[&str]], &[&str])] = &[
            // a later one wins, folders keep what is in them, folders without an entry are made
            (
                &[&["d ./a", "f ./a/x 1", "f b/c/y 1"], &["d a", "f a/x 2"]],
                &["d a", "d b", "d b/c", "f b/c/y 1", "f a/x 2"],
            ),
            // whiteouts: of a file, of a folder with all in it, and of nothing
            (
                &[&["d a", "f a/x 1", "f a/y 1", "d ab", "f ab/z 1"], &["f a/.wh.x", "f .wh.ab", "f .wh.no"]],
                &["d a", "f a/y 1"],
            ),
            // one is for the layers below, wherever it stands in its own
            (&[&["d a", "f a/x 1"], &["f a/x 2", "f a/.wh.x"]], &["d a", "f a/x 2"]),
            (&[&["d a", "f a/x 1", "f a/y 1"], &["d a", "f a/z 2", "f a/.wh..wh..opq"]], &["d a", "f a/z 2"]),
            (&[&["f x 1"], &["f .wh..wh.plnk 0", "f .wh..wh..opq", "f y 2"]], &["f y 2"]),
            // another kind of thing at the same path
            (&[&["d a", "f a/x 1"], &["s a b"]], &["s a b"]),
            (&[&["s a b"], &["d a", "f a/x 2"]], &["d a", "f a/x 2"]),
            (&[&["s a ../../b/./c", "s d /abs"]], &["s a ../../b/c", "s d /abs"]),
            // hard links live on when their first name changes or goes
            (&[&["f x 1", "h y x", "h z x"]], &["f x 1", "h y x", "h z x"]),
            (&[&["f x 1", "h y x", "h z x"], &["f x 2"]], &["f y 1", "h z y", "f x 2"]),
            (&[&["d a", "f a/x 1", "h y a/x"], &["f .wh.a"]], &["f y 1"]),
            (&[&["f x 1", "h y x"], &["f x 2", "h z x"], &["f .wh.x"]], &["f y 1", "f z 2"]),
        ];
        for (layers, expected) in table {
            assert_eq!(merged(layers), *expected, "{layers:?}");
        }
    }

    #[test]
    fn nothing_leads_out() {
        let mut bytes = layer(&["f xx 1"]);
        bytes[..2].copy_from_slice(b"..");
        // The header's checksum, with the two letters in it.
        let sum: u32 = bytes[..512]
            .iter()
            .enumerate()
            .map(|(at, &byte)| if (148..156).contains(&at) { 32 } else { u32::from(byte) })
            .sum();
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let open = |_| Ok(Box::new(Cursor::new(bytes.clone())) as Box<dyn Read>);
        let refused = format!("{:#}", Tree::read(1, &open).expect_err("refused"));
        assert!(refused.contains("leads out"), "{refused}");
    }

    /// Long names, and attributes, come through as tar has them.
    #[test]
    fn long_names_and_attributes_stay() {
        let long = "n".repeat(200);
        let mut builder = Builder::new(Vec::new());
        let mut header = Header::new_ustar();
        header.set_size(1);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        builder
            .append_pax_extensions([("SCHILY.xattr.security.capability", &b"\x01\0\xff"[..])])
            .expect("written");
        header.set_path("ping").expect("a path");
        header.set_cksum();
        builder.append(&header, &b"x"[..]).expect("written");
        let bytes = builder.into_inner().expect("written");
        let second = layer(&[&format!("f {long}/{long} 1"), &format!("s l {long}/{long}")]);
        let layers = [bytes, second];
        let open = |index: usize| Ok(Box::new(Cursor::new(layers[index].clone())) as Box<dyn Read>);
        let tree = Tree::read(2, &open).expect("read");
        let mut out = Vec::new();
        tree.write(2, &open, &mut out).expect("written");
        let mut seen = Vec::new();
        for entry in tar::Archive::new(Cursor::new(out)).entries().expect("entries") {
            let mut entry = entry.expect("an entry");
            seen.push((
                entry.path().expect("a path").display().to_string(),
                xattrs(&mut entry).expect("read"),
            ));
        }
        let capability = ("SCHILY.xattr.security.capability".to_owned(), b"\x01\0\xff".to_vec());
        let expected = [
            (long.clone(), vec![]),
            ("ping".into(), vec![capability]),
            (format!("{long}/{long}"), vec![]),
            ("l".into(), vec![]),
        ];
        assert_eq!(seen, expected);
    }
}
