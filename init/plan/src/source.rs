//! Where a value came from.

use std::fmt;

/// Where a value came from. The order is the order of precedence: a later one replaces an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Built in.
    Default,
    /// The settings file in the initramfs.
    Initramfs,
    /// The kernel command line, by this parameter.
    Cmdline(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::Initramfs => f.write_str("initramfs"),
            Source::Cmdline(key) => write!(f, "cmdline {key}"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Its origin.
    pub source: Source,
}

impl<T> Sourced<T> {
    /// A built-in value.
    pub const fn default_of(value: T) -> Self {
        Self { value, source: Source::Default }
    }

    /// Replaces the value unless what is there has precedence.
    pub fn set(&mut self, value: T, source: Source) {
        // Within one source the later word wins, as on the kernel command line.
        if source.rank() >= self.source.rank() {
            *self = Self { value, source };
        }
    }
}

impl Source {
    /// Precedence, higher wins.
    pub const fn rank(&self) -> u8 {
        match self {
            Source::Default => 0,
            Source::Initramfs => 1,
            Source::Cmdline(_) => 2,
        }
    }
}
