//! The tables: every setting, and every kernel parameter that sets one or is reported.

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
