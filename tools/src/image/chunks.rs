//! The chunks of a file. Their ends depend on the contents nearby, so a change of one part of the file leaves the chunks of the
//! other parts as they are, wherever they move to.
//!
//! The ends are those of FastCDC (Xia and others, "The Design of Fast Content-Defined Chunking", 2020). A node only reads the
//! index, so a later version may choose other ends; the first update to an image with other ends then moves the whole image.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use dayfly_formats::chunk_index::ChunkIndex;
use dayfly_formats::oci::Digest;
use fastcdc::v2020::StreamCDC;
use sha2::{Digest as _, Sha256};

/// The shortest chunk but the last, in bytes.
const LEAST: usize = 16 << 10;
/// The usual length of a chunk.
const USUAL: usize = 64 << 10;
/// The longest chunk.
const MOST: usize = 256 << 10;

/// Reads a file once, for its digest and its chunks.
pub fn cut(path: &Path) -> Result<(Digest, ChunkIndex)> {
    let failed = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(failed)?;
    let (mut whole, mut starts, mut size) = (Sha256::new(), Vec::new(), 0);
    for chunk in StreamCDC::new(file, LEAST, USUAL, MOST) {
        let data = chunk.with_context(failed)?.data;
        whole.update(&data);
        starts.push((size, crate::hash::bytes(&data)));
        size += data.len() as u64;
    }
    let index = ChunkIndex::new(size, starts).with_context(|| format!("cannot index {}", path.display()))?;
    Ok((Digest(whole.finalize().into()), index))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// The same bytes on every machine: xorshift64.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let words = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        words.flatten().take(length).collect()
    }

    fn lengths(bytes: &[u8]) -> Vec<u64> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(bytes).expect("written");
        let (digest, index) = cut(file.path()).expect("chunks");
        assert_eq!(digest.0, crate::hash::bytes(bytes));
        let mut at = 0;
        for chunk in index.chunks() {
            let end = at + usize::try_from(chunk.length).expect("short");
            assert_eq!(chunk.sha256, crate::hash::bytes(&bytes[at..end]));
            at = end;
        }
        assert_eq!(at, bytes.len());
        index.chunks().map(|chunk| chunk.length).collect()
    }

    /// Other ends would make the next update of every image move all of it.
    #[test]
    fn the_ends_of_chunks_stay_where_they_are() {
        let found = lengths(&noise(1 << 20));
        assert_eq!(found, GOLDEN);
        assert_eq!(lengths(&vec![0; 600_000]), [MOST as u64, MOST as u64, 600_000 - 2 * MOST as u64]);
    }

    #[test]
    fn an_insertion_changes_only_the_chunks_around_it() {
        let old = noise(4 << 20);
        let mut new = old.clone();
        new.splice(1_000_000..1_000_000, *b"inserted");
        let (old, new) = (lengths(&old), lengths(&new));
        let same = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
        assert!(same * 4 > old.len() * 2, "{same} of {}", old.len());
    }

    #[test]
    fn an_empty_file_has_no_chunks() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let said = format!("{:#}", cut(file.path()).expect_err("refused"));
        assert!(said.contains("it has no chunks"), "{said}");
    }

    const GOLDEN: &[u64] =
        &[44_750, 219_962, 100_125, 28_400, 91_429, 28_467, 19_017, 114_735, 88_164, 66_867, 152_283, 94_377];
}
