//! The SHA-256 of files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// The SHA-256 and the length of a file.
pub fn file(path: &Path) -> Result<([u8; 32], u64)> {
    let failed = || format!("cannot read {} to hash it", path.display());
    let mut file = File::open(path).with_context(failed)?;
    let (mut hash, mut buffer, mut size) = (Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        let length = file.read(&mut buffer).with_context(failed)?;
        let Some(piece @ [_, ..]) = buffer.get(..length) else { break };
        hash.update(piece);
        size += length as u64;
    }
    Ok((hash.finalize().into(), size))
}

/// The SHA-256 of bytes.
pub fn bytes(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
