//! A node of k0s.

use std::fmt;

use crate::settings::value::{Value, choice};
use crate::{Document, Secret};

/// What a node of k0s is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The control plane alone.
    Controller,
    /// The control plane, and pods beside it.
    ControllerWorker,
    /// A cluster of one node.
    Single,
    /// Pods.
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

/// k0s, ready to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct K0sPlan {
    /// What the node is.
    pub role: Role,
    /// Its program; else the first of the usual places.
    pub program: Option<String>,
    /// Further arguments.
    pub args: Vec<String>,
    /// k0s.yaml.
    pub config: Option<Document>,
    /// The join token.
    pub token: Option<Secret>,
    /// Where it keeps its state.
    pub data_dir: String,
    /// The folder of the image that has bundles of container images.
    pub images: Option<String>,
}

impl fmt::Display for K0sPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (role, token) = (self.role, if self.token.is_some() { ", joins with a token" } else { "" });
        write!(f, "k0s as {role}{token}")
    }
}
