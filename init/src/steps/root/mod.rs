//! The root of the OS, its layout, and what of its own mounts fits neither.

pub mod container;
pub mod fstab;
pub mod layout;
pub mod overlay;
