//! Tests that the documentation states the wait times of the code.

use std::path::Path;

/// Fails if the page does not contain this sentence.
pub fn tells(page: &str, sentence: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text.contains(sentence), "docs/{page} does not say: {sentence}");
}
