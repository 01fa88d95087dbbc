//! Container images without a registry or an image tool: an OCI layout in a tar, as `ctr images import` takes it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{
    cache::{hex, sha256_file},
    command::run,
};

/// The static program in every image, and its path there.
const PROGRAM: &str = "pod";

/// Writes a tar to `path` with images that hold the static `binary` as `/pod` and start it with an argument. `images` has their full
/// names, with a tag, and the arguments.
pub fn archive(path: &Path, binary: &Path, images: &[(&str, &str)]) -> Result<()> {
    let layout = Layout::new()?;
    let (layer, digest) = layout.layer(binary)?;
    let mut manifests = Vec::new();
    for (name, argument) in images {
        let config = layout.json(
            "config",
            &json!({
                "architecture": "amd64", "os": "linux",
                "config": { "Entrypoint": [format!("/{PROGRAM}"), argument] },
                "rootfs": { "type": "layers", "diff_ids": [digest] },
            }),
        )?;
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": [layer],
        });
        let mut manifest = layout.json("manifest", &manifest)?;
        let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        manifest["annotations"] =
            json!({ "io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag });
        manifests.push(manifest);
    }
    let index = json!({ "schemaVersion": 2, "manifests": manifests });
    fs::write(layout.dir.path().join("index.json"), index.to_string())?;
    let version = json!({ "imageLayoutVersion": "1.0.0" });
    fs::write(layout.dir.path().join("oci-layout"), version.to_string())?;
    tar(layout.dir.path(), path)
}

/// An OCI image layout under construction.
struct Layout {
    dir: TempDir,
}

impl Layout {
    fn new() -> Result<Self> {
        let dir = tempfile::tempdir().context("cannot make a temporary folder")?;
        fs::create_dir_all(dir.path().join("blobs/sha256"))?;
        Ok(Self { dir })
    }

    /// The one layer: its descriptor and its digest.
    fn layer(&self, binary: &Path) -> Result<(Value, String)> {
        let root = tempfile::tempdir().context("cannot make a temporary folder")?;
        let program = root.path().join(PROGRAM);
        fs::copy(binary, &program).with_context(|| format!("cannot copy {}", binary.display()))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        fs::create_dir(root.path().join("etc"))?;
        fs::write(root.path().join("etc/passwd"), "nobody:x:65534:65534::/:/none\n")?;
        let packed = self.dir.path().join("layer");
        tar(root.path(), &packed)?;
        let (digest, size) = (sha256_file(&packed)?, fs::metadata(&packed)?.len());
        fs::rename(packed, self.blob(&digest))?;
        Ok((descriptor("layer.v1.tar", &digest, size), format!("sha256:{digest}")))
    }

    /// Adds a JSON value of a media type and returns its descriptor.
    fn json(&self, kind: &str, value: &Value) -> Result<Value> {
        let text = value.to_string();
        let digest = hex(&Sha256::digest(&text));
        fs::write(self.blob(&digest), &text)?;
        Ok(descriptor(&format!("{kind}.v1+json"), &digest, text.len() as u64))
    }

    fn blob(&self, digest: &str) -> PathBuf {
        self.dir.path().join("blobs/sha256").join(digest)
    }
}

fn descriptor(kind: &str, digest: &str, size: u64) -> Value {
    json!({
        "mediaType": format!("application/vnd.oci.image.{kind}"), "digest": format!("sha256:{digest}"), "size": size,
    })
}

/// Packs a folder; the same contents give the same bytes.
fn tar(folder: &Path, to: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-C"]);
    run("image: pack a container image", tar.arg(folder).arg("-cf").arg(to).arg(".")).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::call;

    #[test]
    fn every_descriptor_leads_to_its_blob() {
        let dir = tempfile::tempdir().unwrap();
        let (tar, again) = (dir.path().join("a.tar"), dir.path().join("b.tar"));
        for path in [&tar, &again] {
            archive(path, Path::new("/bin/true"), &[("localhost/a:1", "greet"), ("localhost/b:2", "pause")])
                .unwrap();
        }
        assert_eq!(fs::read(&tar).unwrap(), fs::read(again).unwrap(), "the same input gives the same bytes");

        let dir = dir.path().to_string_lossy();
        call("unpack", "tar", &["-xf", &tar.to_string_lossy(), "-C", &dir]).unwrap();
        let read = |path: &str| fs::read(Path::new(&*dir).join(path)).unwrap();
        let json = |path: &str| -> Value { serde_json::from_slice(&read(path)).unwrap() };
        let path = |descriptor: &Value| {
            format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"))
        };
        let index = json("index.json");
        for (image, name, argument) in [(0, "localhost/a:1", "greet"), (1, "localhost/b:2", "pause")] {
            let manifest = &index["manifests"][image];
            assert_eq!(manifest["annotations"]["io.containerd.image.name"], name);
            let manifest = json(&path(manifest));
            assert_eq!(read(&path(&manifest["layers"][0])).len() as u64, manifest["layers"][0]["size"]);
            let config = json(&path(&manifest["config"]));
            assert_eq!(config["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
            assert_eq!(config["config"]["Entrypoint"], json!(["/pod", argument]));
        }
    }
}
