//! What a node finds out by the manifest of its image.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use dayfly_formats::minisign::{KeyId, PublicKey};
use dayfly_formats::oci::{self, Digest, ImageConfig, Manifest};
use dayfly_plan::settings::value::Sha256;
use dayfly_plan::settings::{Settings, gather};
use dayfly_plan::{Fact, Facts, NamedImage};

use crate::hash;
use crate::image::layout::{self, Layout};
use crate::image::signatures::check_key;

/// Reads the manifest as the step `manifest` does, with the settings of the other facts.
pub fn read(facts: &Facts, path: &Path) -> Result<Fact> {
    let settings = gather(facts).0.settings;
    let Some(url) = settings.manifest() else {
        bail!("--manifest has no effect: the settings name no image whose URL ends with .json")
    };
    let bytes = layout::read(path, oci::manifest::MOST)?;
    let hash = hash::bytes(&bytes);
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
    let layout = Layout { folder: path.parent().unwrap_or(Path::new("")).to_owned() };
    let config = layout.read("the config", &manifest.config, oci::config::MOST)?;
    let config = ImageConfig::parse(&config)
        .with_context(|| format!("cannot use the config of {}", path.display()))?;
    let signers = signers(&settings, path, &bytes)?;
    if let Some(wrong) = config.misnamed(url.file_name()).filter(|_| settings.demands_signatures()) {
        bail!("a node would refuse {}: {wrong}", path.display());
    }
    Ok(Fact::Image(NamedImage::new(url, Sha256(hash), &manifest, config, signers)))
}

/// The keys that a node would find valid signatures of: as many as it asks for.
fn signers(settings: &Settings, path: &Path, bytes: &[u8]) -> Result<Vec<KeyId>> {
    let least = usize::try_from(settings.image_threshold.value)?;
    let keys = settings.signing_keys();
    let has_signed = |key: &&PublicKey| check_key(path, bytes, key).is_ok();
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
