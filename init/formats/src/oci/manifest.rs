//! The manifest: the list of an image's files (image-spec, manifest.md).

use serde::{Deserialize, Serialize};

use super::{Descriptor, Digest, OciError, annotation, media, read, text};

/// The longest manifest, in bytes.
pub const MOST: usize = 256 << 10;
/// The most file systems that can be stacked.
pub const MOST_LAYERS: usize = 8;
/// The largest file system, in bytes.
pub const MOST_BYTES: u64 = 1 << 40;
/// The largest chunk index, in bytes: that of 16 GiB in chunks of 64 KiB has 12 MiB.
pub const MOST_INDEX: u64 = 64 << 20;

/// An image: its config, its layers from the lowest to the highest, and other files that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The file with the [`super::ImageConfig`].
    pub config: Descriptor,
    /// The file systems, the lowest first.
    pub layers: Vec<ImageLayer>,
    /// Files that are not mounted.
    pub companions: Vec<Companion>,
}

/// A file system of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageLayer {
    /// The file system: [`media::SQUASHFS`] or [`media::EROFS`].
    pub blob: Descriptor,
    /// The list of its chunks.
    pub index: Option<Descriptor>,
}

/// A file that belongs to the image and is not mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Companion {
    /// What it is for.
    pub role: Role,
    /// The file. Its title is its name.
    pub blob: Descriptor,
}

/// What a companion is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The order in which a boot reads the layers.
    BootProfile,
    /// The kernel that boots the image.
    Kernel,
    /// The initramfs that boots the image.
    Initramfs,
    /// Container images.
    Airgap,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 4] = [Role::BootProfile, Role::Kernel, Role::Initramfs, Role::Airgap];

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Role::BootProfile => media::BOOT_PROFILE,
            Role::Kernel => media::KERNEL,
            Role::Initramfs => media::INITRAMFS,
            Role::Airgap => media::AIRGAP,
        }
    }
}

/// The JSON of a manifest. Other fields are ignored, as the specification wants.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    schema_version: u64,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

impl Manifest {
    /// Reads a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, OciError> {
        let json: Json = read(bytes, MOST)?;
        if json.schema_version != 2 {
            return Err(OciError::SchemaVersion(json.schema_version));
        }
        let media_type = json.media_type.unwrap_or_default();
        if media_type != media::MANIFEST {
            return Err(OciError::MediaType(text::printable(&media_type)));
        }
        let artifact_type = json.artifact_type.unwrap_or_default();
        if artifact_type != media::IMAGE {
            return Err(OciError::ArtifactType(text::printable(&artifact_type)));
        }
        if json.config.media_type != media::CONFIG {
            return Err(OciError::ConfigType(text::printable(&json.config.media_type)));
        }
        let mut manifest = Manifest { config: json.config, layers: Vec::new(), companions: Vec::new() };
        for (place, blob) in json.layers.into_iter().enumerate() {
            manifest.add(place + 1, blob)?;
        }
        match manifest.layers.len() {
            0 => Err(OciError::NoLayers),
            1..=MOST_LAYERS => Ok(manifest),
            count => Err(OciError::TooManyLayers(count)),
        }
    }

    /// Adds an entry of `layers`. Places count from 1.
    fn add(&mut self, place: usize, blob: Descriptor) -> Result<(), OciError> {
        let most = if blob.media_type == media::CHUNK_INDEX { MOST_INDEX } else { MOST_BYTES };
        if blob.size == 0 || blob.size > most {
            return Err(OciError::Size(place, blob.size));
        }
        match blob.media_type.as_str() {
            media::SQUASHFS | media::EROFS if self.has(&blob.digest) => {
                return Err(OciError::Repeated(place));
            }
            media::SQUASHFS | media::EROFS => self.layers.push(ImageLayer { blob, index: None }),
            media::CHUNK_INDEX => {
                let target =
                    blob.annotation(annotation::INDEX_TARGET).and_then(|text| text.parse::<Digest>().ok());
                let layer = self.layers.last_mut().filter(|layer| layer.index.is_none());
                match layer.filter(|layer| target == Some(layer.blob.digest)) {
                    Some(layer) => layer.index = Some(blob),
                    None => return Err(OciError::StrayIndex(place)),
                }
            }
            other => {
                let Some(role) = Role::ALL.into_iter().find(|role| role.media_type() == other) else {
                    return Err(OciError::LayerType(place, text::printable(other)));
                };
                if !blob.annotation(annotation::TITLE).is_some_and(text::is_file_name) {
                    return Err(OciError::Title(place));
                }
                self.companions.push(Companion { role, blob });
            }
        }
        Ok(())
    }

    /// Whether this file is one of the file systems.
    fn has(&self, digest: &Digest) -> bool {
        self.layers.iter().any(|layer| layer.blob.digest == *digest)
    }

    /// The bytes of the manifest: the same for the same files.
    pub fn encode(&self) -> Vec<u8> {
        let json = Json {
            schema_version: 2,
            media_type: Some(media::MANIFEST.to_owned()),
            artifact_type: Some(media::IMAGE.to_owned()),
            config: self.config.clone(),
            // The config comes first.
            layers: self.blobs().skip(1).cloned().collect(),
        };
        super::layout::to_json(&json)
    }

    /// The bytes of all layers together.
    pub fn bytes(&self) -> u64 {
        self.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.blob.size))
    }

    /// Every file that the manifest names.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        let layers = self.layers.iter().flat_map(|layer| [Some(&layer.blob), layer.index.as_ref()]).flatten();
        std::iter::once(&self.config)
            .chain(layers)
            .chain(self.companions.iter().map(|companion| &companion.blob))
    }
}

#[cfg(test)]
mod tests;
