//! Texts of a document that are shown on a console.

/// Shortens a foreign text and escapes what a console cannot show.
pub fn printable(text: &str) -> String {
    const MOST: usize = 200;
    text.chars().take(MOST).flat_map(char::escape_debug).collect()
}

/// Whether a text has 1 to `most` bytes, all of them printable ASCII without blanks.
pub fn is_word(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a text has 1 to `most` bytes and no control characters but line ends and tabs.
pub fn is_prose(text: &str, most: usize) -> bool {
    let is_shown = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    !text.is_empty() && text.len() <= most && text.chars().all(is_shown)
}

/// Whether a text is a plain file name.
pub fn is_file_name(text: &str) -> bool {
    is_word(text, 255) && !text.contains(['/', '\\']) && !text.starts_with('.')
}
