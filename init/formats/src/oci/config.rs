//! The config of an image: what the image is, and which machine it is for.

use serde::{Deserialize, Serialize};

use super::layout::{copy_name, version_tag};
use super::{OciError, read, text};

/// The longest config, in bytes.
pub const MOST: usize = 64 << 10;

/// What an image is. Fields that are not listed here are ignored, so that later versions can add some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Its name, for example `debian-12`. All versions of an image have the same name.
    pub name: String,
    /// Its version. Each build has a higher one.
    pub version: u64,
    /// The CPU that it is for, as in Go: `amd64`, `arm64`.
    pub architecture: String,
    /// The release of the kernel that its modules are for (`uname -r`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The memory that the node needs, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// What the builder says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

impl ImageConfig {
    /// Reads a config.
    pub fn parse(bytes: &[u8]) -> Result<Self, OciError> {
        let config: Self = read(bytes, MOST)?;
        config.check()?;
        Ok(config)
    }

    /// Checks the fields.
    pub fn check(&self) -> Result<(), OciError> {
        let is_word = |text: &str| text::is_word(text, 128);
        let fits = [
            ("name", is_word(&self.name)),
            ("architecture", is_word(&self.architecture)),
            ("kernel", self.kernel.as_deref().is_none_or(is_word)),
            ("notes", self.notes.as_deref().is_none_or(|notes| text::is_prose(notes, 4 << 10))),
        ];
        if let Some((field, _)) = fits.into_iter().find(|(_, fits)| !fits) {
            return Err(OciError::Text(field));
        }
        if self.version == 0 { Err(OciError::Version) } else { Ok(()) }
    }

    /// What is wrong with the file name of the image's signed manifest, as the end of a sentence: it must be the name of the image,
    /// because a key may sign several images.
    pub fn misnamed(&self, file_name: &str) -> Option<String> {
        let Self { name, version, .. } = self;
        let (newest, one) = (copy_name(name), copy_name(&version_tag(name, *version)));
        let fits = [&newest, &one].iter().any(|own| *own == file_name);
        (!fits).then(|| {
            format!("it is the manifest of {name} version {version}, which must be at {newest} or {one}")
        })
    }

    /// The architecture's name in an OCI config for a name of `uname -m`, or the same name.
    pub fn architecture_of(machine: &str) -> &str {
        match machine {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_has_a_name_and_a_version() {
        let least = br#"{"name":"debian-12","version":41,"architecture":"amd64","colour":"blue"}"#;
        let config = ImageConfig::parse(least).unwrap();
        assert_eq!((config.name.as_str(), config.version), ("debian-12", 41));
        assert_eq!(config.kernel, None);
        for (text, wrong) in [
            (r#"{"name":"","version":1,"architecture":"amd64"}"#, OciError::Text("name")),
            (r#"{"name":"a b","version":1,"architecture":"amd64"}"#, OciError::Text("name")),
            (r#"{"name":"\u001b[2J","version":1,"architecture":"amd64"}"#, OciError::Text("name")),
            (r#"{"name":"a","version":0,"architecture":"amd64"}"#, OciError::Version),
            (r#"{"name":"a","version":1,"architecture":""}"#, OciError::Text("architecture")),
            (r#"{"name":"a","version":1,"architecture":"amd64","kernel":"6.1\n"}"#, OciError::Text("kernel")),
            (r#"{"name":"a","version":1,"architecture":"amd64","notes":""}"#, OciError::Text("notes")),
        ] {
            assert_eq!(ImageConfig::parse(text.as_bytes()), Err(wrong), "{text}");
        }
        for text in ["", "[]", r#"{"name":"a","version":-1,"architecture":"amd64"}"#, r#"{"name":"a"}"#] {
            assert!(matches!(ImageConfig::parse(text.as_bytes()), Err(OciError::Json(_))), "{text}");
        }
        let long = vec![b' '; MOST + 1];
        assert_eq!(ImageConfig::parse(&long), Err(OciError::TooLong { most: MOST }));
    }
}
