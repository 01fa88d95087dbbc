//! What a call to the machine says when it fails.

use std::fmt;
use std::io;

/// The result of a call to the machine.
pub type Result<T> = std::result::Result<T, SysError>;

/// Why a call failed, as far as a step decides by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The kernel's errno, see errno(3).
    Errno(i32),
    /// A host name did not resolve.
    Resolve,
    /// No connection to the server.
    Connect,
    /// TLS: certificate or handshake.
    Tls,
    /// Nothing came in the time given.
    TimedOut,
    /// The other side broke the protocol, or closed too early.
    Protocol,
    /// Something the machine cannot do.
    Unsupported,
}

/// A failed call: what was tried, on what, and what the other side said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysError {
    /// What was tried, as a verb with its object kind: `"mount squashfs"`, `"open"`.
    pub operation: String,
    /// On what: a path, an interface, an address.
    pub subject: String,
    /// Why it failed.
    pub cause: Cause,
    /// The kernel's or the server's words.
    pub words: String,
    /// What the kernel wrote to the file-system context's log (fsopen(2)), oldest first.
    pub kernel_log: Vec<String>,
}

impl SysError {
    /// A failed system call.
    pub fn from_io(operation: impl Into<String>, subject: impl Into<String>, error: &io::Error) -> Self {
        let cause = match error.raw_os_error() {
            Some(errno) => Cause::Errno(errno),
            None if error.kind() == io::ErrorKind::TimedOut => Cause::TimedOut,
            None => Cause::Protocol,
        };
        Self::new(operation, subject, cause, error.to_string())
    }

    /// A failure with words of its own.
    pub fn new(
        operation: impl Into<String>,
        subject: impl Into<String>,
        cause: Cause,
        words: impl Into<String>,
    ) -> Self {
        Self {
            operation: operation.into(),
            subject: subject.into(),
            cause,
            words: words.into(),
            kernel_log: Vec::new(),
        }
    }

    /// The errno, where the kernel gave one.
    pub fn errno(&self) -> Option<i32> {
        match self.cause {
            Cause::Errno(errno) => Some(errno),
            _ => None,
        }
    }

    /// True where nothing is at the path (`ENOENT`).
    pub fn is_not_found(&self) -> bool {
        self.errno() == Some(libc::ENOENT)
    }
}

impl fmt::Display for SysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.operation, self.subject, self.words)?;
        for line in &self.kernel_log {
            write!(f, "; the kernel says: {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SysError {}
