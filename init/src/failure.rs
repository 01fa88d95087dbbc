//! What a failed step says.

use dayfly_plan::Code;
use dayfly_sys::SysError;

/// A failure for people: what was tried, what went wrong in the words of whoever refused, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stable code.
    pub code: Code,
    /// What was tried, and on what.
    pub tried: String,
    /// What went wrong: the kernel's or the server's words.
    pub wrong: String,
    /// How to fix it.
    pub fix: String,
}

impl Failure {
    /// A failure with the code's own advice.
    pub fn new(code: Code, tried: impl Into<String>, wrong: impl Into<String>) -> Self {
        Self { code, tried: tried.into(), wrong: wrong.into(), fix: code.advice().to_owned() }
    }

    /// A failed call.
    pub fn from_sys(code: Code, tried: impl Into<String>, error: &SysError) -> Self {
        Self::new(code, tried, error.to_string())
    }

    /// Advice that fits better than the code's.
    pub fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }
}
