//! Types for modules, uevents and memory.

use std::time::Duration;

use crate::Result;

/// The result of loading a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    /// The kernel loaded it now.
    Now,
    /// It was loaded already (`EEXIST`).
    Already,
}

/// Memory of the machine, bytes (proc_meminfo(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// `MemTotal`.
    pub total: u64,
    /// `MemAvailable`.
    pub available: u64,
}

/// A subscription to the kernel's uevents (`NETLINK_KOBJECT_UEVENT`, group 1).
pub trait Uevents: Send {
    /// The next message as the kernel sent it (NUL separated), or `None` after `limit`. If the kernel dropped messages
    /// (`ENOBUFS`), this is returned once as an error: scan /sys again then.
    fn next(&mut self, limit: Duration) -> Result<Option<Vec<u8>>>;
}
