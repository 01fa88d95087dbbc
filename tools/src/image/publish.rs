//! Writing an image layout that a server may serve at the same time.
//!
//! A file gets its name when it is complete. The disk has a file and its name before the next one is written, so a loss of power
//! keeps the order. A document gets its name after everything that it names: blobs, the manifest of the version and its signatures,
//! the list of manifests, and at last `NAME.json`, which replaces that of the version before:
//!
//! 1. the signatures of other keys go, then each key's new signature replaces its old one;
//! 2. `NAME.json` replaces the old one;
//! 3. `NAME.json.minisig` replaces the old one.
//!
//! Before step 2, `NAME.json.minisig` still fits the old manifest, and after it the key's own file fits the new one, so a reader
//! that tries both is always right with one key. With several keys, a reader between steps 1 and 3 finds too few signatures; and a
//! reader that has read the old manifest before and asks for signatures afterwards finds new ones. Either reads the manifest again.
//! The files of a version (`NAME_vVERSION.json`) do not change, and so have no such moment.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use dayfly_formats::minisign::{self, KeyId};
use dayfly_formats::oci::layout::{INDEX, MARKER, MARKER_TEXT, MOST};
use dayfly_formats::oci::{Descriptor, Digest, ImageIndex, annotation, manifest, media};
use rustix::fs::{FlockOperation, flock, syncfs};
use rustix::io::Errno;

use super::layout::{Layout, copy_path, read, read_if_there, split_tag, version_tag, versions};
use super::signatures::{files, path_of, usual_path};
use crate::hash;
use crate::output::{write_synced, write_whole};

/// The folder for unfinished files.
const WORK: &str = ".dayfly-build";

/// A layout that only this process writes.
#[derive(Debug)]
pub struct Writer {
    /// The layout.
    pub layout: Layout,
    /// Its list of manifests.
    index: ImageIndex,
    lock: File,
}

impl Writer {
    /// Makes a layout in a folder, or opens the one that is there.
    pub fn create(folder: &Path) -> Result<Self> {
        let there = folder.join(INDEX);
        if there.exists() {
            // A site may have an index.json of its own.
            Layout { folder: folder.to_owned() }.index().with_context(|| {
                format!("{} belongs to something else; choose another folder", there.display())
            })?;
        }
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).with_context(|| format!("cannot make {}", blobs.display()))?;
        let lock = lock(folder)?;
        if !folder.join(MARKER).exists() {
            if !folder.join(INDEX).exists() {
                write_synced(&folder.join(INDEX), &ImageIndex::default().encode())?;
            }
            write_synced(&folder.join(MARKER), MARKER_TEXT.as_bytes())?;
        }
        Self::locked(folder, lock)
    }

    /// Opens the layout in a folder.
    pub fn open(folder: &Path) -> Result<Self> {
        Layout::open(folder)?;
        let lock = lock(folder)?;
        Self::locked(folder, lock)
    }

    fn locked(folder: &Path, lock: File) -> Result<Self> {
        let layout = Layout::open(folder)?;
        let index = layout.index()?;
        Ok(Self { layout, index, lock })
    }

    /// The newest version of an image, in the list of manifests or in the folder. A build that lost its power may have written the
    /// manifest of a version and not the list, and somebody may have fetched it: a number always stands for the same bytes.
    pub fn newest(&self, name: &str) -> Result<Option<u64>> {
        let tags =
            self.index.manifests.iter().filter_map(|manifest| manifest.annotation(annotation::REF_NAME));
        let listed = tags.filter_map(split_tag).filter(|(of, _)| *of == name).map(|(_, version)| version);
        Ok(listed.chain(versions(&self.layout.folder, name)?).max())
    }

    /// Refuses a version with which the list of manifests would be too long for its readers.
    pub fn check_room(&self, name: &str, version: u64) -> Result<()> {
        let mut index = self.index.clone();
        // The longest that a manifest has in the list.
        let manifest = Descriptor::new(media::MANIFEST, Digest([0; 32]), manifest::MOST as u64);
        index.tag(&version_tag(name, version), manifest.clone());
        index.tag(name, manifest);
        let length = index.encode().len();
        ensure!(
            length <= MOST,
            "{} has no room for another version: it would have {length} bytes, and at most {MOST} are read; build into another folder, or \
             remove old versions (docs/how-to/sign.md)",
            self.layout.folder.join(INDEX).display()
        );
        Ok(())
    }

    /// An empty folder for unfinished files, in the file system of the layout. It is removed at the end, or by the next build.
    pub fn work(&self) -> Result<Work> {
        let path = self.layout.folder.join(WORK);
        let work = Work(path);
        work.remove()?;
        fs::create_dir(&work.0).with_context(|| format!("cannot make {}", work.0.display()))?;
        Ok(work)
    }

    /// Makes a blob of a finished file.
    pub fn adopt(&self, file: &Path, digest: Digest) -> Result<()> {
        let blob = self.layout.blob(digest);
        // A node that is fetching the same blob continues, because its time stays. A damaged blob is replaced.
        if blob.exists() && hash::file(&blob)?.0 == digest.0 {
            // The next layer has the same path, and a copy of a read-only file cannot be written.
            return fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()));
        }
        let failed = || format!("cannot write {}", blob.display());
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).with_context(failed)?;
        File::open(file).and_then(|file| file.sync_all()).with_context(failed)?;
        fs::rename(file, &blob).with_context(failed)
    }

    /// Makes a blob of bytes.
    pub fn put(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor> {
        let digest = Digest(hash::bytes(bytes));
        write_whole(&self.layout.blob(digest), bytes)?;
        Ok(Descriptor::new(media_type, digest, bytes.len() as u64))
    }

    /// Names the manifest, whose blob is written, as the newest version of an image.
    pub fn publish(
        &mut self,
        name: &str,
        version: u64,
        descriptor: &Descriptor,
        bytes: &[u8],
        signatures: &[(KeyId, Vec<u8>)],
    ) -> Result<PathBuf> {
        // Names must not reach the disk before the contents.
        syncfs(self.lock.as_fd()).context("cannot write the disk's cache")?;
        let tag = version_tag(name, version);
        let copy = copy_path(&self.layout.folder, &tag);
        if let Some(there) = read_if_there(&copy, manifest::MOST)? {
            ensure!(
                there == bytes,
                "{} is there already with other bytes; a version never changes: choose a higher --version",
                copy.display()
            );
        }
        remove_other_signatures(&copy, signatures)?;
        write_signatures(&copy, signatures)?;
        write_usual(&copy, signatures)?;
        write_synced(&copy, bytes)?;

        self.index.tag(&tag, descriptor.clone());
        self.index.tag(name, descriptor.clone());
        write_synced(&self.layout.folder.join(INDEX), &self.index.encode())?;

        let newest = copy_path(&self.layout.folder, name);
        remove_other_signatures(&newest, signatures)?;
        if signatures.is_empty() {
            remove(&usual_path(&newest))?;
            self.lock.sync_all().context("cannot write the folder")?;
        }
        write_signatures(&newest, signatures)?;
        write_synced(&newest, bytes)?;
        write_usual(&newest, signatures)?;
        syncfs(self.lock.as_fd()).context("cannot write the disk's cache")?;
        Ok(newest)
    }

    /// Adds a signature to a copy of a manifest. The file with the usual name is replaced; if it was made by a key that has no
    /// file of its own, it gets the name of that key.
    pub fn add_signature(copy: &Path, key: KeyId, signature: &[u8]) -> Result<()> {
        let usual = usual_path(copy);
        if let Ok(there) = super::signatures::signature(&usual) {
            let own = path_of(copy, there.id());
            if there.id() != key && !own.exists() {
                write_synced(&own, &read(&usual, minisign::MOST)?)?;
            }
        }
        write_synced(&path_of(copy, key), signature)?;
        write_synced(&usual, signature)
    }
}

/// Locks a folder. Other processes may read it.
fn lock(folder: &Path) -> Result<File> {
    let lock = File::open(folder).with_context(|| format!("cannot open {}", folder.display()))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(Errno::WOULDBLOCK) => {
            bail!("another dayfly image is writing {}; wait until it ends", folder.display())
        }
        Err(error) => Err(anyhow!(error).context(format!("cannot lock {}", folder.display()))),
    }
}

/// Removes the signatures that a new manifest does not have, but for the file with the usual name.
fn remove_other_signatures(copy: &Path, signatures: &[(KeyId, Vec<u8>)]) -> Result<()> {
    let kept: Vec<PathBuf> =
        signatures.iter().map(|(key, _)| path_of(copy, *key)).chain([usual_path(copy)]).collect();
    let gone: Vec<PathBuf> = files(copy)?.into_iter().filter(|file| !kept.contains(file)).collect();
    gone.iter().try_for_each(|file| remove(file))?;
    match (gone.is_empty(), copy.parent()) {
        (false, Some(folder)) => File::open(folder)
            .and_then(|folder| folder.sync_all())
            .with_context(|| format!("cannot write {}", folder.display())),
        _ => Ok(()),
    }
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

fn write_signatures(copy: &Path, signatures: &[(KeyId, Vec<u8>)]) -> Result<()> {
    signatures.iter().try_for_each(|(key, signature)| write_synced(&path_of(copy, *key), signature))
}

/// The file with the usual name has the signature of the first key.
fn write_usual(copy: &Path, signatures: &[(KeyId, Vec<u8>)]) -> Result<()> {
    signatures.first().map_or(Ok(()), |(_, signature)| write_synced(&usual_path(copy), signature))
}

/// The folder for unfinished files.
#[derive(Debug)]
pub struct Work(PathBuf);

impl Work {
    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.0.display()))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // The next build tries again.
        let _ = self.remove();
    }
}
