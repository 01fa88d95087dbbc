//! Settings of k0s.

use dayfly_wire::{k0s_token, kubeconfig};

use super::kubelet::token as one_word;
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

/// A role, or none.
pub fn role(text: &str) -> Result<Option<Role>, String> {
    if text == "none" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|wrong: String| format!("{wrong}, none"))
}

/// A join token, as `k0s token create` prints it: looked into now, because k0s would say the same only when it runs.
pub fn token(text: &str) -> Result<Secret, String> {
    let secret = one_word(text)?;
    let Some(config) = k0s_token::decode(secret.expose()) else {
        return Err("it is no join token of k0s: what `k0s token create` prints is expected".to_owned());
    };
    match kubeconfig::server(&config) {
        Some(server) if server.starts_with("https://") => Ok(secret),
        Some(_) => Err("its server is not https".to_owned()),
        None => Err("there is no server in it".to_owned()),
    }
}
