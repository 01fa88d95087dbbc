//! OCI images that contain an operating system: a manifest, its config, and the files of an image layout
//! (<https://github.com/opencontainers/image-spec>). docs/reference/manifest.md describes them.
//!
//! The manifest names every other file by its SHA-256. It comes from a server, so the parsers limit each size before they
//! read, and refuse what they do not know.

pub mod config;
mod descriptor;
mod digest;
pub mod layout;
pub mod manifest;
mod text;

use std::fmt;

pub use self::config::ImageConfig;
pub use self::descriptor::Descriptor;
pub use self::digest::{Digest, DigestError};
pub use self::layout::ImageIndex;
pub use self::manifest::{Companion, ImageLayer, Manifest, Role};

/// The media types of the format.
pub mod media {
    /// The manifest (image-spec, manifest.md).
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// The list of manifests in a layout (image-spec, image-index.md).
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// The manifest's `artifactType`.
    pub const IMAGE: &str = "application/vnd.dayfly.image.v1";
    /// The config of an image.
    pub const CONFIG: &str = "application/vnd.dayfly.image.config.v1+json";
    /// A layer that is a squashfs.
    pub const SQUASHFS: &str = "application/vnd.dayfly.squashfs.v1";
    /// A layer that is an erofs (IANA).
    pub const EROFS: &str = "application/vnd.erofs";
    /// The chunks of the layer before it (erofs-image-spec).
    pub const CHUNK_INDEX: &str = "application/vnd.erofs.chunk-index.v1";
    /// The order in which a boot reads the layers.
    pub const BOOT_PROFILE: &str = "application/vnd.dayfly.boot-profile.v1";
    /// A Linux kernel.
    pub const KERNEL: &str = "application/vnd.dayfly.kernel.v1";
    /// An initramfs.
    pub const INITRAMFS: &str = "application/vnd.dayfly.initramfs.v1";
    /// A bundle of container images.
    pub const AIRGAP: &str = "application/vnd.dayfly.airgap.v1+tar";
}

/// The annotations of the format.
pub mod annotation {
    /// A file name (image-spec, annotations.md).
    pub const TITLE: &str = "org.opencontainers.image.title";
    /// A tag in a layout (image-spec, annotations.md).
    pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
    /// The digest of the layer that a chunk index describes (erofs-image-spec).
    pub const INDEX_TARGET: &str = "org.erofs.chunk-index.target";
}

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OciError {
    /// It has more bytes than a document of its kind may have.
    TooLong {
        /// The limit.
        most: usize,
    },
    /// It is not JSON, or its fields have other types.
    Json(String),
    /// It has another `schemaVersion` than 2.
    SchemaVersion(u64),
    /// It has another `mediaType`.
    MediaType(String),
    /// Its `artifactType` is not that of an image of Dayfly.
    ArtifactType(String),
    /// The media type of its config is unknown.
    ConfigType(String),
    /// The media type of a layer is unknown. The number counts from 1.
    LayerType(usize, String),
    /// It has no layer that can be mounted.
    NoLayers,
    /// It has more mountable layers than can be stacked.
    TooManyLayers(usize),
    /// A file system is listed twice. The number is that of the second.
    Repeated(usize),
    /// A chunk index does not follow its layer, or a layer has two.
    StrayIndex(usize),
    /// A file is empty, or larger than allowed.
    Size(usize, u64),
    /// A companion has no file name, or one with a path in it.
    Title(usize),
    /// A text is empty, too long, or has characters that a console cannot show.
    Text(&'static str),
    /// The version is 0.
    Version,
}

impl fmt::Display for OciError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OciError::TooLong { most } => write!(f, "it has more than {most} bytes"),
            OciError::Json(wrong) => write!(f, "it cannot be read as JSON: {wrong}"),
            OciError::SchemaVersion(version) => write!(f, "it has schemaVersion {version}, not 2"),
            OciError::MediaType(found) => write!(f, "it has the media type \"{found}\""),
            OciError::ArtifactType(found) => {
                write!(f, "it has the artifact type \"{found}\", not \"{}\"", media::IMAGE)
            }
            OciError::ConfigType(found) => {
                write!(f, "its config has the media type \"{found}\", not \"{}\"", media::CONFIG)
            }
            OciError::LayerType(place, found) => {
                write!(f, "its layer {place} has the unknown media type \"{found}\"")
            }
            OciError::NoLayers => f.write_str("it has no squashfs or erofs layer"),
            OciError::TooManyLayers(count) => {
                write!(f, "it has {count} file systems, but at most {} can be stacked", manifest::MOST_LAYERS)
            }
            OciError::Repeated(place) => write!(f, "its layer {place} is the same file as one before it"),
            OciError::StrayIndex(place) => {
                write!(f, "its layer {place} is a chunk index that does not belong to the layer before it")
            }
            OciError::Size(place, size) => {
                write!(f, "its layer {place} has an impossible size of {size} bytes")
            }
            OciError::Title(place) => {
                write!(f, "its layer {place} has no file name in the annotation {}", annotation::TITLE)
            }
            OciError::Text(field) => {
                write!(f, "its \"{field}\" is empty, too long, or has characters that a console cannot show")
            }
            OciError::Version => f.write_str("its version is 0; versions start at 1"),
        }
    }
}

impl std::error::Error for OciError {}

/// Checks the length of a document and reads it as JSON.
fn read<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8], most: usize) -> Result<T, OciError> {
    if bytes.len() > most {
        return Err(OciError::TooLong { most });
    }
    serde_json::from_slice(bytes).map_err(|error| OciError::Json(text::printable(&error.to_string())))
}
