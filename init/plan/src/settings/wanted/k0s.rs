//! k0s.

use crate::{Document, Secret, Sourced, k0s::Role};

/// Settings of k0s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct K0sSettings {
    /// The role of the node. `None`: no k0s.
    pub role: Sourced<Option<Role>>,
    /// The path of k0s. `None`: the first of the usual paths that exists.
    pub program: Option<Sourced<String>>,
    /// Additional arguments.
    pub args: Vec<Sourced<String>>,
    /// k0s.yaml.
    pub config: Option<Sourced<Document>>,
    /// The join token.
    pub token: Option<Sourced<Secret>>,
    /// The directory for its state.
    pub data_dir: Sourced<String>,
    /// The directory in the image with bundles of container images.
    pub images: Option<Sourced<String>>,
}

impl Default for K0sSettings {
    fn default() -> Self {
        Self {
            role: Sourced::default_of(None),
            program: None,
            args: Vec::new(),
            config: None,
            token: None,
            data_dir: Sourced::default_of("/var/lib/k0s".to_owned()),
            images: None,
        }
    }
}
