//! `dayfly image inspect`: what an image is.

use anyhow::Result;
use clap::Args;
use dayfly_formats::oci::{Companion, Digest, annotation};
use serde::Serialize;

use super::companion;
use super::layer::format_name;
use super::reference::Image;
use super::signatures::{files, signature};
use super::update::read_index;
use crate::output::{print, say};
use crate::size::{count, human};

/// Shows what an image is and which files it has
///
/// Checks the digests of the small files, but neither signatures nor layers; `dayfly image verify` does.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The image: the path of NAME.json, a folder, or FOLDER:TAG
    #[arg(value_name = "IMAGE")]
    reference: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What is shown.
#[derive(Serialize)]
struct Shown {
    digest: Digest,
    #[serde(flatten)]
    config: dayfly_formats::oci::ImageConfig,
    bytes: u64,
    layers: Vec<ShownLayer>,
    companions: Vec<ShownCompanion>,
    signatures: Vec<ShownSignature>,
}

#[derive(Serialize)]
struct ShownLayer {
    format: &'static str,
    digest: Digest,
    bytes: u64,
    chunks: Option<usize>,
}

#[derive(Serialize)]
struct ShownCompanion {
    role: &'static str,
    title: String,
    digest: Digest,
    bytes: u64,
}

#[derive(Serialize)]
struct ShownSignature {
    key: String,
    comment: String,
    file: String,
}

/// Runs the command.
pub fn run(args: &InspectArgs) -> Result<()> {
    let image = Image::open(&args.reference)?;
    let shown = look(&image)?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&shown)?)
    } else {
        print(format_args!("{}", table(&image, &shown)))
    }
}

fn look(image: &Image) -> Result<Shown> {
    let mut layers = Vec::new();
    for layer in &image.manifest.layers {
        let index = layer.index.as_ref().map(|index| read_index(&image.layout, index)).transpose()?;
        layers.push(ShownLayer {
            format: format_name(&layer.blob.media_type),
            digest: layer.blob.digest,
            bytes: layer.blob.size,
            chunks: index.map(|index| index.count()),
        });
    }
    let companions = image.manifest.companions.iter().map(|companion| ShownCompanion {
        role: companion::name(companion.role),
        title: title(companion).to_owned(),
        digest: companion.blob.digest,
        bytes: companion.blob.size,
    });
    let mut signatures = Vec::new();
    for path in files(&image.copy)? {
        let (key, comment) = match signature(&path) {
            Ok(signature) => (signature.id().to_string(), signature.trusted_comment().to_owned()),
            Err(error) => (String::new(), format!("{error:#}")),
        };
        signatures.push(ShownSignature { key, comment, file: path.display().to_string() });
    }
    Ok(Shown {
        digest: image.digest,
        config: image.config.clone(),
        bytes: image.manifest.bytes(),
        layers,
        companions: companions.collect(),
        signatures,
    })
}

fn table(image: &Image, shown: &Shown) -> String {
    let config = &shown.config;
    let mut lines = vec![image.title()];
    let mut line = |name: &str, text: String| lines.push(format!("  {name:<13}{text}"));
    line("manifest", shown.digest.to_string());
    line("architecture", config.architecture.clone());
    if let Some(kernel) = &config.kernel {
        line("kernel", kernel.clone());
    }
    if let Some(memory) = config.memory {
        line("memory", human(memory));
    }
    if let Some(notes) = &config.notes {
        line("notes", notes.replace('\n', "\n               "));
    }
    for (number, layer) in (1..).zip(&shown.layers) {
        let chunks = layer.chunks.map_or("no chunk index".to_owned(), |chunks| count(chunks as u64, "chunk"));
        line(
            &format!("layer {number}"),
            format!("{:<9}{:>10}  {chunks:<15} {}", layer.format, human(layer.bytes), layer.digest),
        );
    }
    for companion in &shown.companions {
        let size = human(companion.bytes);
        line(companion.role, format!("{:<9}{size:>10}  {:<15} {}", "", companion.title, companion.digest));
    }
    for signature in &shown.signatures {
        let comment: String = signature.comment.chars().flat_map(char::escape_debug).collect();
        line("signature", format!("{} {comment} ({}, not checked)", signature.key, signature.file));
    }
    if shown.signatures.is_empty() {
        line("signature", "none".to_owned());
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The file name of a companion; its manifest was parsed, so it has one.
fn title(companion: &Companion) -> &str {
    companion.blob.annotation(annotation::TITLE).unwrap_or_default()
}
