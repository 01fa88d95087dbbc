//! What every Kubernetes node needs of its kernel, its disks and its image, whichever program then runs its pods.

pub mod bundles;
mod cgroup;
mod prepare;
pub mod program;
pub mod rejoin;
pub mod storage;

pub use prepare::prepare;
