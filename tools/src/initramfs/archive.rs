//! The cpio archive in the "newc" format, as the kernel's initramfs buffer format document describes it.
//!
//! Entries are sorted by path and numbered in that order, owners are root, times are one given second: the same
//! entries give the same bytes.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::{Result, bail};

const S_IFCHR: u32 = 0o020_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A folder.
    Directory,
    /// A file and its bytes.
    File(Vec<u8>),
    /// A symbolic link and its target.
    Symlink(String),
    /// A character device: major, minor.
    CharDevice(u32, u32),
}

/// An entry: what it is, and its permission bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub node: Node,
    pub mode: u32,
}

/// A tree of entries by absolute path.
#[derive(Debug, Default)]
pub struct Archive {
    entries: BTreeMap<String, Entry>,
}

impl Archive {
    /// Adds an entry at an absolute path, and the folders above it (0755).
    pub fn add(&mut self, path: &str, mode: u32, node: Node) -> Result<()> {
        let Some(relative) = path.strip_prefix('/') else {
            bail!("{path:?} is not an absolute path inside the image")
        };
        if relative.split('/').any(|part| matches!(part, "" | "." | "..")) || relative.contains('\0') {
            bail!(
                "{path:?} is not a plain path inside the image: it must not hold empty parts, \".\" or \"..\""
            );
        }
        for (slash, _) in relative.match_indices('/') {
            let parent = &relative[..slash];
            let folder = Entry { node: Node::Directory, mode: 0o755 };
            if self.entries.entry(parent.to_owned()).or_insert(folder).node != Node::Directory {
                bail!("/{parent} cannot be a folder and something else at once; {path} needs it as a folder");
            }
        }
        match self.entries.get(relative) {
            Some(old) if old.node == Node::Directory && node == Node::Directory => {}
            Some(_) => bail!("{path} would be in the image twice"),
            None => {
                self.entries.insert(relative.to_owned(), Entry { node, mode });
            }
        }
        Ok(())
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, mode: u32, bytes: Vec<u8>) -> Result<()> {
        self.add(path, mode, Node::File(bytes))
    }

    /// Adds a folder.
    pub fn directory(&mut self, path: &str) -> Result<()> {
        self.add(path, 0o755, Node::Directory)
    }

    /// Writes the archive; `mtime` in seconds since 1970.
    pub fn write(&self, out: &mut impl Write, mtime: u32) -> io::Result<()> {
        let mut out = Counted { out, written: 0 };
        for (number, (path, entry)) in (1_u32..).zip(&self.entries) {
            let (kind, links, data, device) = match &entry.node {
                Node::Directory => (S_IFDIR, 2, &[][..], (0, 0)),
                Node::File(bytes) => (S_IFREG, 1, bytes.as_slice(), (0, 0)),
                Node::Symlink(target) => (S_IFLNK, 1, target.as_bytes(), (0, 0)),
                Node::CharDevice(major, minor) => (S_IFCHR, 1, &[][..], (*major, *minor)),
            };
            let header = Header { inode: number, mode: kind | entry.mode, links, mtime, device };
            header.write(&mut out, path, data)?;
        }
        let trailer = Header { inode: 0, mode: 0, links: 1, mtime: 0, device: (0, 0) };
        trailer.write(&mut out, "TRAILER!!!", &[])?;
        // Boot loaders may append other archives, at multiples of this.
        out.pad(512)
    }
}

struct Header {
    inode: u32,
    mode: u32,
    links: u32,
    mtime: u32,
    device: (u32, u32),
}

impl Header {
    fn write<W: Write>(&self, out: &mut Counted<'_, W>, path: &str, data: &[u8]) -> io::Result<()> {
        let too_large = |_| io::Error::other(format!("{path} is 4 GiB or larger; cpio cannot hold it"));
        let size = u32::try_from(data.len()).map_err(too_large)?;
        let name_size = u32::try_from(path.len() + 1).map_err(too_large)?;
        let fields = [
            self.inode,
            self.mode,
            0, // owner
            0, // group
            self.links,
            self.mtime,
            size,
            0, // device of the file system
            0,
            self.device.0,
            self.device.1,
            name_size,
            0, // checksum, not used by this format
        ];
        out.write_all(b"070701")?;
        for field in fields {
            write!(out, "{field:08X}")?;
        }
        out.write_all(path.as_bytes())?;
        out.write_all(&[0])?;
        out.pad(4)?;
        out.write_all(data)?;
        out.pad(4)
    }
}

/// Counts bytes to know where padding ends.
struct Counted<'a, W> {
    out: &'a mut W,
    written: usize,
}

impl<W: Write> Counted<'_, W> {
    fn pad(&mut self, align: usize) -> io::Result<()> {
        let missing = self.written.next_multiple_of(align) - self.written;
        self.write_all(&vec![0; missing])
    }
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.written += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_as_the_format_says() {
        let mut archive = Archive::default();
        archive.file("/a/b", 0o755, b"hello".to_vec()).expect("a plain path");
        archive.add("/a/c", 0o600, Node::CharDevice(5, 1)).expect("a plain path");
        let mut bytes = Vec::new();
        archive.write(&mut bytes, 0x1234).expect("writing to memory");
        assert_eq!(bytes.len() % 512, 0);
        let text = String::from_utf8(bytes).expect("ascii");
        let expected = concat!(
            "070701",
            "00000001",
            "000041ED",
            "00000000",
            "00000000",
            "00000002",
            "00001234",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000002",
            "00000000",
            "a\0",
            "070701",
            "00000002",
            "000081ED",
            "00000000",
            "00000000",
            "00000001",
            "00001234",
            "00000005",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000004",
            "00000000",
            "a/b\0\0\0",
            "hello\0\0\0",
            "070701",
            "00000003",
            "00002180",
            "00000000",
            "00000000",
            "00000001",
            "00001234",
            "00000000",
            "00000000",
            "00000000",
            "00000005",
            "00000001",
            "00000004",
            "00000000",
            "a/c\0\0\0",
        );
        assert!(text.starts_with(expected), "{text:?}");
    }

    #[test]
    fn paths_that_cannot_be_are_refused() {
        let mut archive = Archive::default();
        archive.file("/etc/x", 0o644, Vec::new()).expect("a plain path");
        archive.directory("/etc").expect("a folder twice is fine");
        for (path, expected) in [
            ("etc/y", "\"etc/y\" is not an absolute path inside the image"),
            ("/etc/../y", "\"/etc/../y\" is not a plain path inside the image"),
            ("/etc//y", "\"/etc//y\" is not a plain path inside the image"),
            ("/", "\"/\" is not a plain path inside the image"),
            ("/etc/x", "/etc/x would be in the image twice"),
            ("/etc/x/y", "/etc/x cannot be a folder and something else at once"),
        ] {
            let error = archive.file(path, 0o644, Vec::new()).expect_err(path).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
