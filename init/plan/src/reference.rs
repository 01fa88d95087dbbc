//! What only the reference needs: documentation and the JSON schema. The init is built without it.

/// The text in builds that can print the reference, nothing in others: it would be a twentieth of a small init.
pub const fn in_reference(text: &'static str) -> &'static str {
    if cfg!(feature = "reference") { text } else { "" }
}
