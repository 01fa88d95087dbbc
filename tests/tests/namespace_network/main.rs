//! Whole boots over real networks, with the real kernel: two interfaces, and real servers behind one or both of them.

mod boots;
mod dhcp;
mod interfaces;
mod ipv6;
#[path = "../namespace/mod.rs"]
mod namespace;
