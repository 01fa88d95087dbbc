//! A container image without a registry or an image tool: an OCI layout in a tar, as `ctr images import` takes it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{cache::sha256_file, command::run};

/// Writes an image to `path` that holds the static `binary` as `/program` and starts it. `name` is its full name with a tag.
pub fn archive(path: &Path, name: &str, binary: &Path, program: &str) -> Result<()> {
    let work = tempfile::tempdir().context("cannot make a temporary folder")?;
    let (root, layout) = (work.path().join("root"), work.path().join("layout"));
    for dir in [&root.join("etc"), &root.join("tmp"), &layout.join("blobs/sha256")] {
        fs::create_dir_all(dir)?;
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    fs::copy(binary, root.join(program)).with_context(|| format!("cannot copy {}", binary.display()))?;
    fs::set_permissions(root.join(program), fs::Permissions::from_mode(0o755))?;
    fs::write(root.join("etc/passwd"), "nobody:x:65534:65534::/:/none\n")?;

    let layer = work.path().join("layer");
    tar(&root, &layer)?;
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": { "Entrypoint": [format!("/{program}")] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", sha256_file(&layer)?)] },
    });
    let layer = blob(&layout, &layer, "layer.v1.tar")?;
    let config = json_blob(work.path(), &layout, &config, "config.v1+json")?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": [layer],
    });
    let mut manifest = json_blob(work.path(), &layout, &manifest, "manifest.v1+json")?;
    let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    manifest["annotations"] =
        json!({ "io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag });
    fs::write(layout.join("index.json"), json!({ "schemaVersion": 2, "manifests": [manifest] }).to_string())?;
    fs::write(layout.join("oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }).to_string())?;
    tar(&layout, path)
}

/// Packs a folder; the same content gives the same bytes.
fn tar(folder: &Path, to: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-C"]);
    run("image: pack a container image", tar.arg(folder).arg("-cf").arg(to).arg(".")).map(|_| ())
}

/// Moves a file among the blobs and gives its descriptor.
fn blob(layout: &Path, file: &Path, kind: &str) -> Result<Value> {
    let (digest, size) = (sha256_file(file)?, fs::metadata(file)?.len());
    fs::rename(file, layout.join("blobs/sha256").join(&digest))?;
    Ok(json!({
        "mediaType": format!("application/vnd.oci.image.{kind}"),
        "digest": format!("sha256:{digest}"), "size": size,
    }))
}

fn json_blob(work: &Path, layout: &Path, value: &Value, kind: &str) -> Result<Value> {
    let file = work.join("json");
    fs::write(&file, value.to_string())?;
    blob(layout, &file, kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::call;

    #[test]
    fn every_descriptor_leads_to_its_blob() {
        let dir = tempfile::tempdir().unwrap();
        let (tar, again) = (dir.path().join("a.tar"), dir.path().join("b.tar"));
        archive(&tar, "localhost/a:1", Path::new("/bin/true"), "true").unwrap();
        archive(&again, "localhost/a:1", Path::new("/bin/true"), "true").unwrap();
        assert_eq!(fs::read(&tar).unwrap(), fs::read(again).unwrap(), "the same input gives the same bytes");

        let dir = dir.path().to_string_lossy();
        call("unpack", "tar", &["-xf", &tar.to_string_lossy(), "-C", &dir]).unwrap();
        let read = |path: &str| fs::read(Path::new(&*dir).join(path)).unwrap();
        let json = |path: &str| -> Value { serde_json::from_slice(&read(path)).unwrap() };
        let path = |descriptor: &Value| {
            format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"))
        };
        let manifest = &json("index.json")["manifests"][0];
        assert_eq!(manifest["annotations"]["io.containerd.image.name"], "localhost/a:1");
        let manifest = json(&path(manifest));
        assert_eq!(read(&path(&manifest["layers"][0])).len() as u64, manifest["layers"][0]["size"]);
        let config = json(&path(&manifest["config"]));
        assert_eq!(config["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
        assert_eq!(config["config"]["Entrypoint"][0], "/true");
    }
}
