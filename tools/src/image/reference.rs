//! Which image a command is about: the path of a manifest, a folder, or a folder and a tag.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use dayfly_formats::oci::{Descriptor, Digest, ImageConfig, Manifest, annotation, config, manifest, media};

use super::layout::{Layout, copy_path, read, read_if_there, split_tag, version_tag};
use crate::hash;
use crate::pack::form::{Form, recognize};

/// An image whose manifest and config were read.
#[derive(Debug)]
pub struct Image {
    /// Where it is.
    pub layout: Layout,
    /// The copy of the manifest beside which its signatures are.
    pub copy: PathBuf,
    /// The manifest's bytes.
    pub bytes: Vec<u8>,
    /// Their digest.
    pub digest: Digest,
    /// The manifest.
    pub manifest: Manifest,
    /// The config.
    pub config: ImageConfig,
}

impl Image {
    /// Opens `FOLDER/NAME.json`, `FOLDER` or `FOLDER:TAG`.
    pub fn open(reference: &str) -> Result<Self> {
        let path = Path::new(reference);
        if path.is_file() {
            refuse_other_file(path)?;
            let folder =
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let bytes = read(path, manifest::MOST)?;
            parse(&bytes, path)?;
            let layout = Layout::open(folder)?;
            return Self::read(layout, Some(path.to_owned()), bytes);
        }
        if path.is_dir() {
            return Self::tagged(Layout::open(path)?, None);
        }
        match reference.rsplit_once(':').filter(|(folder, _)| Path::new(folder).is_dir()) {
            Some((folder, tag)) => Self::tagged(Layout::open(Path::new(folder))?, Some(tag)),
            None => bail!(
                "there is no image {reference}: expected the path of NAME.json, a folder, or FOLDER:TAG"
            ),
        }
    }

    /// Opens the image with a tag; without a tag the only one.
    pub fn tagged(layout: Layout, tag: Option<&str>) -> Result<Self> {
        let index = layout.index()?;
        let tags = || index.manifests.iter().filter_map(|manifest| manifest.annotation(annotation::REF_NAME));
        let newest: Vec<&str> = tags().filter(|tag| split_tag(tag).is_none()).collect();
        let tag = match (tag, newest.as_slice()) {
            (Some(tag), _) => tag,
            (None, [one]) => one,
            (None, []) => bail!("{} has no image", layout.folder.display()),
            (None, [first, ..]) => bail!(
                "{0} has several images; choose one with a tag, as in {0}:{first}; there are {1}",
                layout.folder.display(),
                newest.join(", ")
            ),
        };
        let Some(found) = index.tagged(tag) else {
            bail!(
                "{} has no image {tag}; there are {}",
                layout.folder.display(),
                tags().collect::<Vec<_>>().join(", ")
            )
        };
        let bytes = layout.read(&format!("the manifest of {tag}"), found, manifest::MOST)?;
        Self::read(layout, None, bytes)
    }

    fn read(layout: Layout, copy: Option<PathBuf>, bytes: Vec<u8>) -> Result<Self> {
        let digest = Digest(hash::bytes(&bytes));
        let manifest = parse(&bytes, copy.as_deref().unwrap_or(&layout.blob(digest)))?;
        let what = "the config";
        let config = layout.read(what, &manifest.config, config::MOST)?;
        let config = ImageConfig::parse(&config).context("cannot use the config")?;
        let copy = match copy {
            Some(copy) => copy,
            None => copy_of(&layout, &config, &bytes)?,
        };
        Ok(Self { layout, copy, bytes, digest, manifest, config })
    }

    /// The image in words: `debian-12 version 3`.
    pub fn title(&self) -> String {
        format!("{} version {}", self.config.name, self.config.version)
    }

    /// The descriptor of the manifest.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(media::MANIFEST, self.digest, self.bytes.len() as u64)
    }
}

fn parse(bytes: &[u8], path: &Path) -> Result<Manifest> {
    Manifest::parse(bytes).with_context(|| format!("{} is not the manifest of an image", path.display()))
}

/// Refuses a file that has another well-known format, and says which.
fn refuse_other_file(path: &Path) -> Result<()> {
    let what = match recognize(path) {
        Ok(Form::Squashfs) => "a squashfs",
        Ok(Form::Erofs) => "an erofs",
        Ok(Form::Tar) => "a tar file",
        Ok(Form::Other(what)) => what,
        // A manifest is none of these.
        Ok(Form::Folder | Form::Layout) | Err(_) => return Ok(()),
    };
    bail!(
        "{} is {what}, not a manifest; dayfly image build makes an image of it, and the manifest is NAME.json in the --output folder",
        path.display()
    )
}

/// The copy of the manifest beside which to look for signatures: that of the newest version if it is the same, else that of the
/// version.
fn copy_of(layout: &Layout, config: &ImageConfig, bytes: &[u8]) -> Result<PathBuf> {
    let newest = copy_path(&layout.folder, &config.name);
    if read_if_there(&newest, manifest::MOST)?.as_deref() == Some(bytes) {
        return Ok(newest);
    }
    Ok(copy_path(&layout.folder, &version_tag(&config.name, config.version)))
}
