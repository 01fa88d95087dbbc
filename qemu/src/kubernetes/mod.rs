//! A real Kubernetes from ordinary packages: the parts, built once; a control plane; the images of the pods in tests.
//!
//! `qemu/kubernetes` is a small Go module that names upstream's programs and pins their versions. Building it takes about eleven minutes
//! of CPU, so only `tests/run kubernetes` and `qemu/demo --kubernetes` build it.

mod control_plane;
mod oci;
mod parts;
mod setup;

pub use control_plane::{ControlPlane, NodeStatus};
pub use oci::archive;
pub use parts::Parts;
pub(crate) use parts::SOURCES;
pub use setup::{SERVER_URL, Token, Validity};
