//! A tree in a temporary tar file, whose entries can be written in another order. mksquashfs stores files in the order of the tar
//! file that it reads, and cannot sort them itself.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use anyhow::{Context, Result};
use tar::EntryType;

use super::order::Lists;
use super::tree::Name;

/// The blocks of a tar file.
const BLOCK: u64 = 512;

/// The longest list of packages, in bytes; that of a whole desktop of Alpine has a tenth.
const MOST_LIST: u64 = 64 << 20;

/// A tar file and its entries.
#[derive(Debug)]
pub struct Spool {
    file: File,
    entries: Vec<(Kind, Name, Range<u64>)>,
    lists: Lists,
    links: HashMap<Name, Name>,
    /// The newest time of an entry, in seconds.
    pub newest: u64,
}

/// The order of the kinds: a folder comes before what is in it, a file before its other names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Folder,
    Entry,
    Link,
}

impl Spool {
    /// Reads the headers of a tar file as [`super::tree::Tree::write`] writes it: without gaps, paths without `./`.
    pub fn read(mut file: File) -> Result<Self> {
        file.rewind().context("cannot rewind a temporary file")?;
        let mut spool = Self {
            file: file.try_clone().context("cannot share a file")?,
            entries: Vec::new(),
            lists: Lists::default(),
            links: HashMap::new(),
            newest: 0,
        };
        let mut start = 0;
        let mut archive = tar::Archive::new(file);
        for entry in archive.entries_with_seek().context("cannot read a temporary file")? {
            let mut entry = entry.context("cannot read a temporary file")?;
            let path = entry.path_bytes();
            let name = path.strip_suffix(b"/").unwrap_or(&path).to_vec();
            let end = entry.raw_file_position() + entry.size().next_multiple_of(BLOCK);
            spool.newest = spool.newest.max(entry.header().mtime()?);
            let kind = match entry.header().entry_type() {
                EntryType::Directory => Kind::Folder,
                EntryType::Link => Kind::Link,
                EntryType::Symlink => {
                    if let Some(target) = entry.link_name_bytes() {
                        spool.links.insert(name.clone(), target.into_owned());
                    }
                    Kind::Entry
                }
                EntryType::Regular if spool.lists.want(&name) => {
                    let mut content = Vec::new();
                    entry.by_ref().take(MOST_LIST).read_to_end(&mut content)?;
                    spool.lists.add(&name, &content);
                    Kind::Entry
                }
                _ => Kind::Entry,
            };
            spool.entries.push((kind, name, start..end));
            start = end;
        }
        Ok(spool)
    }

    /// Says that the tree's packages cannot be read.
    pub fn note(&self) -> Option<&'static str> {
        self.lists.note()
    }

    /// Writes the tree with its files in the order of their packages.
    pub fn write(mut self, to: &mut dyn Write) -> Result<()> {
        let order = self.lists.order(&|path| self.links.get(path).cloned());
        let mut entries: Vec<_> = self
            .entries
            .into_iter()
            .map(|(kind, name, range)| {
                let place = if kind == Kind::Entry { order.place(&name) } else { 0 };
                (kind, place, name, range)
            })
            .collect();
        entries.sort_unstable_by(|left, right| (left.0, left.1, &left.2).cmp(&(right.0, right.1, &right.2)));
        for (.., range) in entries {
            self.file.seek(SeekFrom::Start(range.start))?;
            io::copy(&mut (&self.file).take(range.end - range.start), to)?;
        }
        // The end of a tar file.
        to.write_all(&[0; 2 * BLOCK as usize])?;
        Ok(to.flush()?)
    }
}
