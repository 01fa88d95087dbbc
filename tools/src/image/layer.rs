//! Layers: what the user gives becomes a squashfs or an erofs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use dayfly_formats::oci::{Digest, media};

use crate::hash;
use crate::pack::Packer;
use crate::pack::form::{Form, check_length, recognize, recognize_upper};

/// A file system for images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Compressed with zstd, files in the order of packages; needs Linux 4.14
    Squashfs,
    /// Compressed with lz4; of a folder only
    Erofs,
}

/// What a layer is made of.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    form: Form,
    is_lowest: bool,
}

impl Format {
    /// The media type of a layer.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Squashfs => media::SQUASHFS,
            Format::Erofs => media::EROFS,
        }
    }
}

/// The name of a layer's format.
pub fn format_name(media_type: &str) -> &'static str {
    if media_type == media::EROFS { "erofs" } else { "squashfs" }
}

impl Source {
    /// Recognizes what is at a path. Everything but the lowest layer may be a part of a tree.
    pub fn open(path: &Path, is_lowest: bool, format: Format) -> Result<Self> {
        let form = if is_lowest { recognize(path)? } else { recognize_upper(path)? };
        let shown = path.display();
        match form {
            Form::Squashfs | Form::Erofs => drop(check_length(path)?),
            Form::Other(what) => bail!(
                "{shown} is {what}; an image is built of a root folder, a tar file, an archive of a container, a squashfs or an erofs"
            ),
            Form::Tar | Form::Layout if format == Format::Erofs => bail!(
                "--format erofs: mkfs.erofs reads folders only, and {shown} is an archive; unpack it as root, or build a squashfs"
            ),
            Form::Folder | Form::Tar | Form::Layout => {}
        }
        Ok(Self { path: path.to_owned(), form, is_lowest })
    }

    /// Writes the layer to `to`. `seed` makes the UUID of an erofs. Returns its format.
    pub fn make(
        &self,
        packer: &mut Packer<'_>,
        format: Format,
        architecture: &str,
        seed: &str,
        to: &Path,
    ) -> Result<Format> {
        match (self.form, format) {
            (Form::Squashfs, _) => self.copy(to).map(|()| Format::Squashfs),
            (Form::Erofs, _) => self.copy(to).map(|()| Format::Erofs),
            (Form::Folder, Format::Squashfs) => packer.squashfs_of_folder(&self.path, to).map(|()| format),
            (Form::Folder, Format::Erofs) => {
                packer.erofs_of_folder(&self.path, &uuid(seed), to).map(|()| format)
            }
            (form, _) => packer
                .squashfs_of_archive(form, &self.path, architecture, !self.is_lowest, to)
                .map(|()| format),
        }
    }

    fn copy(&self, to: &Path) -> Result<()> {
        let failed = || format!("cannot copy {} to {}", self.path.display(), to.display());
        fs::copy(&self.path, to).map(drop).with_context(failed)
    }

    /// The source in words.
    pub fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// A UUID of a text (RFC 9562, version 8), so that the same image has the same bytes.
fn uuid(seed: &str) -> String {
    let mut bytes = hash::bytes(seed.as_bytes());
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = Digest(bytes).hex();
    [0..8, 8..12, 12..16, 16..20, 20..32].map(|group| hex.get(group).unwrap_or_default()).join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_that_of_its_seed() {
        let one = uuid("debian 1");
        assert_eq!((one.len(), one.matches('-').count(), one.get(14..15)), (36, 4, Some("8")));
        assert_eq!(one, uuid("debian 1"));
        assert_ne!(one, uuid("debian 2"));
    }
}
