//! Steps for the root of the OS: its overlay, the paths of the layout, and entries of its fstab that conflict with
//! them.

pub mod container;
pub mod fstab;
pub mod layout;
pub mod overlay;
