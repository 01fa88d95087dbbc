//! The QEMU harness: test images, servers with faults, virtual machines.
//!
//! Everything is real: a Debian built by mmdebstrap, the distribution's kernel, nginx, QEMU. The only fakes say so in their names: the
//! kubelet script in the test image and the fault proxy in front of nginx.
//!
//! * [`cache::Cache`] keeps files that are slow to build, by the hash of their recipe, outside the clone;
//! * [`image::Images`] builds the test images and disks;
//! * [`product::Product`] builds the init and the initramfs from this checkout;
//! * [`dracut::Dracut`] is an initramfs that dracut built with Dayfly's module;
//! * [`server::HttpServer`] and [`proxy::FaultProxy`] serve them, with or without faults;
//! * [`lan::Lan`] is a separate network for several machines and their servers;
//! * [`kubernetes::ControlPlane`] is a cluster that they can join;
//! * [`vm::Vm`] boots them and talks to the console, to QMP and to the agent in the test image.

pub mod bare;
pub mod cache;
pub mod command;
pub mod daemon;
pub mod demo;
pub mod dracut;
pub mod image;
pub mod kernel;
pub mod kubernetes;
pub mod lan;
pub mod netboot;
pub mod product;
pub mod proxy;
pub mod server;
pub mod timeline;
pub mod vm;
