//! Disks with a file system on them.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::command::call;

/// Makes an empty ext4 file system of `mebibytes` with a label at `path`.
pub fn ext4(path: &Path, label: &str, mebibytes: u64) -> Result<()> {
    let file = fs::File::create(path).with_context(|| format!("cannot make the disk {}", path.display()))?;
    file.set_len(mebibytes << 20)?;
    call("disk: ext4", "/sbin/mkfs.ext4", &["-q", "-F", "-L", label, &path.to_string_lossy()])?;
    Ok(())
}

/// Makes a FAT file system with a label that holds copies of `files` (path on the disk, file on the host).
pub fn vfat_with(path: &Path, label: &str, files: &[(&str, &Path)]) -> Result<()> {
    fs::File::create(path)?.set_len(8 << 20)?;
    let disk = path.to_string_lossy();
    call("disk: vfat", "/sbin/mkfs.vfat", &["-n", label, &disk])?;
    for (inside, outside) in files {
        let target = format!("::{inside}");
        call("disk: vfat with files", "mcopy", &["-i", &disk, &outside.to_string_lossy(), &target])?;
    }
    Ok(())
}

/// Makes an ISO 9660 image with a label that holds copies of `files`, with Rock Ridge and Joliet names, as clouds attach them.
pub fn iso_with(path: &Path, label: &str, files: &[(&str, &Path)]) -> Result<()> {
    let grafts: Vec<String> =
        files.iter().map(|(inside, outside)| format!("{inside}={}", outside.display())).collect();
    let path = path.to_string_lossy();
    let mut arguments =
        vec!["-quiet", "-joliet", "-rock", "-graft-points", "-volid", label, "-output", &path];
    arguments.extend(grafts.iter().map(String::as_str));
    call("disk: iso9660 with files", "genisoimage", &arguments)?;
    Ok(())
}

/// Makes an ext4 file system with a copy of a tree and 256 MiB of free space; `more` are arguments of mkfs.
pub(super) fn ext4_of(path: &Path, tree: &Path, more: &[&str]) -> Result<()> {
    let (tree, shown) = (tree.to_string_lossy(), path.to_string_lossy());
    let used = call(
        "disk: size of the tree",
        "du",
        &["--summarize", "--block-size=1M", "--one-file-system", &tree],
    )?;
    let used: u64 =
        used.split_whitespace().next().unwrap_or_default().parse().context("du gives no number")?;
    fs::File::create(path)?.set_len((used * 5 / 4 + 256) << 20)?;
    call(
        "disk: ext4 of a tree",
        "/sbin/mkfs.ext4",
        &[&["-q", "-F", "-d", &*tree], more, &[&*shown]].concat(),
    )?;
    Ok(())
}

/// Makes a labelled ext4 file system with copies of `files` (path on the disk, file on the host) and 64 MiB of free space.
pub fn ext4_with(path: &Path, label: &str, files: &[(&str, &Path)]) -> Result<()> {
    let tree = tempfile::tempdir()?;
    let mut bytes = 0;
    for (inside, outside) in files {
        let target = tree.path().join(inside);
        if let Some(dir) = target.parent() {
            fs::create_dir_all(dir)?;
        }
        bytes += fs::copy(outside, &target)
            .with_context(|| format!("cannot copy {} to a disk", outside.display()))?;
    }
    fs::File::create(path)?.set_len((bytes + (64 << 20)).next_multiple_of(1 << 20))?;
    let (tree, path) = (tree.path().to_string_lossy(), path.to_string_lossy());
    call("disk: ext4 with files", "/sbin/mkfs.ext4", &["-q", "-F", "-L", label, "-d", &tree, &path])?;
    Ok(())
}
