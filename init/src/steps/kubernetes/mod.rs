//! What makes it a node of its cluster: what each needs of its kernel, its disks and its image, and the programs that run its pods.

pub mod bundles;
mod cgroup;
pub mod k0s;
pub mod k3s;
pub mod kubelet;
mod prepare;
pub mod program;
pub mod rejoin;
pub mod storage;

pub use prepare::prepare;
