//! Texts that only the reference needs: the documentation and the JSON schema. The init is built without them.

/// The text in builds that can print the reference, and an empty one in others. The texts would be five percent of a
/// small init.
pub const fn in_reference(text: &'static str) -> &'static str {
    if cfg!(feature = "reference") { text } else { "" }
}
