//! The error of a failed call to the machine.

use std::fmt;
use std::io;

/// The result of a call to the machine.
pub type Result<T> = std::result::Result<T, SysError>;

/// Why a call failed, in the detail that the steps need for decisions.
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
    /// No answer within the time limit.
    TimedOut,
    /// The peer violated the protocol, or closed the connection too early.
    Protocol,
    /// The machine does not support it.
    Unsupported,
}

/// A failed call: the operation, its object, and the message of the kernel or the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysError {
    /// The operation, as a verb with the type of its object: `"mount squashfs"`, `"open"`.
    pub operation: String,
    /// The object: a path, an interface, an address.
    pub subject: String,
    /// Why it failed.
    pub cause: Cause,
    /// The message of the kernel or the server.
    pub words: String,
    /// The messages in the log of the file-system context (fsopen(2)), oldest first.
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

    /// A failure with its own message.
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

    /// The errno, if there is one.
    pub fn errno(&self) -> Option<i32> {
        match self.cause {
            Cause::Errno(errno) => Some(errno),
            _ => None,
        }
    }

    /// True if the path does not exist (`ENOENT`).
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
