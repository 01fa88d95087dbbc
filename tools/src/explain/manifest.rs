//! What a node finds out by the manifest of its image.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use dayfly_formats::minisign::{KeyId, PublicKey, Signature};
use dayfly_formats::oci::{Digest, ImageConfig, Manifest};
use dayfly_plan::settings::value::Sha256;
use dayfly_plan::settings::{ImageSource, Settings, gather};
use dayfly_plan::{Fact, Facts, NamedImage, misnamed};
use sha2::Digest as _;

/// Reads the manifest as the step `manifest` does, with the settings of the other facts.
pub fn read(facts: &Facts, path: &Path) -> Result<Fact> {
    let settings = gather(facts).0.settings;
    let url = match settings.image.as_ref().map(|image| &image.value) {
        Some(ImageSource::Url(url)) if url.is_manifest() => url,
        _ => bail!("--manifest has no effect: the settings name no image whose URL ends with .json"),
    };
    let bytes = file(path)?;
    let hash = sha256(&bytes);
    if let Some(wanted) = settings.image_sha256.as_ref().map(|wanted| wanted.value) {
        ensure!(
            wanted.0 == hash,
            "a node would refuse {}: its SHA-256 is {}, and image.sha256 asks for {}",
            path.display(),
            Digest(hash).hex(),
            Digest(wanted.0).hex()
        );
    }
    let manifest = Manifest::parse(&bytes).with_context(|| format!("{} is no manifest", path.display()))?;
    let config_path = path.parent().unwrap_or(Path::new("")).join(manifest.config.digest.blob_path());
    let config = file(&config_path)?;
    ensure!(
        sha256(&config) == manifest.config.digest.0,
        "{} does not have the SHA-256 that its name says",
        config_path.display()
    );
    let config =
        ImageConfig::parse(&config).with_context(|| format!("{} is no config", config_path.display()))?;
    let signers = signers(&settings, path, &bytes)?;
    if let Some(wrong) = misnamed(url.file_name(), &config).filter(|_| settings.demands_signatures()) {
        bail!("a node would refuse {}: {wrong}", path.display());
    }
    Ok(Fact::Image(NamedImage::new(url, Sha256(hash), &manifest, config, signers)))
}

/// The keys that a node would find valid signatures of: as many as it asks for.
fn signers(settings: &Settings, path: &Path, bytes: &[u8]) -> Result<Vec<KeyId>> {
    let least = usize::try_from(settings.image_threshold.value)?;
    let beside = |suffix: &str| PathBuf::from(format!("{}.{suffix}", path.display()));
    let keys = settings.signing_keys();
    // As in a node, the file with the usual name counts if the key's own file does not fit.
    let has_signed = |key: &&PublicKey| {
        [format!("{}.minisig", key.id()), "minisig".to_owned()].iter().any(|suffix| {
            let file = fs::read(beside(suffix)).unwrap_or_default();
            Signature::parse(&file).and_then(|signature| key.verify(bytes, &signature)).is_ok()
        })
    };
    let (signed, unsigned): (Vec<&PublicKey>, Vec<&PublicKey>) = keys.iter().partition(has_signed);
    let signers: Vec<KeyId> = signed.into_iter().take(least).map(PublicKey::id).collect();
    let missing: Vec<String> = unsigned.iter().map(|key| key.id().to_string()).collect();
    ensure!(
        !settings.demands_signatures() || signers.len() == least,
        "a node would refuse {}: {} of {least} needed signatures are valid; there is no valid one of {} (dayfly image verify says why)",
        path.display(),
        signers.len(),
        missing.join(", ")
    );
    Ok(signers)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(bytes).into()
}

fn file(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
