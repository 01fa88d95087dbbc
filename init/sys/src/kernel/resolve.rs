//! Where a path of the OS leads, seen from outside its root.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::Tried;
use crate::{Cause, Result, SysError};

/// As the kernel's own limit (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Follows symlinks as a process in that root does. What does not exist is taken as it is written.
pub(super) fn resolve(root: &Path, path: &Path) -> Result<PathBuf> {
    let refuse = |errno: i32, words: String| {
        Err(SysError::new("follow", path.display().to_string(), Cause::Errno(errno), words))
    };
    let mut inside = PathBuf::new();
    let mut rest = parts(path);
    let mut links = 0;
    while let Some(part) = rest.pop() {
        if part == ".." {
            inside.pop();
            continue;
        }
        let next = root.join(&inside).join(&part);
        let metadata = match fs::symlink_metadata(&next) {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                inside.push(part);
                continue;
            }
            Err(error) => return Err(error).tried("follow", next.display()),
        };
        if !metadata.is_symlink() {
            inside.push(part);
            continue;
        }
        if metadata.uid() != 0 {
            let words = format!(
                "the symlink {} belongs to the user {}, who could lead it anywhere: only symlinks of root are followed",
                next.display(),
                metadata.uid()
            );
            return refuse(libc::EPERM, words);
        }
        links += 1;
        if links > MOST_LINKS {
            return refuse(libc::ELOOP, format!("it has more than {MOST_LINKS} symlinks on its way"));
        }
        let target = fs::read_link(&next).tried("read the symlink", next.display())?;
        if target.is_absolute() {
            inside = PathBuf::new();
        }
        rest.extend(parts(&target));
    }
    Ok(root.join(inside))
}

/// Names and `..` of a path, the first one last.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_path_leads_where_the_os_will_find_it() {
        let root = std::env::temp_dir().join(format!("dayfly-sys-resolve-{}", std::process::id()));
        // Left by a run that was killed.
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("usr/lib")).unwrap();
        fs::create_dir_all(root.join("var")).unwrap();
        for (link, target) in [
            ("lib", "usr/lib"),
            ("var/run", "/run"),
            ("up", "../../../../usr"),
            ("loop", "loop"),
            ("usr/absolute", "/lib/x"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        let root_is_root = fs::symlink_metadata(root.join("lib")).unwrap().uid() == 0;
        if !root_is_root {
            let error = resolve(&root, Path::new("/lib/a")).unwrap_err();
            assert!(error.words.contains("only symlinks of root"), "{error}");
            return;
        }
        for (path, found) in [
            ("/etc/new/file", "etc/new/file"),
            ("/lib/a", "usr/lib/a"),
            ("/var/run/x", "run/x"),
            ("/up/y", "usr/y"),
            ("/usr/absolute/z", "usr/lib/x/z"),
            ("/../../z", "z"),
            ("/", ""),
        ] {
            assert_eq!(resolve(&root, Path::new(path)).unwrap(), root.join(found), "{path}");
        }
        let error = resolve(&root, Path::new("/loop/x")).unwrap_err();
        assert_eq!(error.errno(), Some(libc::ELOOP));
        std::os::unix::fs::lchown(root.join("lib"), Some(1000), Some(1000)).unwrap();
        let error = resolve(&root, Path::new("/lib/a")).unwrap_err();
        assert!(error.words.contains("belongs to the user 1000"), "{error}");
        fs::remove_dir_all(root).unwrap();
    }
}
