//! Chunk indexes: all bytes give an index or an error; an index covers its file without gaps and is written as it was read.
#![no_main]

use dayfly_formats::chunk_index::{ChunkIndex, MOST_CHUNK};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(index) = ChunkIndex::parse(bytes) else { return };
    assert_eq!(index.encode(), bytes);
    let mut end = 0;
    for chunk in index.chunks() {
        assert_eq!(chunk.offset, end);
        assert!((1..=MOST_CHUNK).contains(&chunk.length));
        end += chunk.length;
    }
    assert_eq!(end, index.size());
});
