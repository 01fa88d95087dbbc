//! Steps that make the machine a Kubernetes node: checks of the kernel, the disks and the image, and the programs that
//! run its pods.

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
