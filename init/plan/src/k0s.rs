//! A k0s node.

use std::fmt;

use crate::settings::value::{Value, choice};
use crate::{Document, Secret};

/// The role of a k0s node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Only the control plane.
    Controller,
    /// The control plane and pods.
    ControllerWorker,
    /// A cluster of one node.
    Single,
    /// Only pods.
    Worker,
}

impl Role {
    /// Whether it runs the control plane.
    pub const fn is_controller(self) -> bool {
        !matches!(self, Role::Worker)
    }

    /// Whether it runs pods.
    pub const fn is_worker(self) -> bool {
        !matches!(self, Role::Controller)
    }
}

/// A role, or none.
pub struct RoleOrNone;

choice! { RoleOrNone, kept as Option<Role> =
    "controller" => Some(Role::Controller),
    "controller+worker" => Some(Role::ControllerWorker),
    "single" => Some(Role::Single),
    "worker" => Some(Role::Worker),
    or "none" => None
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&RoleOrNone::show(&Some(*self)))
    }
}

/// How to prepare k0s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct K0sPlan {
    /// The role of the node.
    pub role: Role,
    /// The path of k0s. `None`: the first of the usual paths that exists.
    pub program: Option<String>,
    /// Additional arguments.
    pub args: Vec<String>,
    /// k0s.yaml.
    pub config: Option<Document>,
    /// The join token.
    pub token: Option<Secret>,
    /// The directory for its state.
    pub data_dir: String,
    /// The directory in the image with bundles of container images.
    pub images: Option<String>,
}

impl fmt::Display for K0sPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (role, token) = (self.role, if self.token.is_some() { ", joins with a token" } else { "" });
        write!(f, "k0s as {role}{token}")
    }
}
