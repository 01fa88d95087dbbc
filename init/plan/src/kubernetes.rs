//! How a Kubernetes node is prepared.

use std::fmt;
use std::net::IpAddr;

use crate::node::SysctlPlan;
use crate::settings::value::{ApiServer, CaBundle, Label, Taint};
use crate::{Document, Secret};

/// Modules that pods and services need: for container layers, for packet filtering on bridges, and for connection
/// tracking.
const MODULES: [&str; 3] = ["overlay", "br_netfilter", "nf_conntrack"];
/// The kubelet checks the last six: with protectKernelDefaults it does not start if one differs.
const SYSCTLS: [(&str, &str); 9] = [
    ("net.ipv4.ip_forward", "1"),
    ("net.bridge.bridge-nf-call-iptables", "1"),
    ("net.bridge.bridge-nf-call-ip6tables", "1"),
    ("vm.overcommit_memory", "1"),
    ("vm.panic_on_oom", "0"),
    ("kernel.panic", "10"),
    ("kernel.panic_on_oops", "1"),
    ("kernel.keys.root_maxkeys", "1000000"),
    ("kernel.keys.root_maxbytes", "25000000"),
];

/// What a Kubernetes node needs from its kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelNeeds {
    /// Modules.
    pub modules: Vec<String>,
    /// Sysctls.
    pub sysctls: Vec<SysctlPlan>,
    /// The kernel parameter that makes systemd use cgroup v1, if there is one.
    pub cgroup_v1: Option<String>,
}

impl KernelNeeds {
    /// All needs except the sysctls that the settings set themselves.
    pub fn besides(own: &[SysctlPlan], cgroup_v1: Option<String>) -> Self {
        let sysctls = SYSCTLS
            .iter()
            .map(|(name, value)| SysctlPlan { name: (*name).to_owned(), value: (*value).to_owned() })
            .filter(|needed| own.iter().all(|own| own.file() != needed.file()))
            .collect();
        Self { modules: MODULES.iter().map(|&name| name.to_owned()).collect(), sysctls, cgroup_v1 }
    }
}

impl fmt::Display for KernelNeeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (modules, sysctls) = (self.modules.join(" "), self.sysctls.len());
        write!(f, "have the OS load {modules}; set {sysctls} kernel parameters; look for cgroup v2")
    }
}

/// How to prepare a kubelet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeletPlan {
    /// The path of the kubelet in the image.
    pub program: String,
    /// Additional arguments.
    pub args: Vec<String>,
    /// How it joins the cluster.
    pub credentials: Credentials,
    /// The cluster's CA.
    pub ca: Option<CaBundle>,
    /// Its configuration. It replaces the one that Dayfly would write.
    pub config: Option<Document>,
    /// The node's labels.
    pub labels: Vec<Label>,
    /// The node's taints.
    pub taints: Vec<Taint>,
    /// The container runtime's socket.
    pub cri: Option<String>,
    /// The cluster's name servers.
    pub cluster_dns: Vec<IpAddr>,
    /// The cluster's domain.
    pub cluster_domain: String,
}

/// The credentials that a kubelet uses to request its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// None from Dayfly: the arguments or the image provide them.
    None,
    /// A server and a bootstrap token. Without the token, the kubelet uses the certificate from an earlier boot.
    Server(ApiServer, Option<Secret>),
    /// A complete kubeconfig.
    Kubeconfig(Secret),
}

impl fmt::Display for KubeletPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kubelet {}", self.program)?;
        match &self.credentials {
            Credentials::None => Ok(()),
            Credentials::Server(server, Some(_)) => write!(f, ", joins {server} with a token"),
            Credentials::Server(server, None) => write!(f, ", joins {server} with its certificate"),
            Credentials::Kubeconfig(_) => f.write_str(", joins with a kubeconfig"),
        }
    }
}
