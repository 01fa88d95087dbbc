//! k3s.

use crate::settings::value::ApiServer;
use crate::{Document, Secret, Sourced, k3s::Role};

/// k3s of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct K3sSettings {
    /// What the node is; `None` is no k3s.
    pub role: Sourced<Option<Role>>,
    /// Its program; else the first of the usual places.
    pub program: Option<Sourced<String>>,
    /// Its further arguments.
    pub args: Vec<Sourced<String>>,
    /// Its configuration, beside what the other settings say.
    pub config: Option<Sourced<Document>>,
    /// The server to join.
    pub server: Option<Sourced<ApiServer>>,
    /// The cluster's token.
    pub token: Option<Sourced<Secret>>,
    /// The folder of the image that has bundles of container images.
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
