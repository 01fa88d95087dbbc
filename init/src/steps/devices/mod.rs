//! Steps for the hardware: modules and drivers, and the settings that are available before the network is up.

pub mod config;
pub mod credentials;
pub mod drivers;
pub mod links;
