//! Steps for the node: its identity, files, users, services and scripts.

pub mod address;
pub mod files;
pub mod host_keys;
mod hosts;
pub mod identity;
pub mod scripts;
pub mod sysctls;
pub mod units;
pub mod users;
