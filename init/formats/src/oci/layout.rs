//! The files of an image layout (image-spec, image-layout.md, image-index.md).

use serde::{Deserialize, Serialize};

use super::{Descriptor, OciError, annotation, media, read, text};

/// The name of the file that marks a folder as an image layout.
pub const MARKER: &str = "oci-layout";
/// Its content.
pub const MARKER_TEXT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
/// The name of the file with the list of manifests.
pub const INDEX: &str = "index.json";
/// The longest list of manifests, in bytes.
pub const MOST: usize = 1 << 20;

/// Between the name of an image and its version, in tags and file names.
const VERSION: &str = "_v";

/// The tag of a version of an image. The newest version also has the name of the image as its tag.
pub fn version_tag(name: &str, version: u64) -> String {
    format!("{name}{VERSION}{version}")
}

/// The name and the version in a tag of a version.
pub fn split_tag(tag: &str) -> Option<(&str, u64)> {
    let (name, digits) = tag.rsplit_once(VERSION)?;
    let version = digits.parse().ok()?;
    (version_tag(name, version) == tag).then_some((name, version))
}

/// The name of the copy of a manifest beside the layout, by its tag.
pub fn copy_name(tag: &str) -> String {
    format!("{tag}.json")
}

/// The list of manifests in a layout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageIndex {
    /// The manifests, each with its tag in the annotation [`annotation::REF_NAME`].
    pub manifests: Vec<Descriptor>,
}

/// The JSON of an index.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    schema_version: u64,
    media_type: Option<String>,
    manifests: Vec<Descriptor>,
}

impl ImageIndex {
    /// Reads an index. Other programs leave the media type out.
    pub fn parse(bytes: &[u8]) -> Result<Self, OciError> {
        let json: Json = read(bytes, MOST)?;
        if json.schema_version != 2 {
            return Err(OciError::SchemaVersion(json.schema_version));
        }
        match json.media_type.as_deref() {
            None | Some(media::INDEX) => Ok(Self { manifests: json.manifests }),
            Some(other) => Err(OciError::MediaType(text::printable(other))),
        }
    }

    /// The manifest with this tag.
    pub fn tagged(&self, tag: &str) -> Option<&Descriptor> {
        self.manifests.iter().find(|manifest| manifest.annotation(annotation::REF_NAME) == Some(tag))
    }

    /// Adds a manifest under a tag. The manifest that had the tag is dropped from the list.
    pub fn tag(&mut self, tag: &str, manifest: Descriptor) {
        self.manifests.retain(|there| there.annotation(annotation::REF_NAME) != Some(tag));
        self.manifests.push(manifest.with(annotation::REF_NAME, tag));
    }

    /// The bytes of the index.
    pub fn encode(&self) -> Vec<u8> {
        let media_type = Some(media::INDEX.to_owned());
        to_json(&Json { schema_version: 2, media_type, manifests: self.manifests.clone() })
    }
}

/// Compact JSON with the fields in the order of the type, and maps sorted by key.
pub(super) fn to_json(value: &impl Serialize) -> Vec<u8> {
    // These types have only texts, numbers and maps with text keys, which serde_json can always write.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::Digest;
    use super::*;

    fn manifest(byte: u8) -> Descriptor {
        Descriptor::new(media::MANIFEST, Digest([byte; 32]), 900)
    }

    #[test]
    fn a_tag_names_the_last_manifest() {
        let mut index = ImageIndex::default();
        index.tag("debian-12", manifest(1));
        index.tag("alpine", manifest(2));
        index.tag("debian-12", manifest(3));
        assert_eq!(index.manifests.len(), 2);
        assert_eq!(index.tagged("debian-12").map(|found| found.digest), Some(Digest([3; 32])));
        assert_eq!(index.tagged("fedora"), None);
        assert_eq!(ImageIndex::parse(&index.encode()), Ok(index));
    }

    #[test]
    fn a_tag_has_a_version() {
        assert_eq!(split_tag(&version_tag("debian_v12-x", 3)), Some(("debian_v12-x", 3)));
        for tag in ["os", "os_v", "os_v-1", "os_v+1", "os_v1x", "os_v01"] {
            assert_eq!(split_tag(tag), None, "{tag}");
        }
    }

    #[test]
    fn other_documents_are_refused() {
        let skopeo = br#"{"schemaVersion":2,"manifests":[]}"#;
        assert_eq!(ImageIndex::parse(skopeo), Ok(ImageIndex::default()));
        assert_eq!(
            ImageIndex::parse(br#"{"schemaVersion":3,"manifests":[]}"#),
            Err(OciError::SchemaVersion(3))
        );
        let list = br#"{"schemaVersion":2,"mediaType":"a","manifests":[]}"#;
        assert_eq!(ImageIndex::parse(list), Err(OciError::MediaType("a".to_owned())));
        assert!(matches!(ImageIndex::parse(b"<html>"), Err(OciError::Json(_))));
    }
}
