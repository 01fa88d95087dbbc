//! k0s.

use crate::{Document, Secret, Sourced, k0s::Role};

/// k0s of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct K0sSettings {
    /// What the node is; `None` is no k0s.
    pub role: Sourced<Option<Role>>,
    /// Its program; else the first of the usual places.
    pub program: Option<Sourced<String>>,
    /// Its further arguments.
    pub args: Vec<Sourced<String>>,
    /// k0s.yaml.
    pub config: Option<Sourced<Document>>,
    /// The join token.
    pub token: Option<Sourced<Secret>>,
    /// Where it keeps its state.
    pub data_dir: Sourced<String>,
    /// The folder of the image that has bundles of container images.
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
