//! Recognizes the user's image and prepares the file to serve.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::pack::form::{Form, check_length, recognize};
use crate::pack::tool::{FSCK_EROFS, UNSQUASHFS};
use crate::pack::{Packer, Purpose};

/// The machine that `dayfly try` runs.
const ARCHITECTURE: &str = "amd64";

/// An image to serve.
#[derive(Debug)]
pub struct Image {
    /// The file.
    pub file: PathBuf,
    /// The folder in which to look for a kernel: the image's tree, or parts of it.
    pub tree: PathBuf,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// The parts to extract from an image file: kernels, modules, their configuration, and a program that shows the machine.
const PARTS: &[&str] = &[
    "boot/vmlinuz*",
    "usr/lib/modules",
    "lib/modules",
    "etc/modprobe.d",
    "usr/lib/modprobe.d",
    "lib/modprobe.d",
    "usr/bin/sh",
    "usr/bin/dash",
    "usr/bin/bash",
    "bin/sh",
    "bin/busybox",
    "usr/bin/busybox",
];

/// Makes an image of `path` if it is not one. `work` takes the new files.
pub fn prepare(path: &Path, work: &Path) -> Result<Image> {
    let form = recognize(path)?;
    let tree = work.join("tree");
    fs::create_dir_all(&tree).with_context(|| format!("cannot make {}", tree.display()))?;
    let mut packer = Packer { purpose: Purpose::Try, work, notes: Vec::new() };
    let made = work.join("image");
    let file = match form {
        Form::Squashfs | Form::Erofs => {
            check_length(path)?;
            path.to_owned()
        }
        Form::Other(name) => {
            packer.notes.push(format!("the kernel is this host's: dayfly try cannot look for one in {name}"));
            path.to_owned()
        }
        Form::Folder => {
            eprintln!("making a squashfs of {}", path.display());
            packer.squashfs_of_folder(path, &made)?;
            return Ok(Image { file: made, tree: path.to_owned(), notes: packer.notes });
        }
        Form::Layout | Form::Tar => {
            eprintln!("making a squashfs of the layers of {}", path.display());
            packer.squashfs_of_archive(form, path, ARCHITECTURE, false, &made)?;
            made
        }
    };
    let mut notes = packer.notes;
    let looked = match form {
        Form::Other(_) => Ok(()),
        Form::Erofs => look_into_erofs(&file, &tree),
        _ => look_into_squashfs(&file, &tree),
    };
    if let Err(error) = looked {
        notes.push(format!("cannot look for a kernel in the image: {error:#}"));
    }
    Ok(Image { file, tree, notes })
}

fn look_into_squashfs(image: &Path, to: &Path) -> Result<()> {
    let mut arguments: Vec<OsString> =
        ["-quiet", "-no-progress", "-no-xattrs", "-force", "-dest"].map(OsString::from).to_vec();
    arguments.extend([to.into(), image.into()]);
    arguments.extend(PARTS.iter().map(OsString::from));
    UNSQUASHFS.call(arguments)
}

/// fsck.erofs can only extract the whole image.
fn look_into_erofs(image: &Path, to: &Path) -> Result<()> {
    let mut extract = OsString::from("--extract=");
    extract.push(to);
    FSCK_EROFS.call([extract, "--overwrite".into(), "--no-preserve".into(), image.into()])
}
