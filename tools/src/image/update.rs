//! How much of an image is new: its chunks that an older image does not have. A transfer of parts would move these.

use std::collections::HashSet;
use std::ops::AddAssign;

use anyhow::{Context, Result};
use dayfly_formats::chunk_index::ChunkIndex;
use dayfly_formats::oci::manifest::MOST_INDEX;
use dayfly_formats::oci::{Descriptor, ImageLayer};

use super::layout::Layout;
use super::reference::Image;
use crate::size::human;

/// The bytes and requests of an update.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// The bytes of chunks to fetch.
    pub bytes: u64,
    /// The bytes of the file systems.
    pub of: u64,
    /// The requests for them: chunks that are next to each other are one range.
    pub ranges: usize,
    /// The bytes of the chunk indexes to fetch.
    pub index: u64,
}

impl AddAssign for Moved {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.of += other.of;
        self.ranges += other.ranges;
        self.index += other.index;
    }
}

impl Moved {
    /// The share of the bytes, in percent.
    pub fn percent(&self) -> f64 {
        if self.of == 0 { 0.0 } else { self.bytes as f64 * 100.0 / self.of as f64 }
    }

    /// In words: `6.4 MiB of 66.4 MiB (9.6 %) in 17 ranges`.
    pub fn shown(&self) -> String {
        let (bytes, of) = (human(self.bytes), human(self.of));
        let ranges = if self.ranges == 1 { "range" } else { "ranges" };
        let index = if self.index == 0 {
            String::new()
        } else {
            format!(", and {} of chunk indexes", human(self.index))
        };
        format!("{bytes} of {of} ({:.1} %) in {} {ranges}{index}", self.percent(), self.ranges)
    }
}

/// What each layer of `new` moves if a node has all layers of `old`.
pub fn between(old: &Image, new: &Image) -> Result<Vec<Moved>> {
    let mut there = HashSet::new();
    for index in old.manifest.layers.iter().filter_map(|layer| layer.index.as_ref()) {
        let index = read_index(&old.layout, index)?;
        there.extend(index.chunks().map(|chunk| (chunk.sha256, chunk.length)));
    }
    let is_there =
        |layer: &ImageLayer| old.manifest.layers.iter().any(|other| other.blob.digest == layer.blob.digest);
    let mut moved = Vec::new();
    for layer in &new.manifest.layers {
        let of = layer.blob.size;
        moved.push(if is_there(layer) {
            Moved { of, ..Moved::default() }
        } else if let Some(index) = &layer.index {
            Moved { index: index.size, ..of_layer(&mut there, &read_index(&new.layout, index)?) }
        } else {
            Moved { bytes: of, of, ranges: 1, index: 0 }
        });
    }
    Ok(moved)
}

/// Reads a chunk index.
pub fn read_index(layout: &Layout, index: &Descriptor) -> Result<ChunkIndex> {
    let what = "the chunk index";
    let most = usize::try_from(MOST_INDEX).unwrap_or(usize::MAX);
    let bytes = layout.read(what, index, most)?;
    ChunkIndex::parse(&bytes)
        .with_context(|| format!("cannot use {what} {}", layout.blob(index.digest).display()))
}

/// What one layer moves. Its chunks are there for the next layer.
fn of_layer(there: &mut HashSet<([u8; 32], u64)>, index: &ChunkIndex) -> Moved {
    let mut moved = Moved { of: index.size(), ..Moved::default() };
    let mut end = None;
    for chunk in index.chunks() {
        if !there.insert((chunk.sha256, chunk.length)) {
            continue;
        }
        moved.bytes += chunk.length;
        if end != Some(chunk.offset) {
            moved.ranges += 1;
        }
        end = Some(chunk.offset + chunk.length);
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index of chunks with the given lengths and contents.
    fn index(chunks: &[(u64, u8)]) -> ChunkIndex {
        let mut size = 0;
        let starts = chunks.iter().map(|(length, content)| {
            size += length;
            (size - length, [*content; 32])
        });
        let starts = starts.collect();
        ChunkIndex::new(size, starts).expect("an index")
    }

    #[test]
    fn neighbours_are_one_range_and_no_chunk_moves_twice() {
        let old = index(&[(10, 1), (20, 2), (30, 3)]);
        let of = |new: &ChunkIndex| {
            let mut there = old.chunks().map(|chunk| (chunk.sha256, chunk.length)).collect();
            of_layer(&mut there, new)
        };
        let moved = |bytes, of, ranges| Moved { bytes, of, ranges, index: 0 };
        assert_eq!(of(&old), moved(0, 60, 0));
        assert_eq!(of(&index(&[(7, 4), (10, 1), (20, 2), (5, 5), (6, 6), (30, 3)])), moved(18, 78, 2));
        assert_eq!(of(&index(&[(30, 3), (10, 1)])), moved(0, 40, 0));
        assert_eq!(of(&index(&[(7, 4), (10, 1), (7, 4), (8, 8)])), moved(15, 32, 2));
        assert_eq!(moved(18, 78, 2).shown(), "18 B of 78 B (23.1 %) in 2 ranges");
    }
}
