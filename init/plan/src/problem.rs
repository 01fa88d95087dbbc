//! Problems in the user's settings.

use std::fmt;

use crate::{Code, Source};

/// Whether the boot can continue with a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The problem is logged and the value is ignored.
    Warn,
    /// No plan is made, because the request is unclear.
    Refuse,
}

/// A value that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether the boot can continue.
    pub severity: Severity,
    /// The stable code.
    pub code: Code,
    /// The source of the value.
    pub source: Source,
    /// The complete sentence: the key, the value, what is wrong and what is expected.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
