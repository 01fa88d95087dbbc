//! The boot, from PID 1 to the exec of the OS's init.
//!
//! [`boot::boot`] is the sequence; [`run::Runner`] is the only code that executes, times and reports a plan; `steps`
//! has a directory for each phase. All access to the machine goes through [`dayfly_sys::Sys`], so the whole sequence
//! runs in a test without root.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

pub mod boot;
mod channel;
mod claims;
mod clock;
mod context;
mod devices;
pub mod events;
mod failed_boot;
mod failure;
#[cfg(feature = "fault")]
mod fault;
mod known;
mod modules;
mod once;
mod os;
#[cfg(test)]
mod pages;
pub mod panic;
mod run;
#[cfg(test)]
mod samples;
mod screen;
mod secret_file;
mod services;
mod smbios;
mod steps;
mod threads;
pub mod trees;

pub use failed_boot::{DEFAULT_PAUSE, Ending};
pub use failure::Failure;
pub use known::{
    AddressOrigin, AddressUp, Autoconf, Known, LayerFile, Learned, MountedRoot, NetworkUp, OsInit, StateDisk,
};
pub use modules::Modules;
pub use run::Runner;
pub use services::Manager;
