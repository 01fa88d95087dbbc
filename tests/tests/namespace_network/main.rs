//! Whole boots over real networks, with the real kernel: two interfaces, and real servers behind one or both of them.

mod boots;
mod dhcp;
mod dhcp_servers;
mod handover;
mod hosts;
mod interfaces;
mod ipv6;
mod last_boot;
mod link_local;
#[path = "../namespace/mod.rs"]
mod namespace;
mod relays;
mod routers;
mod servers;
mod time;
