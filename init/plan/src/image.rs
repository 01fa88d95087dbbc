//! The OS image: a list of layers, each with where its bytes are, what decides that they are the right ones, and where they stay.

use std::time::Duration;

use crate::settings::value::{DeviceRef, Sha256, Url};

/// A file system of the image. The first one is the lowest; the OS sees the overlay of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Where its bytes are.
    pub source: LayerSource,
    /// What decides that they are the right ones.
    pub integrity: Integrity,
}

/// Where the bytes of a layer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerSource {
    /// On servers that have the same bytes: the first one that gives them counts.
    Servers(Vec<Url>),
    /// On a disk.
    Disk {
        /// The disk.
        device: DeviceRef,
        /// The file on it, where the disk itself is not the layer.
        file: Option<String>,
        /// How long the disk is waited for.
        wait: Duration,
    },
    /// In this file of the initramfs.
    File(String),
    /// No place has named it yet; the boot fails unless a later one does.
    Awaited,
}

/// Where the bytes of a layer stay while the OS runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// They are fetched into memory.
    Memory,
    /// They stay where they are: on a disk, or in the memory that the initramfs has filled.
    InPlace,
}

/// What decides whether a layer is the right one. Nothing of it is mounted before that is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// The whole of it has this SHA-256.
    Sha256(Sha256),
    /// Nothing does; a note of the plan says so.
    Unchecked,
}

impl Layer {
    /// Where its bytes stay.
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
