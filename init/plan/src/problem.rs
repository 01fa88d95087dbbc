//! What is wrong with what the user wrote.

use std::fmt;

use crate::{Code, Source};

/// Whether the boot can go on with a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is said and the value is ignored.
    Warn,
    /// No plan is made: what was asked for is unclear.
    Refuse,
}

/// A value that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether the boot can go on.
    pub severity: Severity,
    /// The stable code.
    pub code: Code,
    /// Where it stands.
    pub source: Source,
    /// The whole sentence: the key, the value, what is wrong and what is expected.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
