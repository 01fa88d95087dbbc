//! The list of a file's chunks, `application/vnd.erofs.chunk-index.v1` (erofs-image-spec): where each chunk starts and its
//! SHA-256. A chunk ends where the next one starts, so chunks may have any length.
//!
//! | bytes | header, little endian |
//! |---|---|
//! | 4 | magic `CD E4 EC 67` |
//! | 1 | version, 1 |
//! | 1 | compression, 0: none |
//! | 2 | flags, 0 |
//! | 8 | length of the file |
//! | 4 | number of chunks |
//! | 1 | hash algorithm, 1: SHA-2 |
//! | 1 | length of a hash, 32 |
//! | 10 | reserved, 0 |
//!
//! Each chunk follows with its offset in the file (8 bytes), the same again as its uncompressed offset, and its hash.

use std::fmt;

const MAGIC: [u8; 4] = [0xcd, 0xe4, 0xec, 0x67];
const HEADER: usize = 32;
const ENTRY: usize = 48;
/// The longest chunk, in bytes: a chunk is held in memory until it is verified.
pub const MOST_CHUNK: u64 = 4 << 20;

/// The chunks of a file, in order, without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkIndex {
    size: u64,
    starts: Vec<(u64, [u8; 32])>,
}

/// A chunk of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Where it starts.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

/// Why bytes are not an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkIndexError {
    /// They do not start with the magic number.
    Magic,
    /// Another version of the format, compressed chunks, another hash, or a reserved bit.
    Unsupported(&'static str, u64),
    /// The number of bytes does not fit the number of chunks.
    Length {
        /// The number of bytes.
        found: u64,
        /// The number that the header asks for.
        expected: u64,
    },
    /// There is no chunk, or an empty file.
    Empty,
    /// A chunk does not start behind the one before, or has more than [`MOST_CHUNK`] bytes. The number counts from 0.
    Chunk(u64),
}

impl fmt::Display for ChunkIndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChunkIndexError::Magic => f.write_str("it does not start like a chunk index"),
            ChunkIndexError::Unsupported(what, value) => {
                write!(f, "its {what} is {value}, which is not supported")
            }
            ChunkIndexError::Length { found, expected } => {
                write!(f, "it has {found} bytes, but its header asks for {expected}")
            }
            ChunkIndexError::Empty => f.write_str("it has no chunks"),
            ChunkIndexError::Chunk(number) => {
                write!(f, "its chunk {number} is empty, out of order or larger than {MOST_CHUNK} bytes")
            }
        }
    }
}

impl std::error::Error for ChunkIndexError {}

impl ChunkIndex {
    /// The index of a file of `size` bytes whose chunks start at these offsets.
    pub fn new(size: u64, starts: Vec<(u64, [u8; 32])>) -> Result<Self, ChunkIndexError> {
        if size == 0 || starts.first().is_none_or(|(offset, _)| *offset != 0) {
            return Err(ChunkIndexError::Empty);
        }
        let index = Self { size, starts };
        let is_right = |(start, end): (u64, u64)| end > start && end - start <= MOST_CHUNK;
        let wrong = index.bounds().position(|bounds| !is_right(bounds));
        match wrong {
            Some(number) => Err(ChunkIndexError::Chunk(number as u64)),
            None => Ok(index),
        }
    }

    /// Reads an index.
    pub fn parse(bytes: &[u8]) -> Result<Self, ChunkIndexError> {
        let Some((header, entries)) = bytes.split_at_checked(HEADER) else {
            return Err(ChunkIndexError::Magic);
        };
        let mut header = Fields(header);
        if header.take() != MAGIC {
            return Err(ChunkIndexError::Magic);
        }
        for (what, length, expected) in [("version", 1, 1), ("compression", 1, 0), ("flags", 2, 0)] {
            header.demand(what, length, expected)?;
        }
        let size = u64::from_le_bytes(header.take());
        let count = u64::from(u32::from_le_bytes(header.take()));
        for (what, length, expected) in [("hash algorithm", 1, 1), ("hash length", 1, 32)] {
            header.demand(what, length, expected)?;
        }
        if let Some(byte) = header.0.iter().find(|byte| **byte != 0) {
            return Err(ChunkIndexError::Unsupported("reserved field", u64::from(*byte)));
        }
        let expected = count.saturating_mul(ENTRY as u64).saturating_add(HEADER as u64);
        if bytes.len() as u64 != expected {
            return Err(ChunkIndexError::Length { found: bytes.len() as u64, expected });
        }
        let mut starts = Vec::with_capacity(entries.len() / ENTRY);
        for (number, entry) in entries.chunks_exact(ENTRY).enumerate() {
            let mut entry = Fields(entry);
            let (offset, uncompressed) = (u64::from_le_bytes(entry.take()), u64::from_le_bytes(entry.take()));
            if offset != uncompressed {
                return Err(ChunkIndexError::Chunk(number as u64));
            }
            starts.push((offset, entry.take()));
        }
        Self::new(size, starts)
    }

    /// The bytes of the index.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.starts.len() * ENTRY);
        bytes.extend(MAGIC);
        bytes.extend([1, 0, 0, 0]);
        bytes.extend(self.size.to_le_bytes());
        // 2^32 chunks would be larger than any file that a manifest may name.
        bytes.extend(u32::try_from(self.starts.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend([1, 32]);
        bytes.extend([0; 10]);
        for (offset, sha256) in &self.starts {
            bytes.extend(offset.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
            bytes.extend(sha256);
        }
        bytes
    }

    /// The length of the file in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The number of chunks.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// The chunks in order.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk> {
        let hashes = self.starts.iter().map(|(_, sha256)| *sha256);
        // The order of the bounds was checked.
        self.bounds().zip(hashes).map(|((start, end), sha256)| Chunk {
            offset: start,
            length: end.saturating_sub(start),
            sha256,
        })
    }

    /// Where each chunk starts and ends.
    fn bounds(&self) -> impl Iterator<Item = (u64, u64)> {
        let starts = self.starts.iter().map(|(start, _)| *start);
        let ends = starts.clone().skip(1).chain([self.size]);
        starts.zip(ends)
    }
}

/// The fields of a header or an entry, whose length was checked.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk() {
            Some((field, rest)) => {
                self.0 = rest;
                *field
            }
            None => [0; N],
        }
    }

    fn demand(&mut self, what: &'static str, length: usize, expected: u64) -> Result<(), ChunkIndexError> {
        let found = match length {
            1 => u64::from(u8::from_le_bytes(self.take())),
            _ => u64::from(u16::from_le_bytes(self.take())),
        };
        if found == expected { Ok(()) } else { Err(ChunkIndexError::Unsupported(what, found)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index() -> ChunkIndex {
        ChunkIndex::new(300_000, vec![(0, [1; 32]), (70_000, [2; 32]), (70_001, [3; 32])]).unwrap()
    }

    #[test]
    fn an_index_is_read_as_it_was_written() {
        let bytes = index().encode();
        assert_eq!(bytes.len(), 32 + 3 * 48);
        assert_eq!(bytes[..4], MAGIC);
        assert_eq!(ChunkIndex::parse(&bytes), Ok(index()));
        let lengths: Vec<u64> = index().chunks().map(|chunk| chunk.length).collect();
        assert_eq!(lengths, [70_000, 1, 229_999]);
    }

    #[test]
    fn every_byte_of_the_format_counts() {
        let bytes = index().encode();
        for (at, value, wrong) in [
            (0, 0, ChunkIndexError::Magic),
            (4, 2, ChunkIndexError::Unsupported("version", 2)),
            (5, 1, ChunkIndexError::Unsupported("compression", 1)),
            (7, 1, ChunkIndexError::Unsupported("flags", 256)),
            (16, 4, ChunkIndexError::Length { found: 176, expected: 224 }),
            (20, 2, ChunkIndexError::Unsupported("hash algorithm", 2)),
            (21, 64, ChunkIndexError::Unsupported("hash length", 64)),
            (31, 1, ChunkIndexError::Unsupported("reserved field", 1)),
            (32, 1, ChunkIndexError::Chunk(0)),
            (40, 1, ChunkIndexError::Chunk(0)),
            // The file ends before the last chunk starts.
            (10, 0, ChunkIndexError::Chunk(2)),
        ] {
            let mut changed = bytes.clone();
            changed[at] = value;
            assert_eq!(ChunkIndex::parse(&changed), Err(wrong), "byte {at}");
        }
        for length in 0..bytes.len() {
            assert!(ChunkIndex::parse(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn chunks_are_in_order_and_neither_empty_nor_huge() {
        let new = |size, offsets: &[u64]| {
            ChunkIndex::new(size, offsets.iter().map(|offset| (*offset, [0; 32])).collect())
        };
        assert_eq!(new(10, &[]), Err(ChunkIndexError::Empty));
        assert_eq!(new(0, &[0]), Err(ChunkIndexError::Empty));
        assert_eq!(new(10, &[1]), Err(ChunkIndexError::Empty));
        assert_eq!(new(10, &[0, 0]), Err(ChunkIndexError::Chunk(0)));
        assert_eq!(new(10, &[0, 5, 4]), Err(ChunkIndexError::Chunk(1)));
        assert_eq!(new(10, &[0, 10]), Err(ChunkIndexError::Chunk(1)));
        assert_eq!(new(MOST_CHUNK + 1, &[0]), Err(ChunkIndexError::Chunk(0)));
        assert!(new(MOST_CHUNK, &[0]).is_ok());
    }

    proptest! {
        #[test]
        fn chunks_cover_the_file(lengths in proptest::collection::vec(1..=MOST_CHUNK, 1..40)) {
            let mut size = 0;
            let starts = lengths.iter().map(|length| { size += length; (size - length, [7; 32]) }).collect();
            let index = ChunkIndex::new(size, starts).unwrap();
            let read = ChunkIndex::parse(&index.encode()).unwrap();
            prop_assert_eq!(&read, &index);
            let found: Vec<u64> = index.chunks().map(|chunk| chunk.length).collect();
            prop_assert_eq!(found, lengths);
        }
    }
}
