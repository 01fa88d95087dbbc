//! Manifests, configs and lists of manifests: every text gives a value or an error, and a value is written as it was read.
#![no_main]

use dayfly_formats::oci::{ImageConfig, ImageIndex, Manifest, layout, manifest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = Manifest::parse(bytes) {
        assert!((1..=manifest::MOST_LAYERS).contains(&read.layers.len()));
        assert!(read.layers.iter().all(|layer| (1..=manifest::MOST_BYTES).contains(&layer.blob.size)));
        assert!(read.blobs().all(|blob| blob.digest.blob_path().len() == "blobs/sha256/".len() + 64));
        assert_eq!(Manifest::parse(&read.encode()), Ok(read));
    }
    if let Ok(config) = ImageConfig::parse(bytes) {
        assert!(config.version > 0 && config.name.bytes().all(|byte| byte.is_ascii_graphic()));
    }
    if let Ok(index) = ImageIndex::parse(bytes) {
        let written = index.encode();
        // Escapes may make a text longer than the limit.
        assert!(written.len() > layout::MOST || ImageIndex::parse(&written) == Ok(index));
    }
});
