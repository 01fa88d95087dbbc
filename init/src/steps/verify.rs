//! Compares the image with its SHA-256.

use std::path::Path;

use dayfly_plan::Code;
use dayfly_plan::settings::value::Sha256 as Digest256;
use dayfly_sys::{Backing, Sys};

use crate::context::{Context, Done};
use crate::steps::hasher::Hasher;
use crate::{Failure, Image};

const CHUNK: usize = 1 << 20;

/// Compares; an image that came from a disk is read for it.
pub fn verify<S: Sys>(cx: &Context<S>, wanted: &Digest256) -> Result<Done, Failure> {
    let Some(image) = &cx.known.image else {
        return Err(Failure::new(
            Code::ImageHashMismatch,
            "compare the image with its SHA-256",
            "there is no image",
        ));
    };
    let tried = format!("compare the SHA-256 of {} bytes ({})", image.bytes, image.origin);
    let found = match image.sha256 {
        Some(found) => found,
        None => hash(cx, &tried, image)?,
    };
    if found == wanted.0 {
        return Ok(Done::with(format!("SHA-256 {}… as wanted", wanted.short())));
    }
    let wrong = format!("the image has SHA-256 {}, wanted is {wanted}", Digest256(found));
    Err(Failure::new(Code::ImageHashMismatch, tried, wrong).hopeless())
}

fn hash<S: Sys>(cx: &Context<S>, tried: &str, image: &Image) -> Result<[u8; 32], Failure> {
    let Backing::Path(path) = &image.backing else {
        return Err(Failure::new(
            Code::ImageHashMismatch,
            tried,
            "its bytes were not hashed on the way into memory",
        ));
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

fn read<S: Sys>(cx: &Context<S>, path: &Path, offset: u64, want: usize) -> Result<Vec<u8>, String> {
    let chunk = cx.sys.read_at(path, offset, want).map_err(|error| error.to_string())?;
    if chunk.is_empty() { Err(format!("{} ends after {offset} bytes", path.display())) } else { Ok(chunk) }
}
