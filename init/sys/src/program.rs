//! The result of a program of the OS.

/// The exit status and the output of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit status; 128+n if signal n ended it.
    pub status: i32,
    /// The end of its standard output and standard error.
    pub text: String,
}
