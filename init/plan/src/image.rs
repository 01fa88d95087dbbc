//! The OS image: a list of layers. Each has a source, an integrity check and a placement.

use std::fmt;
use std::time::Duration;

use dayfly_formats::minisign::{KeyId, PublicKey};
use dayfly_formats::oci::{ImageConfig, ImageLayer, Manifest};

use crate::TransferLimits;
use crate::settings::value::{DeviceRef, Sha256, Url};

/// A file system of the image. The first one is the lowest. The OS sees the overlay of all layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Where its bytes come from.
    pub source: LayerSource,
    /// How its bytes are checked.
    pub integrity: Integrity,
    /// Its length in bytes, if the manifest says it.
    pub bytes: Option<u64>,
}

/// Where the bytes of a layer come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerSource {
    /// Servers with the same bytes. The first one that delivers them is used.
    Servers(Vec<Url>),
    /// A disk.
    Disk {
        /// The disk.
        device: DeviceRef,
        /// The file on the disk. `None`: the disk itself is the layer.
        file: Option<String>,
        /// How long to wait for the disk.
        wait: Duration,
    },
    /// This file in the initramfs.
    File(String),
    /// The manifest names it, and has not been read yet.
    Manifest,
    /// No source has named the image yet. The boot fails unless a later source does.
    Awaited,
}

/// Where the bytes of a layer are while the OS runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// In memory, after the fetch.
    Memory,
    /// At their source: on a disk, or in the memory of the initramfs.
    InPlace,
}

/// How a layer is checked. No layer is mounted before its check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// The complete layer must have this SHA-256.
    Sha256(Sha256),
    /// The manifest says its SHA-256, and has not been read yet. Such a layer cannot be mounted.
    Manifest,
    /// It is not checked. A note of the plan says so.
    Unchecked,
}

impl Layer {
    /// Where its bytes are while the OS runs.
    pub fn placement(&self) -> Placement {
        match self.source {
            LayerSource::Servers(_) | LayerSource::Manifest => Placement::Memory,
            LayerSource::Disk { .. } | LayerSource::File(_) | LayerSource::Awaited => Placement::InPlace,
        }
    }

    /// The SHA-256 that it must have.
    pub fn sha256(&self) -> Option<Sha256> {
        match self.integrity {
            Integrity::Sha256(sha256) => Some(sha256),
            Integrity::Manifest | Integrity::Unchecked => None,
        }
    }
}

/// How the manifest of an image is fetched and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestPlan {
    /// Where it is. Its signatures and the files that it names are beside it.
    pub url: Url,
    /// The keys that may have signed it, each once. Empty: it needs no signature.
    pub keys: Vec<PublicKey>,
    /// How many of the keys must have signed it; 0 without keys.
    pub threshold: usize,
    /// The SHA-256 that it must have.
    pub sha256: Option<Sha256>,
    /// The time limits for the server.
    pub limits: TransferLimits,
}

/// What a manifest says about the image. Its signatures were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedImage {
    /// Where the manifest is.
    pub url: Url,
    /// The SHA-256 of the manifest.
    pub sha256: Sha256,
    /// The image's name.
    pub name: String,
    /// The image's version.
    pub version: u64,
    /// Its file systems, the lowest first.
    pub layers: Vec<NamedLayer>,
    /// The keys whose signatures were checked.
    pub signers: Vec<KeyId>,
}

/// A file system of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedLayer {
    /// Where it is.
    pub url: Url,
    /// Its SHA-256.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub bytes: u64,
}

impl NamedImage {
    /// The image of a manifest at `url` that has this SHA-256, with its config and the keys that signed it.
    pub fn new(
        url: &Url,
        sha256: Sha256,
        manifest: &Manifest,
        config: ImageConfig,
        signers: Vec<KeyId>,
    ) -> Self {
        let layer = |layer: &ImageLayer| NamedLayer {
            url: url.beside(&layer.blob.digest.blob_path()),
            sha256: Sha256(layer.blob.digest.0),
            bytes: layer.blob.size,
        };
        let layers = manifest.layers.iter().map(layer).collect();
        Self { url: url.clone(), sha256, name: config.name, version: config.version, layers, signers }
    }

    /// The layers for the plan.
    pub fn layers(&self) -> Vec<Layer> {
        let layer = |named: &NamedLayer| Layer {
            source: LayerSource::Servers(vec![named.url.clone()]),
            integrity: Integrity::Sha256(named.sha256),
            bytes: Some(named.bytes),
        };
        self.layers.iter().map(layer).collect()
    }

    /// The bytes of all layers together.
    pub fn bytes(&self) -> u64 {
        self.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.bytes))
    }
}

/// `debian-12 version 41, 2 layers, 412 MiB, signed by 46A27BD0F471D669`.
impl fmt::Display for NamedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layers = match self.layers.len() {
            1 => String::new(),
            count => format!(", {count} layers"),
        };
        let mib = self.bytes().div_ceil(1 << 20);
        write!(f, "{} version {}{layers}, {mib} MiB, ", self.name, self.version)?;
        if self.signers.is_empty() {
            return write!(f, "manifest SHA-256 {}…", self.sha256.short());
        }
        let signers: Vec<String> = self.signers.iter().map(ToString::to_string).collect();
        write!(f, "signed by {}", signers.join(" and "))
    }
}

/// `fetch URL, 2 signatures of 3 keys`.
impl fmt::Display for ManifestPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fetch {}", self.url)?;
        if let Some(sha256) = &self.sha256 {
            write!(f, ", compare SHA-256 with {}…", sha256.short())?;
        }
        match (self.threshold, self.keys.as_slice()) {
            (0, _) => Ok(()),
            (1, [key]) => write!(f, ", check the signature of {}", key.id()),
            (least, keys) => write!(f, ", check {least} signatures of {} keys", keys.len()),
        }
    }
}
