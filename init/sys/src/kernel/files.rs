//! Files and folders.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Tried;
use crate::{Cause, Entry, FileKind, Result, Rights, SysError};

/// What is larger than this is no configuration.
const READ_LIMIT: u64 = 64 << 20;

pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let shown = &path.display();
    let file = File::open(path).tried("open", shown)?;
    let mut bytes = Vec::new();
    file.take(READ_LIMIT + 1).read_to_end(&mut bytes).tried("read", shown)?;
    if bytes.len() as u64 > READ_LIMIT {
        let words = "it has more than 64 MiB, which is more than a configuration file can have";
        return Err(SysError::new("read", shown.to_string(), Cause::Errno(libc::EFBIG), words));
    }
    Ok(bytes)
}

pub(super) fn read_at(path: &Path, offset: u64, len: usize) -> Result<Vec<u8>> {
    let shown = &path.display();
    let file = File::open(path).tried("open", shown)?;
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).tried("read", format!("{shown} at byte {offset}")),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

pub(super) fn check_unused(device: &Path) -> Result<()> {
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_EXCL | libc::O_NOFOLLOW).open(device);
    opened.map(drop).tried("open for this boot alone", device.display())
}

pub(super) fn list(dir: &Path) -> Result<Vec<Entry>> {
    let shown = &dir.display();
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).tried("list", shown)? {
        let entry = entry.tried("list", shown)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_dir = match entry.file_type() {
            Ok(kind) => kind.is_dir(),
            // It went away between the listing and the look: /sys does that.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).tried("inspect", entry.path().display()),
        };
        entries.push(Entry { name, is_dir });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

pub(super) fn inspect(path: &Path) -> Result<Option<FileKind>> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => return Ok(None),
        Err(error) => return Err(error).tried("inspect", path.display()),
    };
    let kind = metadata.file_type();
    Ok(Some(if kind.is_file() {
        FileKind::File(metadata.len())
    } else if kind.is_dir() {
        FileKind::Dir
    } else if kind.is_symlink() {
        FileKind::Symlink
    } else if kind.is_block_device() {
        FileKind::Block
    } else {
        FileKind::Other
    }))
}

pub(super) fn rights(path: &Path) -> Result<Rights> {
    let metadata = fs::symlink_metadata(path).tried("inspect", path.display())?;
    Ok(Rights { mode: metadata.mode() & 0o7777, uid: metadata.uid(), gid: metadata.gid() })
}

pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    if path.starts_with("/proc") || path.starts_with("/sys") {
        return write_in_place(path, bytes);
    }
    let shown = &path.display();
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        let words = "the path has no file name; expected an absolute path of a file";
        return Err(SysError::new("write", shown.to_string(), Cause::Errno(libc::EISDIR), words));
    };
    make_parents(parent)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".dayfly");
    let temporary = parent.join(hidden);
    let written =
        fill(&temporary, bytes, mode).and_then(|()| fs::rename(&temporary, path).tried("write", shown));
    if written.is_err() {
        // The error that matters is the first one; a left-over temporary file is replaced by the next attempt.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn fill(temporary: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let shown = &temporary.display();
    // A left-over of an attempt that power ended; whatever it is, it is not followed.
    let _ = fs::remove_file(temporary);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .custom_flags(libc::O_NOFOLLOW)
        .open(temporary)
        .tried("create", shown)?;
    file.write_all(bytes).tried("write", shown)?;
    // The mode again, without the umask.
    file.set_permissions(fs::Permissions::from_mode(mode)).tried("set the mode of", shown)?;
    // On a disk, the rename may reach it before the bytes do, and a power cut then leaves an empty file. In memory
    // (the overlay's upper layer, /run) there is nothing to wait for.
    let in_memory = rustix::fs::fstatfs(&file).is_ok_and(|fs| is_memory(fs.f_type as u64));
    if in_memory { Ok(()) } else { file.sync_data().tried("flush", shown) }
}

/// tmpfs and ramfs, by their magic numbers (statfs(2)).
pub(super) fn is_memory(magic: u64) -> bool {
    const RAMFS_MAGIC: u64 = 0x8584_58f6;
    const TMPFS_MAGIC: u64 = 0x0102_1994;
    matches!(magic & 0xffff_ffff, RAMFS_MAGIC | TMPFS_MAGIC)
}

/// One write(2): the kernel takes each as a whole value.
fn write_in_place(path: &Path, bytes: &[u8]) -> Result<()> {
    let shown = &path.display();
    let mut file = OpenOptions::new().write(true).open(path).tried("open", shown)?;
    loop {
        match file.write(bytes) {
            Ok(count) if count == bytes.len() => return Ok(()),
            Ok(count) => {
                let words = format!("the kernel took {count} of {} bytes", bytes.len());
                return Err(SysError::new("write", shown.to_string(), Cause::Protocol, words));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let value =
                    String::from_utf8_lossy(bytes.get(..bytes.len().min(80)).unwrap_or(bytes)).into_owned();
                return Err(error).tried(&format!("write {:?} to", value.trim_end()), shown);
            }
        }
    }
}

fn make_parents(dir: &Path) -> Result<()> {
    make_dir(dir, 0o755)
}

pub(super) fn make_dir(path: &Path, mode: u32) -> Result<()> {
    // Walk up to what exists, then down again: the common case is one system call.
    let mut missing: Vec<PathBuf> = Vec::new();
    let mut at = path;
    loop {
        match fs::metadata(at) {
            Ok(metadata) if metadata.is_dir() => break,
            Ok(_) => {
                let words = format!("{} is there and is not a folder", at.display());
                return Err(SysError::new(
                    "make the folder",
                    path.display().to_string(),
                    Cause::Errno(libc::ENOTDIR),
                    words,
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                missing.push(at.to_path_buf());
                match at.parent() {
                    Some(parent) if !parent.as_os_str().is_empty() => at = parent,
                    _ => break,
                }
            }
            Err(error) => return Err(error).tried("inspect", at.display()),
        }
    }
    for dir in missing.iter().rev() {
        let mode = if dir == path { mode } else { 0o755 };
        match fs::DirBuilder::new().mode(mode).create(dir) {
            // Another step made it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            done => done.tried("make the folder", dir.display())?,
        }
        // The mode again, without the umask.
        fs::set_permissions(dir, fs::Permissions::from_mode(mode)).tried("set the mode of", dir.display())?;
    }
    Ok(())
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).tried("rename", format!("{} to {}", from.display(), to.display()))
}

pub(super) fn symlink(target: &Path, link: &Path) -> Result<()> {
    if let Some(parent) = link.parent() {
        make_parents(parent)?;
    }
    let words = || format!("{} -> {}", link.display(), target.display());
    match std::os::unix::fs::symlink(target, link) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Fails for a folder, which is the answer then.
            fs::remove_file(link).tried("replace by a symlink", link.display())?;
            std::os::unix::fs::symlink(target, link).tried("make the symlink", words())
        }
        made => made.tried("make the symlink", words()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("dayfly-sys-{name}-{}", std::process::id()));
        // Left by a run that was killed.
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).unwrap();
        dir
    }

    #[test]
    fn a_file_is_put_in_place_with_its_mode_and_folders() {
        let dir = folder("write");
        let path = dir.join("a/b/file");
        for (bytes, mode) in [(&b"one"[..], 0o600), (b"two, longer", 0o4755), (b"", 0o444)] {
            write(&path, bytes, mode).unwrap();
            assert_eq!(read(&path).unwrap(), bytes);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
        }
        assert_eq!(list(&dir.join("a/b")).unwrap(), [Entry { name: "file".into(), is_dir: false }]);
        assert_eq!(inspect(&path).unwrap(), Some(FileKind::File(0)));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_symlink_in_the_way_is_replaced_not_followed() {
        let dir = folder("follow");
        fs::write(dir.join("victim"), "safe").unwrap();
        std::os::unix::fs::symlink("victim", dir.join("link")).unwrap();
        write(&dir.join("link"), b"new", 0o644).unwrap();
        assert_eq!(fs::read(dir.join("victim")).unwrap(), b"safe");
        assert_eq!(inspect(&dir.join("link")).unwrap(), Some(FileKind::File(3)));
        symlink(Path::new("/other"), &dir.join("link")).unwrap();
        assert_eq!(fs::read_link(dir.join("link")).unwrap(), Path::new("/other"));
        let error = symlink(Path::new("/x"), &dir).unwrap_err();
        assert!(error.to_string().starts_with("replace by a symlink "), "{error}");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_folder_that_exists_is_left_as_it_is() {
        let dir = folder("dirs");
        make_dir(&dir.join("x/y"), 0o700).unwrap();
        make_dir(&dir.join("x/y"), 0o755).unwrap();
        assert_eq!(fs::metadata(dir.join("x/y")).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(fs::metadata(dir.join("x")).unwrap().mode() & 0o7777, 0o755);
        fs::write(dir.join("file"), "").unwrap();
        let error = make_dir(&dir.join("file/below"), 0o755).unwrap_err();
        assert_eq!(error.errno(), Some(libc::ENOTDIR), "{error}");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let gone = Path::new("/nowhere/file");
        assert!(read(gone).unwrap_err().is_not_found());
        assert!(list(gone).unwrap_err().is_not_found());
        assert_eq!(inspect(gone).unwrap(), None);
        assert_eq!(inspect(Path::new("/proc/version/below")).unwrap(), None);
        assert_eq!(
            read(gone).unwrap_err().to_string(),
            "open /nowhere/file: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn reading_at_an_offset_is_short_at_the_end() {
        let dir = folder("at");
        fs::write(dir.join("f"), "0123456789").unwrap();
        for (offset, len, expected) in [(0, 4, "0123"), (8, 4, "89"), (10, 4, ""), (99, 1, ""), (2, 0, "")] {
            assert_eq!(read_at(&dir.join("f"), offset, len).unwrap(), expected.as_bytes(), "{offset}+{len}");
        }
        fs::remove_dir_all(dir).unwrap();
    }
}
