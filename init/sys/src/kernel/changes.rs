//! Creates, replaces and renames files, directories and symlinks, each in its open parent directory (see [`walk`]).

use std::ffi::{CString, OsStr};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, chmodat, chownat, mkdirat,
    renameat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::files::look;
use super::walk::{self, Last, Missing, Spot};
use super::{Tried, labels};
use crate::{Cause, Links, Result, SysError, TreePath};

pub(crate) fn write(path: &TreePath, bytes: &[u8], mode: u32) -> Result<()> {
    let is_own = path.tree().links() == Links::OwnRoot;
    let outside = path.outside();
    if is_own && (outside.starts_with("/proc") || outside.starts_with("/sys")) {
        return write_in_place(&outside, bytes);
    }
    if path.file_name().is_none() {
        let words = "the path has no file name; expected an absolute path of a file";
        return Err(SysError::new("write", path.to_string(), Cause::Errno(libc::EISDIR), words));
    }
    let spot = walk::find(path, Last::Stays, Missing::Made)?;
    let temporary = [b".", spot.name().to_bytes(), b".dayfly"].concat();
    let temporary = CString::new(temporary).map_err(|_| Errno::INVAL).tried("write", path)?;
    let written = fill(&spot, &temporary, path, bytes, mode)
        .and_then(|()| renameat(spot.folder(), &temporary, spot.folder(), spot.name()).tried("write", path));
    if written.is_err() {
        // Report the first error. A leftover temporary file is replaced by the next attempt.
        let _ = unlinkat(spot.folder(), &temporary, AtFlags::empty());
    }
    written
}

fn fill(spot: &Spot, temporary: &CString, path: &TreePath, bytes: &[u8], mode: u32) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let create = || rustix::fs::openat(spot.folder(), temporary, flags, Mode::from_raw_mode(mode));
    let file = match create() {
        // A leftover of an attempt that was interrupted by a power failure, or any other file or directory at this
        // path.
        Err(Errno::EXIST) => {
            super::removal::remove_tree(&path.parent().join(OsStr::from_bytes(temporary.to_bytes())))?;
            create()
        }
        created => created,
    }
    .tried("create", path)?;
    let mut file = File::from(file);
    labels::put(&file, labels::for_name(spot.folder(), spot.name()).as_ref()).tried("label", path)?;
    file.write_all(bytes).tried("write", path)?;
    // Set the mode again, because the umask applies at creation.
    file.set_permissions(Permissions::from_mode(mode)).tried("set the mode of", path)?;
    // On a disk, the rename may be stored before the data, and a power failure then leaves an empty file. So sync
    // first. Files in memory (the overlay's upper layer, /run) need no sync.
    let in_memory = rustix::fs::fstatfs(&file).is_ok_and(|fs| is_memory(fs.f_type as u64));
    if in_memory { Ok(()) } else { file.sync_data().tried("flush", path) }
}

/// Whether it is tmpfs or ramfs, by the magic numbers (statfs(2)).
pub(super) fn is_memory(magic: u64) -> bool {
    const RAMFS_MAGIC: u64 = 0x8584_58f6;
    const TMPFS_MAGIC: u64 = 0x0102_1994;
    matches!(magic & 0xffff_ffff, RAMFS_MAGIC | TMPFS_MAGIC)
}

/// Uses one write(2), because the kernel treats each write as a complete value.
fn write_in_place(path: &Path, bytes: &[u8]) -> Result<()> {
    let shown = &path.display();
    let mut file = OpenOptions::new().write(true).open(path).tried("open", shown)?;
    loop {
        match file.write(bytes) {
            Ok(count) if count == bytes.len() => return Ok(()),
            Ok(count) => {
                let words = format!("the kernel accepted {count} of {} bytes", bytes.len());
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

pub(super) fn make_dir(path: &TreePath, mode: u32) -> Result<()> {
    if path.tree().links() == Links::OwnRoot {
        return make_own_dir(&path.outside(), mode);
    }
    let spot = walk::find(path, Last::Followed, Missing::Made)?;
    let bits = Mode::from_raw_mode(mode);
    match mkdirat(spot.folder(), spot.name(), bits) {
        Err(Errno::EXIST) => match look(&spot).tried("inspect", path)? {
            stat if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => Ok(()),
            _ => {
                let words = format!("{path} exists and is not a directory");
                Err(SysError::new(
                    "create the directory",
                    path.to_string(),
                    Cause::Errno(libc::ENOTDIR),
                    words,
                ))
            }
        },
        // Set the mode again, because the umask applies at creation.
        done => done
            .and_then(|()| chmodat(spot.folder(), spot.name(), bits, AtFlags::empty()))
            .and_then(|()| labels::inherit(spot.folder(), spot.name()))
            .tried("create the directory", path),
    }
}

/// Creates a directory in this process's own root, with its parents.
pub(super) fn make_own_dir(path: &Path, mode: u32) -> Result<()> {
    // Search upwards for an existing parent, then create downwards. The common case is one system call.
    let mut missing: Vec<PathBuf> = Vec::new();
    let mut at = path;
    loop {
        match fs::metadata(at) {
            Ok(metadata) if metadata.is_dir() => break,
            Ok(_) => {
                let words = format!("{} exists and is not a directory", at.display());
                return Err(SysError::new(
                    "create the directory",
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
            // Another step created it in the meantime.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            done => done.tried("create the directory", dir.display())?,
        }
        // Set the mode again, because the umask applies at creation.
        fs::set_permissions(dir, fs::Permissions::from_mode(mode)).tried("set the mode of", dir.display())?;
    }
    Ok(())
}

pub(super) fn rename(from: &TreePath, to: &TreePath) -> Result<()> {
    let source = walk::find(from, Last::Stays, Missing::Fails)?;
    let target = walk::find(to, Last::Stays, Missing::Fails)?;
    renameat(source.folder(), source.name(), target.folder(), target.name())
        .tried("rename", format!("{from} to {to}"))
}

pub(super) fn symlink(target: &Path, link: &TreePath) -> Result<()> {
    let spot = walk::find(link, Last::Stays, Missing::Made)?;
    let words = || format!("{link} -> {}", target.display());
    match symlinkat(target, spot.folder(), spot.name()) {
        Err(Errno::EXIST) => {
            // This fails for a directory, and that error is returned.
            unlinkat(spot.folder(), spot.name(), AtFlags::empty()).tried("replace by a symlink", link)?;
            symlinkat(target, spot.folder(), spot.name())
        }
        made => made,
    }
    .and_then(|()| labels::inherit(spot.folder(), spot.name()))
    .tried("create the symlink", words())
}

pub(super) fn set_owner(path: &TreePath, uid: u32, gid: u32) -> Result<()> {
    let spot = walk::find(path, Last::Stays, Missing::Fails)?;
    let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    chownat(spot.folder(), spot.name(), uid, gid, AtFlags::SYMLINK_NOFOLLOW).tried("set the owner of", path)
}

pub(super) fn set_modified(path: &TreePath, since_1970: u64) -> Result<()> {
    let spot = walk::find(path, Last::Stays, Missing::Fails)?;
    let seconds = i64::try_from(since_1970).unwrap_or(i64::MAX);
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: 0 },
    };
    utimensat(spot.folder(), spot.name(), &times, AtFlags::SYMLINK_NOFOLLOW).tried("set the time of", path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::super::files::{inspect, list, read};
    use super::*;
    use crate::{Entry, FileKind, own};

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("dayfly-sys-{name}-{}", std::process::id()));
        // A leftover of a test run that was killed.
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).unwrap();
        dir
    }

    #[test]
    fn a_file_is_as_old_as_it_is_to_be() {
        let dir = folder("modified");
        let path = dir.join("lease");
        write(&own(&path), b"lease", 0o644).unwrap();
        let accessed = fs::metadata(&path).unwrap().atime();
        set_modified(&own(&path), 1_700_000_000).unwrap();
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.mtime(), found.atime()), (1_700_000_000, accessed));
        assert!(set_modified(&own(dir.join("absent")), 0).unwrap_err().is_not_found());
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_file_is_put_in_place_with_its_mode_and_folders() {
        let dir = folder("write");
        let path = dir.join("a/b/file");
        for (bytes, mode) in [(&b"one"[..], 0o600), (b"two, longer", 0o4755), (b"", 0o444)] {
            write(&own(&path), bytes, mode).unwrap();
            assert_eq!(read(&own(&path)).unwrap(), bytes);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
        }
        assert_eq!(list(&own(dir.join("a/b"))).unwrap(), [Entry { name: "file".into(), is_dir: false }]);
        assert_eq!(inspect(&own(&path)).unwrap(), Some(FileKind::File(0)));
        fs::remove_dir_all(dir).unwrap();
    }

    /// Otherwise the file could never be written again.
    #[test]
    fn what_lies_at_the_temporary_name_makes_room() {
        let dir = folder("room");
        for (name, prepare) in [
            ("file", (|at| fs::write(at, "half").unwrap()) as fn(&Path)),
            ("link", |at| std::os::unix::fs::symlink("victim", at).unwrap()),
            ("folder", |at| fs::create_dir_all(at.join("not/empty")).unwrap()),
        ] {
            fs::write(dir.join("victim"), "safe").unwrap();
            prepare(&dir.join(format!(".{name}.dayfly")));
            write(&own(dir.join(name)), b"new", 0o600).unwrap();
            assert_eq!(fs::read(dir.join(name)).unwrap(), b"new");
            assert_eq!(fs::read(dir.join("victim")).unwrap(), b"safe");
            assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "{name}");
            fs::remove_file(dir.join(name)).unwrap();
        }
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_symlink_in_the_way_is_replaced_not_followed() {
        let dir = folder("follow");
        fs::write(dir.join("victim"), "safe").unwrap();
        std::os::unix::fs::symlink("victim", dir.join("link")).unwrap();
        write(&own(dir.join("link")), b"new", 0o644).unwrap();
        assert_eq!(fs::read(dir.join("victim")).unwrap(), b"safe");
        assert_eq!(inspect(&own(dir.join("link"))).unwrap(), Some(FileKind::File(3)));
        symlink(Path::new("/other"), &own(dir.join("link"))).unwrap();
        assert_eq!(fs::read_link(dir.join("link")).unwrap(), Path::new("/other"));
        let error = symlink(Path::new("/x"), &own(&dir)).unwrap_err();
        assert!(error.to_string().starts_with("replace by a symlink "), "{error}");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_folder_that_exists_is_left_as_it_is() {
        let dir = folder("dirs");
        make_dir(&own(dir.join("x/y")), 0o700).unwrap();
        make_dir(&own(dir.join("x/y")), 0o755).unwrap();
        assert_eq!(fs::metadata(dir.join("x/y")).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(fs::metadata(dir.join("x")).unwrap().mode() & 0o7777, 0o755);
        fs::write(dir.join("file"), "").unwrap();
        let error = make_dir(&own(dir.join("file/below")), 0o755).unwrap_err();
        assert_eq!(error.errno(), Some(libc::ENOTDIR), "{error}");
        fs::remove_dir_all(dir).unwrap();
    }
}
