//! Codecs of the boot: bytes or text in, values out. No I/O, no clock. Every parser must handle malicious input and has
//! a fuzz target in `tests/fuzz`.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod accounts;
pub mod arp;
pub mod blank;
pub mod bond;
pub mod bridge;
pub mod cmdline;
pub mod credential;
pub mod dhcp4;
pub mod dhcp6;
pub mod dns;
mod domain_names;
mod field;
pub mod foreign;
pub mod fstab;
pub mod gpt;
pub mod hostname;
pub mod iface;
pub mod ifname;
pub mod interfaces_file;
pub mod ip;
pub mod k0s_token;
pub mod kubeconfig;
pub mod location;
pub mod mac;
pub mod mbr;
pub mod modules;
pub mod nd;
pub mod nearest;
pub mod net_arg;
pub mod net_id;
pub mod network_file;
pub mod pem;
mod random;
pub mod resolv_conf;
pub mod route;
pub mod smbios;
pub mod superblock;
mod systemd_syntax;
pub mod team;
pub mod udp4;
pub mod uevent;
pub mod unit_file;
pub mod vlan;
pub mod x509;
