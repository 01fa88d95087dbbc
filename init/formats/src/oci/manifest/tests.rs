use serde_json::{Value, json};

use super::*;

fn blob(media_type: &str, byte: u8) -> Descriptor {
    Descriptor::new(media_type, Digest([byte; 32]), 4096)
}

fn index_of(byte: u8) -> Descriptor {
    blob(media::CHUNK_INDEX, byte + 100).with(annotation::INDEX_TARGET, Digest([byte; 32]).to_string())
}

fn manifest() -> Manifest {
    Manifest {
        config: blob(media::CONFIG, 1),
        layers: vec![
            ImageLayer { blob: blob(media::SQUASHFS, 2), index: Some(index_of(2)) },
            ImageLayer { blob: blob(media::EROFS, 3), index: None },
        ],
        companions: vec![Companion {
            role: Role::Kernel,
            blob: blob(media::KERNEL, 4).with(annotation::TITLE, "vmlinuz"),
        }],
    }
}

#[test]
fn a_manifest_is_read_as_it_was_written() {
    let bytes = manifest().encode();
    assert_eq!(Manifest::parse(&bytes), Ok(manifest()));
    assert_eq!(manifest().bytes(), 8192);
    assert_eq!(manifest().blobs().count(), 5);
    // What a later version or another tool adds is ignored.
    let text =
        String::from_utf8(bytes).unwrap().replacen('{', r#"{"subject":null,"annotations":{"a":"b"},"#, 1);
    assert_eq!(Manifest::parse(text.as_bytes()), Ok(manifest()));
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
    let title = format!("/layers/3/annotations/{}", annotation::TITLE);
    let target = format!("/layers/1/annotations/{}", annotation::INDEX_TARGET);
    for (pointer, value, wrong) in [
        ("/schemaVersion", json!(1), OciError::SchemaVersion(1)),
        ("/mediaType", json!(media::INDEX), OciError::MediaType(media::INDEX.to_owned())),
        ("/mediaType", json!(null), OciError::MediaType(String::new())),
        ("/artifactType", json!("text/plain"), OciError::ArtifactType("text/plain".to_owned())),
        ("/config/mediaType", json!("text/plain"), OciError::ConfigType("text/plain".to_owned())),
        ("/layers/0/mediaType", json!(tar), OciError::LayerType(1, tar.to_owned())),
        ("/layers/2/mediaType", json!("a\u{1b}[2J"), OciError::LayerType(3, "a\\u{1b}[2J".to_owned())),
        ("/layers/0/size", json!(0), OciError::Size(1, 0)),
        ("/layers/0/size", json!(u64::MAX), OciError::Size(1, u64::MAX)),
        ("/layers/1/size", json!(MOST_INDEX + 1), OciError::Size(2, MOST_INDEX + 1)),
        ("/layers/2/digest", json!(Digest([2; 32]).to_string()), OciError::Repeated(3)),
        ("/layers/0/digest", json!(Digest([9; 32]).to_string()), OciError::StrayIndex(2)),
        (&target, json!("x"), OciError::StrayIndex(2)),
        (&title, json!("../vmlinuz"), OciError::Title(4)),
        (&title, json!(""), OciError::Title(4)),
    ] {
        let mut text: Value = serde_json::from_slice(&manifest().encode()).unwrap();
        *text.pointer_mut(pointer).unwrap() = value.clone();
        assert_eq!(Manifest::parse(text.to_string().as_bytes()), Err(wrong), "{pointer} {value}");
    }
}

#[test]
fn sizes_are_limited_before_and_after_parsing() {
    let mut deep = manifest();
    deep.layers = (0..=8).map(|byte| ImageLayer { blob: blob(media::EROFS, byte), index: None }).collect();
    assert_eq!(Manifest::parse(&deep.encode()), Err(OciError::TooManyLayers(9)));
    deep.layers.clear();
    assert_eq!(Manifest::parse(&deep.encode()), Err(OciError::NoLayers));
    let mut long = manifest().encode();
    long.resize(MOST + 1, b' ');
    assert_eq!(Manifest::parse(&long), Err(OciError::TooLong { most: MOST }));
    for text in ["", "{", "null", "[]", "<html>", r#"{"schemaVersion":2}"#] {
        assert!(matches!(Manifest::parse(text.as_bytes()), Err(OciError::Json(_))), "{text}");
    }
    let nested = "[".repeat(100_000);
    assert!(matches!(Manifest::parse(nested.as_bytes()), Err(OciError::Json(_))));
}
