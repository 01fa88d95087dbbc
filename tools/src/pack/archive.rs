//! Archives of containers: finds the tar files that are the tree's layers. The formats are those of `docker save`, `podman save` and
//! `skopeo copy … oci-archive:`, a folder in OCI's layout, and a tree in one tar file (`docker export`).

use std::fs::{self, File};
use std::io::{BufReader, Cursor, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// The indexes of the OCI image layout and of docker's own format.
const OCI_INDEX: &str = "index.json";
const DOCKER_MANIFEST: &str = "manifest.json";

/// Opens a tar file, compressed or not, at its beginning.
pub fn open(path: &Path) -> Result<Box<dyn Read>> {
    let failed = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(failed)?;
    let mut head = Vec::new();
    file.by_ref().take(6).read_to_end(&mut head).with_context(failed)?;
    let whole = BufReader::new(Cursor::new(head.clone()).chain(file));
    Ok(match head.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(whole).with_context(failed)?),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(whole)),
        _ => Box::new(whole),
    })
}

/// Whether a file is a tar file, compressed or not. Its first header has the magic, or, if docker wrote it, only the checksum.
pub fn is_tar(path: &Path) -> Result<bool> {
    let mut block = Vec::new();
    // A file that is broken or compressed in another way is not a tar file.
    if open(path)?.take(512).read_to_end(&mut block).is_err() || block.len() < 512 {
        return Ok(false);
    }
    if block.get(257..262) == Some(b"ustar") {
        return Ok(true);
    }
    let wanted = tar::Header::from_byte_slice(&block).cksum();
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, &byte)| u32::from(if (148..156).contains(&at) { b' ' } else { byte }))
        .sum();
    Ok(wanted.is_ok_and(|wanted| wanted == sum))
}

/// Whether a folder is an OCI layout or an unpacked archive, not a tree.
pub fn is_layout(folder: &Path) -> bool {
    folder.join("oci-layout").is_file() && folder.join(OCI_INDEX).is_file()
}

/// The tar files of an archive, the lowest layer first. Unpacks the archive into `folder` if necessary. Of an image for several
/// machines, takes that for `architecture`, a name of OCI.
pub fn layers(archive: &Path, folder: &Path, architecture: &str) -> Result<Vec<PathBuf>> {
    let mut tar = tar::Archive::new(open(archive)?);
    let mut is_container = false;
    for entry in tar.entries().with_context(|| format!("cannot read {}", archive.display()))? {
        let entry = entry.with_context(|| format!("cannot read {}", archive.display()))?;
        let name = entry.path_bytes();
        let name = name.strip_prefix(b"./").unwrap_or(&name);
        if name == OCI_INDEX.as_bytes() || name == DOCKER_MANIFEST.as_bytes() {
            is_container = true;
            break;
        }
    }
    if !is_container {
        return Ok(vec![archive.to_owned()]);
    }
    tar::Archive::new(open(archive)?)
        .unpack(folder)
        .with_context(|| format!("cannot unpack {} into {}", archive.display(), folder.display()))?;
    layers_of_layout(folder, architecture)
}

/// The tar files of an archive that is unpacked already.
pub fn layers_of_layout(folder: &Path, architecture: &str) -> Result<Vec<PathBuf>> {
    let names =
        if folder.join(DOCKER_MANIFEST).is_file() { docker(folder)? } else { oci(folder, architecture)? };
    let inside = |name: String| {
        let plain = Path::new(&name).components().all(|part| matches!(part, Component::Normal(_)));
        ensure!(
            plain,
            "the archive's manifest names the layer {name:?}, which is no path inside the archive"
        );
        let path = folder.join(&name);
        ensure!(
            path.exists(),
            "the archive lacks the layer {name}: it is truncated, or was saved without its layers"
        );
        Ok(path)
    };
    names.into_iter().map(inside).collect()
}

#[derive(Deserialize)]
struct DockerImage {
    #[serde(rename = "RepoTags")]
    tags: Option<Vec<String>>,
    #[serde(rename = "Layers")]
    layers: Vec<String>,
}

fn docker(folder: &Path) -> Result<Vec<String>> {
    let mut images: Vec<DockerImage> = read(&folder.join(DOCKER_MANIFEST))?;
    let names: Vec<String> = images.iter().flat_map(|image| image.tags.clone().unwrap_or_default()).collect();
    match (images.pop(), images.is_empty()) {
        (Some(image), true) => Ok(image.layers),
        (None, _) => bail!("the archive has no image"),
        _ => bail!("the archive has several images ({}); save the one alone", names.join(", ")),
    }
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
}

fn oci(folder: &Path, architecture: &str) -> Result<Vec<String>> {
    let mut index: Index = read(&folder.join(OCI_INDEX))?;
    // An index may refer to another one, for an image of several machines.
    for _ in 0..4 {
        let mut found = index.manifests;
        if found.len() > 1 {
            found.retain(|one| {
                one.platform.as_ref().is_some_and(|platform| platform.architecture == architecture)
            });
        }
        let count = found.len();
        let (Some(one), true) = (found.pop(), count == 1) else {
            bail!(
                "the archive has {count} images for {architecture}; copy the one alone, as in \"skopeo copy … oci-archive:os.tar\""
            )
        };
        let path = folder.join(blob(&one.digest)?);
        if one.media_type.contains("index") || one.media_type.contains("manifest.list") {
            index = read(&path)?;
            continue;
        }
        let manifest: Manifest = read(&path)?;
        return manifest.layers.iter().map(|layer| blob(&layer.digest)).collect();
    }
    bail!("the archive's indexes are nested too deeply")
}

fn blob(digest: &str) -> Result<String> {
    let (kind, hash) = digest.split_once(':').with_context(|| format!("{digest:?} is no digest"))?;
    Ok(format!("blobs/{kind}/{hash}"))
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read(path).with_context(|| format!("the archive lacks {}", path.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} of the archive has an unknown format", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(path, text).expect("a file");
        }
    }

    /// The files of a layout, and its layers or a part of the error.
    #[test]
    fn layers_by_manifest() {
        let blobs = [("blobs/sha256/l1", ""), ("blobs/sha256/l2", "")];
        let manifest =
            ("blobs/sha256/m", r#"{"layers": [{"digest": "sha256:l1"}, {"digest": "sha256:l2"}]}"#);
        let oci = (OCI_INDEX, r#"{"manifests": [{"digest": "sha256:m"}]}"#);
        let index = "application/vnd.oci.image.index.v1+json";
        let nested = format!(r#"{{"manifests": [{{"digest": "sha256:i", "mediaType": "{index}"}}]}}"#);
        let inner = r#"{"manifests": [
            {"digest": "sha256:x", "platform": {"architecture": "arm64", "os": "linux"}},
            {"digest": "sha256:m", "platform": {"architecture": "amd64", "os": "linux"}},
            {"digest": "sha256:a", "platform": {"architecture": "unknown", "os": "unknown"}}]}"#;
        let both = "blobs/sha256/l1 blobs/sha256/l2";
        let table: [(Vec<(&str, &str)>, &str); 8] = [
            (vec![oci, manifest, blobs[0], blobs[1]], both),
            (vec![(OCI_INDEX, &nested), ("blobs/sha256/i", inner), manifest, blobs[0], blobs[1]], both),
            (vec![(OCI_INDEX, inner), manifest, blobs[0], blobs[1]], both),
            (vec![oci, manifest, blobs[0]], "lacks the layer blobs/sha256/l2"),
            (
                vec![
                    (DOCKER_MANIFEST, r#"[{"RepoTags": ["os:1"], "Layers": ["a/layer.tar"]}]"#),
                    ("a/layer.tar", ""),
                ],
                "a/layer.tar",
            ),
            (
                vec![(
                    DOCKER_MANIFEST,
                    r#"[{"RepoTags": ["os:1"], "Layers": []}, {"RepoTags": ["b:2"], "Layers": []}]"#,
                )],
                "os:1, b:2",
            ),
            (vec![(DOCKER_MANIFEST, r#"[{"RepoTags": null, "Layers": ["../x"]}]"#)], "no path inside"),
            (vec![(OCI_INDEX, "[]")], "an unknown format"),
        ];
        for (given, expected) in table {
            let folder = tempfile::tempdir().expect("a folder");
            files(folder.path(), &given);
            let said = match layers_of_layout(folder.path(), "amd64") {
                Ok(layers) => layers
                    .iter()
                    .map(|layer| layer.strip_prefix(folder.path()).expect("below").display().to_string())
                    .collect::<Vec<_>>()
                    .join(" "),
                Err(error) => format!("{error:#}"),
            };
            assert!(said.contains(expected), "{said}\n{given:?}");
        }
    }
}
