//! The files of an image layout: their names, and reading them.
//!
//! | file | what |
//! |---|---|
//! | `oci-layout`, `index.json`, `blobs/sha256/…` | the layout (image-spec) |
//! | `NAME.json` | a copy of the manifest of the newest version |
//! | `NAME_vVERSION.json` | a copy of the manifest of that version, which does not change |
//! | `MANIFEST.KEYID.minisig`, `MANIFEST.minisig` | signatures of either copy |

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use dayfly_formats::oci::layout::{INDEX, MARKER, MOST, copy_name};
pub use dayfly_formats::oci::layout::{split_tag, version_tag};
use dayfly_formats::oci::{Descriptor, Digest, ImageIndex};

use crate::hash;

/// The longest name: with a version it must fit into a tag of 128 bytes (distribution-spec).
const MOST_NAME: usize = 100;

/// A folder with images.
#[derive(Debug)]
pub struct Layout {
    /// Its path.
    pub folder: PathBuf,
}

impl Layout {
    /// The layout in a folder.
    pub fn open(folder: &Path) -> Result<Self> {
        ensure!(
            folder.join(MARKER).is_file(),
            "{} is no image layout: it has no file {MARKER}; dayfly image build makes one",
            folder.display()
        );
        Ok(Self { folder: folder.to_owned() })
    }

    /// Its list of manifests.
    pub fn index(&self) -> Result<ImageIndex> {
        let path = self.folder.join(INDEX);
        let bytes = read(&path, MOST)?;
        ImageIndex::parse(&bytes).with_context(|| format!("cannot use {}", path.display()))
    }

    /// The path of a blob.
    pub fn blob(&self, digest: Digest) -> PathBuf {
        self.folder.join(digest.blob_path())
    }

    /// The bytes of a small blob. Refuses other bytes than the descriptor names.
    pub fn read(&self, what: &str, blob: &Descriptor, most: usize) -> Result<Vec<u8>> {
        let path = self.blob(blob.digest);
        let bytes = read(&path, most).with_context(|| format!("{what} is missing"))?;
        check(what, &path, blob, hash::bytes(&bytes), bytes.len() as u64)?;
        Ok(bytes)
    }
}

/// Refuses a blob whose length or hash differs from its descriptor.
pub fn check(what: &str, path: &Path, blob: &Descriptor, sha256: [u8; 32], size: u64) -> Result<()> {
    let path = path.display();
    ensure!(
        size == blob.size,
        "{what} was changed or is incomplete: {path} has {size} bytes, but it is named with {}",
        blob.size
    );
    ensure!(sha256 == blob.digest.0, "{what} was changed: the SHA-256 of {path} is {}", Digest(sha256).hex());
    Ok(())
}

/// The bytes of a file with at most `most` bytes.
pub fn read(path: &Path, most: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(bytes.len() <= most, "{} has more than {most} bytes", path.display());
    Ok(bytes)
}

/// The bytes of a file with at most `most` bytes; `None` if it does not exist.
pub fn read_if_there(path: &Path, most: usize) -> Result<Option<Vec<u8>>> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        _ => read(path, most).map(Some),
    }
}

/// The versions of an image whose manifests have a copy in the folder, the newest first.
pub fn versions(folder: &Path, name: &str) -> Result<Vec<u64>> {
    let failed = || format!("cannot list {}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(failed)? {
        let file = entry.with_context(failed)?.file_name();
        let tag = file.to_str().and_then(|file| file.strip_suffix(".json"));
        found.extend(tag.and_then(split_tag).filter(|(of, _)| *of == name).map(|(_, version)| version));
    }
    found.sort_unstable_by(|left, right| right.cmp(left));
    Ok(found)
}

/// The path of a copy of a manifest.
pub fn copy_path(folder: &Path, tag: &str) -> PathBuf {
    folder.join(copy_name(tag))
}

/// Refuses a name that cannot be a file name and a tag.
pub fn check_name(name: &str) -> Result<()> {
    ensure!(!name.is_empty(), "the name of the image is empty");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    ensure!(
        name.chars().all(is_plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric()),
        "the name \"{}\" cannot be the name of an image: it may have ASCII letters, digits, '.', '_' and '-', and starts with a letter or a digit",
        name.escape_debug()
    );
    ensure!(name.len() <= MOST_NAME, "the name of the image has more than {MOST_NAME} characters");
    if copy_path(Path::new(""), name) == Path::new(INDEX) {
        bail!("the name of the image cannot be \"{name}\": {INDEX} is the layout's list of manifests");
    }
    if let Some((of, version)) = split_tag(name) {
        bail!("the name \"{name}\" would be that of version {version} of the image {of}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_file_name_and_a_tag() {
        for name in ["debian-12", "a", "k0s_worker.x86", "os_v", "os_v01", "os_vx"] {
            check_name(name).expect(name);
        }
        let long = "a".repeat(MOST_NAME + 1);
        for (name, wrong) in [
            ("", "is empty"),
            ("a b", "\"a b\" cannot be the name"),
            ("../os", "cannot be the name"),
            (".os", "cannot be the name"),
            ("os\n", "\"os\\n\" cannot"),
            ("index", "index.json is the layout's list"),
            ("os_v12", "version 12 of the image os"),
            (&long, "more than 100"),
        ] {
            let said = check_name(name).expect_err(name).to_string();
            assert!(said.contains(wrong), "{name}: {said}");
        }
    }
}
