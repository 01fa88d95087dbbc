//! Code that several tests use: the commands in the documentation.

pub mod docs;
