//! The tables: every setting, and every word of the kernel command line that is one of them or is named.

pub mod class;
pub mod foreign;
pub mod group;
pub mod groups;
pub mod keys;
pub mod lookup;
mod node;
pub mod parameters;
mod script;
pub mod slot;
