//! The machine: its modules and drivers, and what it says before the network is up.

pub mod config;
pub mod credentials;
pub mod drivers;
pub mod links;
