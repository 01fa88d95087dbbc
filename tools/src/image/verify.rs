//! `dayfly image verify`: whether every byte of an image is the one that was signed.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use dayfly_formats::chunk_index::ChunkIndex;
use dayfly_formats::minisign::PublicKey;
use dayfly_formats::oci::{ImageLayer, annotation};
use sha2::{Digest as _, Sha256};

use super::key_file::given;
use super::layout::{check, read};
use super::reference::Image;
use super::signatures::{self, GivenKey};
use super::update::read_index;
use crate::hash;
use crate::output::say;
use crate::progress::Progress;
use crate::size::count;

/// Checks the signatures of an image, and each of its bytes
///
/// Checks what a node checks, and every file besides; exits with 1 at the first thing that is wrong, and names it.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The image: the path of NAME.json, a folder, or FOLDER:TAG
    #[arg(value_name = "IMAGE")]
    reference: String,
    /// A public key, or its file; repeatable. Without it signatures are not checked
    #[arg(long, value_name = "PUBKEY")]
    key: Vec<String>,
    /// How many of the keys must have signed it, as image.threshold
    #[arg(long, value_name = "NUMBER", default_value_t = 1, requires = "key")]
    threshold: usize,
}

/// Runs the command.
pub fn run(args: &VerifyArgs) -> Result<()> {
    let mut keys: Vec<GivenKey> = Vec::new();
    for text in &args.key {
        let key = key(text)?;
        if !keys.iter().any(|there| there.key == key.key) {
            keys.push(key);
        }
    }
    if !keys.is_empty() {
        ensure!(
            (1..=keys.len()).contains(&args.threshold),
            "--threshold {}: with {} it is 1 to {}",
            args.threshold,
            count(keys.len() as u64, "key"),
            keys.len()
        );
    }
    let image = Image::open(&args.reference)?;
    check_manifest(&image)?;
    if keys.is_empty() {
        say!("the signatures were not checked: no --key was given")?;
    }
    for line in
        signatures::check(&image.copy, &image.bytes, &keys, if keys.is_empty() { 0 } else { args.threshold })?
    {
        say!("{line}")?;
    }
    let name = image.copy.file_name().unwrap_or_default().to_string_lossy();
    if let Some(wrong) = image.config.misnamed(&name).filter(|_| !keys.is_empty()) {
        bail!("a node with keys would refuse {}: {wrong}", image.copy.display());
    }
    say!("config: {}", image.title())?;
    for (number, layer) in (1..).zip(&image.manifest.layers) {
        let what = format!("layer {number}");
        let _step = Progress::new().step(&format!("reading {what}"), 0);
        say!("{what}: {}", check_layer(&image, &what, layer)?)?;
    }
    for companion in &image.manifest.companions {
        let title = companion.blob.annotation(annotation::TITLE).unwrap_or_default();
        let path = image.layout.blob(companion.blob.digest);
        let (sha256, size) = hash::file(&path).with_context(|| format!("{title} is missing"))?;
        check(title, &path, &companion.blob, sha256, size)?;
        say!("{title}: {size} bytes")?;
    }
    say!("{} is complete", image.copy.display())
}

/// Reads a key, or the file with it.
fn key(text: &str) -> Result<GivenKey> {
    let path = Path::new(text);
    let error = match text.parse::<PublicKey>() {
        Ok(key) => return Ok(GivenKey { key, file: None }),
        Err(error) => error,
    };
    if !path.exists() {
        bail!("--key {} {error}", given(path));
    }
    let content = read(path, 4 << 10)?;
    let key = String::from_utf8_lossy(&content).parse().with_context(|| format!("--key {text}"))?;
    Ok(GivenKey { key, file: Some(path.to_owned()) })
}

/// The copy of the manifest must be the blob.
fn check_manifest(image: &Image) -> Result<()> {
    let blob = image.layout.blob(image.digest);
    if !blob.exists() {
        bail!(
            "the manifest {} was changed: its digest is {}, and the layout has no such blob",
            image.copy.display(),
            image.digest
        );
    }
    let (sha256, size) = hash::file(&blob)?;
    check("the manifest's blob", &blob, &image.descriptor(), sha256, size)
}

/// Checks a layer and its chunk index.
fn check_layer(image: &Image, what: &str, layer: &ImageLayer) -> Result<String> {
    let path = image.layout.blob(layer.blob.digest);
    let Some(index) = &layer.index else {
        let (sha256, size) = hash::file(&path).with_context(|| format!("{what} is missing"))?;
        check(what, &path, &layer.blob, sha256, size)?;
        return Ok(format!("{size} bytes, no chunk index"));
    };
    let chunks = read_index(&image.layout, index).with_context(|| format!("{what} cannot be checked"))?;
    ensure!(
        chunks.size() == layer.blob.size,
        "the chunk index of {what} is of another file: it is for {} bytes, and {what} has {}",
        chunks.size(),
        layer.blob.size
    );
    let (sha256, size) = check_chunks(what, &path, &chunks)?;
    check(what, &path, &layer.blob, sha256, size)?;
    Ok(format!("{size} bytes in {}", count(chunks.count() as u64, "chunk")))
}

/// Compares a file with its index. Returns its SHA-256 and its length.
fn check_chunks(what: &str, path: &Path, index: &ChunkIndex) -> Result<([u8; 32], u64)> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("{what} is missing: cannot open {shown}"))?;
    let length = file.metadata().with_context(|| format!("cannot look at {shown}"))?.len();
    let (mut file, mut whole) = (BufReader::with_capacity(1 << 20, file), Sha256::new());
    let count = index.count();
    for (number, chunk) in (1..).zip(index.chunks()) {
        let mut bytes = Vec::new();
        file.by_ref()
            .take(chunk.length)
            .read_to_end(&mut bytes)
            .with_context(|| format!("cannot read {shown}"))?;
        ensure!(
            hash::bytes(&bytes) == chunk.sha256,
            "{what} was changed: chunk {number} of {count} differs from the index, which is bytes {} to {} of {shown}",
            chunk.offset,
            chunk.offset + chunk.length - 1
        );
        whole.update(&bytes);
    }
    Ok((whole.finalize().into(), length))
}
