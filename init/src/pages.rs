//! What the documentation says of a wait is what the code waits.

use std::path::Path;

/// Fails where a page does not have this sentence.
pub fn tells(page: &str, sentence: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text.contains(sentence), "docs/{page} does not say: {sentence}");
}
