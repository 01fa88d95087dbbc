//! What every Kubernetes node needs of its kernel and its disks, whichever program then runs its pods.

mod cgroup;
mod prepare;
pub mod storage;

pub use prepare::prepare;
