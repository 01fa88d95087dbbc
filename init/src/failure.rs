//! The error of a failed step.

use dayfly_plan::Code;
use dayfly_sys::SysError;

/// A failure as it is shown to people: what was tried, what went wrong in the words of the kernel or the server, and
/// how to fix it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stable code.
    pub code: Code,
    /// The operation and its object.
    pub tried: String,
    /// The error message of the kernel or the server.
    pub wrong: String,
    /// How to fix it.
    pub fix: String,
}

impl Failure {
    /// Makes a failure with the fix text of its code.
    pub fn new(code: Code, tried: impl Into<String>, wrong: impl Into<String>) -> Self {
        Self { code, tried: tried.into(), wrong: wrong.into(), fix: code.advice().to_owned() }
    }

    /// Makes a failure from a failed system call.
    pub fn from_sys(code: Code, tried: impl Into<String>, error: &SysError) -> Self {
        Self::new(code, tried, error.to_string())
    }

    /// Replaces the fix text of the code by a more specific one.
    pub fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }
}
