//! What the tests share: the commands in the documentation.

pub mod docs;
