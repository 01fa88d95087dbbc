//! What a failed step says.

use dayfly_plan::Code;
use dayfly_sys::{Cause, SysError};

/// What may mend a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Another try.
    Transient,
    /// Another try, or another way: what was wanted could not be reached from here.
    Path,
    /// Nothing: what was asked for is wrong, or what came is not what was asked for.
    Permanent,
}

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
    /// What may mend it.
    pub class: Class,
}

impl Failure {
    /// A failure with the code's own advice.
    pub fn new(code: Code, tried: impl Into<String>, wrong: impl Into<String>) -> Self {
        Self {
            code,
            tried: tried.into(),
            wrong: wrong.into(),
            fix: code.advice().to_owned(),
            class: Class::Transient,
        }
    }

    /// A failed call.
    pub fn from_sys(code: Code, tried: impl Into<String>, error: &SysError) -> Self {
        Self::new(code, tried, error.to_string())
    }

    /// A request that got no answer. Where no server was reached, another interface may be the one that leads there.
    pub fn from_request(code: Code, tried: impl Into<String>, error: &SysError) -> Self {
        let class = match error.cause {
            Cause::Unsupported => Class::Permanent,
            Cause::Resolve | Cause::Connect | Cause::TimedOut | Cause::Errno(_) => Class::Path,
            Cause::Tls | Cause::Protocol => Class::Transient,
        };
        Self { class, ..Self::from_sys(code, tried, error) }
    }

    /// Advice that fits better than the code's.
    pub fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// Marks a failure that no second try can mend.
    pub fn hopeless(mut self) -> Self {
        self.class = Class::Permanent;
        self
    }
}
