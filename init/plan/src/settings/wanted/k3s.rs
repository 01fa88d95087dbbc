//! k3s.

use crate::settings::value::ApiServer;
use crate::{Document, Secret, Sourced, k3s::Role};

/// Settings of k3s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct K3sSettings {
    /// The role of the node. `None`: no k3s.
    pub role: Sourced<Option<Role>>,
    /// The path of k3s. `None`: the first of the usual paths that exists.
    pub program: Option<Sourced<String>>,
    /// Additional arguments.
    pub args: Vec<Sourced<String>>,
    /// Its configuration, in addition to the other settings.
    pub config: Option<Sourced<Document>>,
    /// The server to join.
    pub server: Option<Sourced<ApiServer>>,
    /// The cluster's token.
    pub token: Option<Sourced<Secret>>,
    /// The directory in the image with bundles of container images.
    pub images: Option<Sourced<String>>,
}

impl Default for K3sSettings {
    fn default() -> Self {
        Self {
            role: Sourced::default_of(None),
            program: None,
            args: Vec::new(),
            config: None,
            server: None,
            token: None,
            images: None,
        }
    }
}
