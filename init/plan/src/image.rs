//! The OS image: a list of layers. Each has a source, an integrity check and a placement.

use std::time::Duration;

use crate::settings::value::{DeviceRef, Sha256, Url};

/// A file system of the image. The first one is the lowest. The OS sees the overlay of all layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Where its bytes come from.
    pub source: LayerSource,
    /// How its bytes are checked.
    pub integrity: Integrity,
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
    /// It is not checked. A note of the plan says so.
    Unchecked,
}

impl Layer {
    /// Where its bytes are while the OS runs.
    pub fn placement(&self) -> Placement {
        match self.source {
            LayerSource::Servers(_) => Placement::Memory,
            LayerSource::Disk { .. } | LayerSource::File(_) | LayerSource::Awaited => Placement::InPlace,
        }
    }

    /// The SHA-256 that it must have.
    pub fn sha256(&self) -> Option<Sha256> {
        match self.integrity {
            Integrity::Sha256(sha256) => Some(sha256),
            Integrity::Unchecked => None,
        }
    }
}
