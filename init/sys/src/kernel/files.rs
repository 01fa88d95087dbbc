//! Reads, lists and inspects files. Each call first walks to the parent directory (see [`walk`]), and then works with the
//! open directory.

use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat, statat};
use rustix::io::Errno;

use super::Tried;
use super::walk::{self, Last, Missing, Spot};
use crate::{Cause, Entry, FileKind, Links, Result, Rights, SysError, TreePath};

/// Larger files are not configuration files.
const READ_LIMIT: u64 = 64 << 20;
/// The boot never needs to list larger directories.
const LIST_LIMIT: usize = 100_000;

pub(super) fn read(path: &TreePath) -> Result<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(READ_LIMIT + 1).read_to_end(&mut bytes).tried("read", path)?;
    if bytes.len() as u64 > READ_LIMIT {
        let words = "it has more than 64 MiB, which is more than a configuration file can have";
        return Err(SysError::new("read", path.to_string(), Cause::Errno(libc::EFBIG), words));
    }
    Ok(bytes)
}

pub(super) fn read_at(path: &TreePath, offset: u64, len: usize) -> Result<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).tried("read", format!("{path} at byte {offset}")),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

pub(super) fn check_unused(device: &TreePath) -> Result<()> {
    let spot = walk::find(device, Last::Stays, Missing::Fails)?;
    spot.open(OFlags::RDONLY | OFlags::EXCL, Mode::empty()).map(drop).tried("open exclusively", device)
}

/// Opens a file for reading. In a tree that others may have written to, only regular files are allowed: a pipe would
/// block until a writer appears, and opening a device has side effects of its driver.
pub(super) fn open(path: &TreePath) -> Result<File> {
    let spot = walk::find(path, Last::Followed, Missing::Fails)?;
    if path.tree().links() == Links::OwnRoot {
        return spot.open(OFlags::RDONLY, Mode::empty()).map(File::from).tried("open", path);
    }
    let kind = look(&spot).map(|stat| FileType::from_raw_mode(stat.st_mode)).tried("open", path)?;
    if kind != FileType::RegularFile {
        return Err(SysError::new(
            "open",
            path.to_string(),
            Cause::Errno(libc::EINVAL),
            "it is not a regular file",
        ));
    }
    spot.open(OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty())
        .map(File::from)
        .tried("open", path)
}

pub(super) fn look(spot: &Spot) -> std::result::Result<Stat, Errno> {
    statat(spot.folder(), spot.name(), AtFlags::SYMLINK_NOFOLLOW)
}

pub(super) fn list(dir: &TreePath) -> Result<Vec<Entry>> {
    let spot = walk::find(dir, Last::Followed, Missing::Fails)?;
    let folder = spot.open(OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).tried("list", dir)?;
    let mut entries = Vec::new();
    let mut buffer = [MaybeUninit::uninit(); 8 << 10];
    let mut found = RawDir::new(&folder, &mut buffer);
    while let Some(entry) = found.next() {
        let entry = entry.tried("list", dir)?;
        let Ok(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            // The file system does not store file types in directories.
            FileType::Unknown => match statat(&folder, name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                // It was removed in the meantime, which happens in /sys.
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(errno).tried("inspect", dir.join(&name)),
            },
            kind => kind,
        };
        if entries.len() == LIST_LIMIT {
            let words = format!("it has more than {LIST_LIMIT} entries");
            return Err(SysError::new("list", dir.to_string(), Cause::Errno(libc::E2BIG), words));
        }
        entries.push(Entry { name, is_dir: kind == FileType::Directory });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Opens a directory for listing.
pub(super) fn open_folder(dir: &TreePath) -> Result<OwnedFd> {
    let spot = walk::find(dir, Last::Followed, Missing::Fails)?;
    spot.open(OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).tried("open the directory", dir)
}

pub(super) fn inspect(path: &TreePath) -> Result<Option<FileKind>> {
    let found =
        walk::find(path, Last::Stays, Missing::Fails).and_then(|spot| look(&spot).tried("inspect", path));
    let stat = match found {
        Ok(stat) => stat,
        Err(error) if matches!(error.errno(), Some(libc::ENOENT | libc::ENOTDIR)) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => FileKind::File(stat.st_size as u64),
        FileType::Directory => FileKind::Dir,
        FileType::Symlink => FileKind::Symlink,
        FileType::BlockDevice => FileKind::Block,
        _ => FileKind::Other,
    }))
}

pub(super) fn rights(path: &TreePath) -> Result<Rights> {
    let spot = walk::find(path, Last::Stays, Missing::Fails)?;
    let stat = look(&spot).tried("inspect", path)?;
    Ok(Rights { mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::own;

    #[test]
    fn what_is_not_there_is_not_found() {
        let gone = &own("/nowhere/file");
        assert!(read(gone).unwrap_err().is_not_found());
        assert!(list(gone).unwrap_err().is_not_found());
        assert_eq!(inspect(gone).unwrap(), None);
        assert_eq!(inspect(&own("/proc/version/below")).unwrap(), None);
        assert_eq!(
            read(gone).unwrap_err().to_string(),
            "open /nowhere/file: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn reading_at_an_offset_is_short_at_the_end() {
        let file = std::env::temp_dir().join(format!("dayfly-sys-at-{}", std::process::id()));
        fs::write(&file, "0123456789").unwrap();
        for (offset, len, expected) in [(0, 4, "0123"), (8, 4, "89"), (10, 4, ""), (99, 1, ""), (2, 0, "")] {
            assert_eq!(read_at(&own(&file), offset, len).unwrap(), expected.as_bytes(), "{offset}+{len}");
        }
        fs::remove_file(file).unwrap();
    }
}
