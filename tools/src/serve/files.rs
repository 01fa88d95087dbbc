//! The files of one folder, and nothing outside of it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use percent_encoding::percent_decode_str;
use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;

/// How often to try a lookup that collides with a rename (openat2(2), EAGAIN).
const TRIES: u32 = 16;

/// An open folder. The kernel itself keeps every lookup below it (openat2(2), Linux 5.6), so neither `..` nor a link that
/// changes meanwhile leads out.
pub struct Folder {
    folder: OwnedFd,
    follow_links: bool,
}

/// A file to send.
#[derive(Debug)]
pub struct Found {
    /// The open file, at its beginning.
    pub file: File,
    /// Its size when it was opened.
    pub length: u64,
    /// Changes when the file does (RFC 9110, section 8.8.3): inode, size and time of change.
    pub etag: String,
}

/// Why there is no file.
#[derive(Debug)]
pub enum Refusal {
    /// The request's path has `..` or a zero byte.
    Malformed,
    /// No plain file has this name.
    Missing,
    /// The kernel refuses to read it.
    Forbidden,
    /// The file is outside of the folder.
    Outside,
    /// Another error of the kernel.
    Failed(io::Error),
}

impl Folder {
    /// Opens the folder.
    pub fn open(path: &Path, follow_links: bool) -> Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
        let folder = open(path, flags, Mode::empty())
            .with_context(|| format!("cannot open the folder {} to serve it", path.display()))?;
        Ok(Self { folder, follow_links })
    }

    /// The plain file that the path of a request (percent-encoded, without the query) names.
    pub fn find(&self, path: &str) -> Result<Found, Refusal> {
        let decoded: Vec<u8> = percent_decode_str(path).collect();
        if decoded.contains(&0) || decoded.split(|&byte| byte == b'/').any(|part| part == b"..") {
            return Err(Refusal::Malformed);
        }
        let first = decoded.iter().position(|&byte| byte != b'/').ok_or(Refusal::Missing)?;
        let relative = Path::new(std::ffi::OsStr::from_bytes(decoded.get(first..).unwrap_or_default()));
        let file = File::from(self.look_up(relative)?);
        let metadata = file.metadata().map_err(Refusal::Failed)?;
        // O_NONBLOCK: the open does not wait for the other end of a FIFO. The kernel has refused a trailing slash.
        if !metadata.is_file() {
            return Err(Refusal::Missing);
        }
        let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
        let etag = format!("\"{:x}-{:x}-{seconds:x}.{nanoseconds:x}\"", metadata.ino(), metadata.len());
        Ok(Found { file, length: metadata.len(), etag })
    }

    fn look_up(&self, path: &Path) -> Result<OwnedFd, Refusal> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let links = if self.follow_links { ResolveFlags::empty() } else { ResolveFlags::BENEATH };
        let resolve = links | ResolveFlags::NO_MAGICLINKS;
        let mut outcome = Err(Errno::AGAIN);
        for _ in 0..TRIES {
            outcome = openat2(&self.folder, path, flags, Mode::empty(), resolve);
            if !matches!(outcome, Err(Errno::AGAIN)) {
                break;
            }
        }
        outcome.map_err(|error| match error {
            Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::NXIO => Refusal::Missing,
            Errno::ACCESS | Errno::PERM | Errno::LOOP => Refusal::Forbidden,
            Errno::XDEV => Refusal::Outside,
            other => Refusal::Failed(other.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn word(found: Result<Found, Refusal>) -> String {
        match found {
            Ok(found) => io::read_to_string(found.file).expect("readable"),
            Err(refusal) => format!("{refusal:?}"),
        }
    }

    #[test]
    fn only_plain_files_of_the_folder() {
        let outer = tempfile::tempdir().expect("a folder");
        let dir = outer.path().join("www");
        fs::create_dir_all(dir.join("sub")).expect("a folder");
        for (path, text) in [("www/a", "A"), ("www/sub/b c", "B"), ("www/%41", "P"), ("outside", "O")] {
            fs::write(outer.path().join(path), text).expect("a file");
        }
        for (target, name) in [
            ("a", "inside"),
            ("../a", "sub/up"),
            ("../outside", "out"),
            ("/proc/self/root/etc/passwd", "magic"),
            ("loop", "loop"),
            ("nowhere", "dangling"),
        ] {
            symlink(target, dir.join(name)).expect("a link");
        }
        symlink(outer.path().join("outside"), dir.join("absolute")).expect("a link");
        rustix::fs::mknodat(rustix::fs::CWD, dir.join("pipe"), rustix::fs::FileType::Fifo, Mode::RUSR, 0)
            .expect("a pipe");
        let (strict, follows) =
            (Folder::open(&dir, false).expect("opens"), Folder::open(&dir, true).expect("opens"));
        let table = [
            ("/a", "A", "A"),
            ("//./a", "A", "A"),
            ("/%61", "A", "A"),
            ("/sub/b%20c", "B", "B"),
            ("/sub%2Fb%20c", "B", "B"),
            ("/%2541", "P", "P"),
            ("/inside", "A", "A"),
            ("/sub/up", "A", "A"),
            ("/out", "Outside", "O"),
            ("/absolute", "Outside", "O"),
            ("/magic", "Outside", "Forbidden"),
            ("/loop", "Forbidden", "Forbidden"),
            ("/dangling", "Missing", "Missing"),
            ("/", "Missing", "Missing"),
            ("", "Missing", "Missing"),
            ("/sub", "Missing", "Missing"),
            ("/sub/", "Missing", "Missing"),
            ("/a/", "Missing", "Missing"),
            ("/a/b", "Missing", "Missing"),
            ("/pipe", "Missing", "Missing"),
            ("/../outside", "Malformed", "Malformed"),
            ("/sub/../a", "Malformed", "Malformed"),
            ("/%2e%2E/outside", "Malformed", "Malformed"),
            ("/..%2foutside", "Malformed", "Malformed"),
            ("/a%00", "Malformed", "Malformed"),
            ("/..a", "Missing", "Missing"),
        ];
        for (path, without, with) in table {
            assert_eq!(word(strict.find(path)), without, "{path}");
            assert_eq!(word(follows.find(path)), with, "{path}, following links");
        }
        assert!(matches!(strict.find(&format!("/{}", "x".repeat(300))), Err(Refusal::Missing)));
    }

    #[test]
    fn a_changed_file_has_another_etag() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(dir.path(), false).expect("opens");
        let etag = || folder.find("/a").expect("is there").etag;
        fs::write(dir.path().join("a"), "one").expect("a file");
        let first = etag();
        assert_eq!(first, etag());
        fs::write(dir.path().join("b"), "two").expect("a file");
        fs::rename(dir.path().join("b"), dir.path().join("a")).expect("renamed");
        assert_ne!(first, etag());
    }
}
