//! A k3s node.

use std::fmt;

use crate::settings::value::{ApiServer, Value, choice};
use crate::{Document, Secret};

/// The role of a k3s node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The control plane and pods.
    Server,
    /// Only pods.
    Agent,
}

/// A role, or none.
pub struct RoleOrNone;

choice! { RoleOrNone, kept as Option<Role> =
    "server" => Some(Role::Server),
    "agent" => Some(Role::Agent),
    or "none" => None
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&RoleOrNone::show(&Some(*self)))
    }
}

/// How to prepare k3s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct K3sPlan {
    /// The role of the node.
    pub role: Role,
    /// The path of k3s. `None`: the first of the usual paths that exists.
    pub program: Option<String>,
    /// Additional arguments.
    pub args: Vec<String>,
    /// Its configuration, in addition to the other settings.
    pub config: Option<Document>,
    /// The server to join.
    pub server: Option<ApiServer>,
    /// The cluster's token.
    pub token: Option<Secret>,
    /// The directory in the image with bundles of container images.
    pub images: Option<String>,
}

impl fmt::Display for K3sPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k3s as {}", self.role)?;
        match &self.server {
            Some(server) => write!(f, ", joins {server}"),
            None => Ok(()),
        }
    }
}
