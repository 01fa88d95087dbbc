//! What comes of a program of the OS.

/// How a program ended and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit status; 128+n where signal n ended it.
    pub status: i32,
    /// The end of what it wrote to its standard output and standard error.
    pub text: String,
}
