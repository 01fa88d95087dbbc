//! A node of k3s.

use std::fmt;

use crate::settings::value::{ApiServer, Value, choice};
use crate::{Document, Secret};

/// What a node of k3s is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The control plane, and pods beside it.
    Server,
    /// Pods.
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

/// k3s, ready to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct K3sPlan {
    /// What the node is.
    pub role: Role,
    /// Its program; else the first of the usual places.
    pub program: Option<String>,
    /// Further arguments.
    pub args: Vec<String>,
    /// Its configuration, beside what the other settings say.
    pub config: Option<Document>,
    /// The server to join.
    pub server: Option<ApiServer>,
    /// The cluster's token.
    pub token: Option<Secret>,
    /// The folder of the image that has bundles of container images.
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
