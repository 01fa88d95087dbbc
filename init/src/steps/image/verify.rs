//! Verifies the image: compares it with its SHA-256, unless the plan says that it is not verified.

use dayfly_formats::superblock;
use dayfly_plan::settings::value::Sha256 as Digest256;
use dayfly_plan::{Code, Integrity, Layer};
use dayfly_sys::{Backing, FileKind, TreePath};

use super::hasher::Hasher;
use crate::context::{Context, Done};
use crate::{Failure, LayerFile, Learned};

const CHUNK: usize = 1 << 20;

/// A verified layer. Only this module can make one, and only such layers are mounted.
#[derive(Debug, Clone)]
pub struct Decided {
    file: LayerFile,
    by: Integrity,
}

impl Decided {
    /// The file of the layer.
    pub fn file(&self) -> &LayerFile {
        &self.file
    }
}

/// Returns the layer at this index, if it was verified as the plan asks.
pub fn decided(cx: &Context, place: usize, integrity: Integrity) -> Result<Decided, Failure> {
    let refuse = |wrong: String| Err(Failure::new(Code::ImageHashMismatch, "mount the image", wrong));
    match (integrity, cx.known.decided.get(&place), cx.known.layers.get(&place)) {
        (_, Some(decided), _) if decided.by == integrity => Ok(decided.clone()),
        (Integrity::Unchecked, _, Some(file)) => Ok(Decided { file: file.clone(), by: integrity }),
        (Integrity::Sha256(wanted), _, Some(_)) => {
            refuse(format!("it was not compared with the expected SHA-256 {wanted}"))
        }
        // The runner plans again after the manifest was read, so this would be a defect of the planner.
        (Integrity::Manifest, _, Some(_)) => refuse("its manifest was not read".to_owned()),
        (_, _, None) => refuse("there is no image".to_owned()),
    }
}

/// Compares all layers. A layer on a disk is read for this.
pub fn verify(cx: &Context, layers: &[Layer]) -> Result<Done, Failure> {
    let (mut said, mut done) = (Vec::new(), Done::default());
    for (place, layer) in layers.iter().enumerate() {
        let Some(wanted) = layer.sha256() else { continue };
        let Some(file) = cx.known.layers.get(&place) else {
            let tried = "compare the image with its SHA-256";
            return Err(Failure::new(Code::ImageHashMismatch, tried, "there is no image"));
        };
        said.push(compare(cx, file, &wanted)?);
        done = done.and(Learned::Decided(place, Decided { file: file.clone(), by: layer.integrity }));
    }
    Ok(Done { detail: said.join("; "), ..done })
}

/// Compares one layer and returns a text for the log.
fn compare(cx: &Context, image: &LayerFile, wanted: &Digest256) -> Result<String, Failure> {
    let tried = format!("compare the SHA-256 of {} bytes ({})", image.bytes, image.origin);
    let found = match image.sha256 {
        Some(found) => found,
        None => hash(cx, &tried, image)?,
    };
    // If a whole disk is the image, it is not known whether the file that was written to it was padded. Try both
    // lengths.
    if found != wanted.0
        && let Some(bytes) = unpadded(cx, image)
    {
        let file = LayerFile { bytes, ..image.clone() };
        if hash(cx, &tried, &file)? == wanted.0 {
            return Ok(format!("SHA-256 {}… matches, of {bytes} bytes", wanted.short()));
        }
    }
    if found == wanted.0 {
        return Ok(format!("SHA-256 {}… matches", wanted.short()));
    }
    let wrong = format!("the image has SHA-256 {}, expected {wanted}", Digest256(found));
    Err(Failure::new(Code::ImageHashMismatch, tried, wrong))
}

/// The length of the image on a disk according to its superblock, if it differs from the length that was hashed.
fn unpadded(cx: &Context, image: &LayerFile) -> Option<u64> {
    let path = image.backing.path();
    if !matches!(cx.sys.inspect(&path), Ok(Some(FileKind::Block))) {
        return None;
    }
    let head = cx.sys.read_at(&path, 0, superblock::PROBE_LEN).ok()?;
    superblock::image_len(&head).filter(|bytes| *bytes < image.bytes)
}

fn hash(cx: &Context, tried: &str, image: &LayerFile) -> Result<[u8; 32], Failure> {
    let Backing::Path(path) = &image.backing else {
        return Err(Failure::new(Code::ImageHashMismatch, tried, "it was not hashed while it was fetched"));
    };
    let mut hash = Hasher::start();
    let mut offset = 0;
    while offset < image.bytes {
        let want = usize::try_from(image.bytes - offset).unwrap_or(CHUNK).min(CHUNK);
        let chunk =
            read(cx, path, offset, want).map_err(|wrong| Failure::new(Code::ImageFormat, tried, wrong))?;
        offset += chunk.len() as u64;
        hash.update(chunk)?;
    }
    hash.finish()
}

fn read(cx: &Context, path: &TreePath, offset: u64, want: usize) -> Result<Vec<u8>, String> {
    let chunk = cx.sys.read_at(path, offset, want).map_err(|error| error.to_string())?;
    if chunk.is_empty() { Err(format!("{path} ends after {offset} bytes")) } else { Ok(chunk) }
}
