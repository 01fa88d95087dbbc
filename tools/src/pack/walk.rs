//! The entries of a folder, always in the same order.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};

use super::COVERED;
use super::tree::Name;

/// Calls `see` with the path and the metadata of each entry below `root`, sorted within each folder. Follows no links, and leaves
/// out the contents of the folders that a node covers.
pub fn walk(root: &Path, see: &mut dyn FnMut(&Name, &Metadata) -> Result<()>) -> Result<()> {
    let mut folders: Vec<Name> = vec![Vec::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(OsStr::from_bytes(&folder));
        let failed = || format!("cannot list {}", path.display());
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).with_context(failed)? {
            names.push(entry.with_context(failed)?.file_name());
        }
        names.sort_unstable();
        let mut below = Vec::new();
        for name in names {
            let path = path.join(&name);
            let meta =
                fs::symlink_metadata(&path).with_context(|| format!("cannot look at {}", path.display()))?;
            let mut inside = folder.clone();
            if !inside.is_empty() {
                inside.push(b'/');
            }
            inside.extend(name.into_vec());
            see(&inside, &meta)?;
            if meta.is_dir() && !COVERED.iter().any(|covered| covered.as_bytes() == inside) {
                below.push(inside);
            }
        }
        folders.extend(below.into_iter().rev());
    }
    Ok(())
}

/// The time of an entry in seconds since 1970.
pub fn seconds(meta: &Metadata) -> u64 {
    u64::try_from(meta.mtime()).unwrap_or(0)
}
