//! The kubelet.

use std::net::IpAddr;

use crate::settings::value::{ApiServer, CaBundle, Label, Taint};
use crate::{Document, Secret, Sourced};

/// Settings of the kubelet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeletSettings {
    /// Whether it is started.
    pub enabled: Sourced<bool>,
    /// The path of the kubelet.
    pub program: Sourced<String>,
    /// Additional arguments.
    pub args: Vec<Sourced<String>>,
    /// The API server.
    pub server: Option<Sourced<ApiServer>>,
    /// The cluster's CA.
    pub ca: Option<Sourced<CaBundle>>,
    /// The bootstrap token for its certificate request.
    pub token: Option<Sourced<Secret>>,
    /// Server, CA and token in one file.
    pub kubeconfig: Option<Sourced<Secret>>,
    /// Its configuration. It replaces Dayfly's.
    pub config: Option<Sourced<Document>>,
    /// The node's labels.
    pub labels: Vec<Sourced<Label>>,
    /// The node's taints.
    pub taints: Vec<Sourced<Taint>>,
    /// The container runtime's socket.
    pub cri: Option<Sourced<String>>,
    /// The cluster's name servers.
    pub cluster_dns: Vec<Sourced<IpAddr>>,
    /// The cluster's domain.
    pub cluster_domain: Sourced<String>,
}

impl Default for KubeletSettings {
    fn default() -> Self {
        Self {
            enabled: Sourced::default_of(false),
            program: Sourced::default_of("/usr/bin/kubelet".to_owned()),
            args: Vec::new(),
            server: None,
            ca: None,
            token: None,
            kubeconfig: None,
            config: None,
            labels: Vec::new(),
            taints: Vec::new(),
            cri: None,
            // kubeadm's defaults.
            cluster_dns: vec![Sourced::default_of(IpAddr::from([10, 96, 0, 10]))],
            cluster_domain: Sourced::default_of("cluster.local".to_owned()),
        }
    }
}
