//! What a Kubernetes node is prepared with.

use std::fmt;
use std::net::IpAddr;

use crate::node::SysctlPlan;
use crate::settings::value::{ApiServer, CaBundle, Label, Taint};
use crate::{Document, Secret};

/// Modules that pods and services need: their layers, bridges that the packet filter sees, and its memory of connections.
const MODULES: [&str; 3] = ["overlay", "br_netfilter", "nf_conntrack"];
/// The last six are the kubelet's own: with protectKernelDefaults it does not start where they differ.
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

/// What any Kubernetes node needs of its kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelNeeds {
    /// Modules.
    pub modules: Vec<String>,
    /// Kernel parameters.
    pub sysctls: Vec<SysctlPlan>,
    /// The word of the kernel command line that has systemd use version 1 of the control groups, if one does.
    pub cgroup_v1: Option<String>,
}

impl KernelNeeds {
    /// All but the parameters that the settings set themselves.
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

/// A kubelet, ready to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeletPlan {
    /// Its program in the image.
    pub program: String,
    /// Further arguments.
    pub args: Vec<String>,
    /// How it joins its cluster.
    pub credentials: Credentials,
    /// The cluster's CA.
    pub ca: Option<CaBundle>,
    /// Its configuration, in place of ours.
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

/// What a kubelet asks for its certificate with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing of ours: the arguments or the image have what it needs.
    None,
    /// A server and, unless an earlier boot's certificate is to do, a bootstrap token.
    Server(ApiServer, Option<Secret>),
    /// A whole kubeconfig.
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
