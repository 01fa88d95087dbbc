//! The kubelet's configuration file, and the settings that exist only as command-line arguments.

use dayfly_plan::{Credentials, KubeletPlan};
use dayfly_sys::{FileKind, SysError};

use super::credentials;
use crate::context::Context;
use crate::os;
use crate::services::Manager;
use crate::trees::OS;

const FILE: &str = "/etc/kubernetes/kubelet.yaml";

/// Writes the file and returns the arguments. If the settings name a configuration file in the arguments, that file is
/// used.
pub fn write(cx: &Context, plan: &KubeletPlan, manager: Manager) -> Result<Vec<String>, SysError> {
    let mut args = Vec::new();
    let is_named = plan.args.iter().any(|arg| arg == "--config" || arg.starts_with("--config="));
    let text = match &plan.config {
        Some(text) => Some(text.0.clone()),
        None if is_named || plan.credentials == Credentials::None => None,
        None => Some(ours(cx, plan, manager)?),
    };
    if let Some(text) = text {
        os::write(&*cx.sys, FILE, &text, 0o600)?;
        args.push(format!("--config={FILE}"));
    }
    let labels: Vec<String> = plan.labels.iter().map(ToString::to_string).collect();
    let taints: Vec<String> = plan.taints.iter().map(ToString::to_string).collect();
    for (flag, values) in [("--node-labels", labels), ("--register-with-taints", taints)] {
        if !values.is_empty() {
            args.push(format!("{flag}={}", values.join(",")));
        }
    }
    Ok(args)
}

/// KubeletConfiguration v1beta1, in JSON, which is YAML.
fn ours(cx: &Context, plan: &KubeletPlan, manager: Manager) -> Result<String, SysError> {
    let socket = match &plan.cri {
        Some(socket) => socket.clone(),
        None if !os::has_program(&*cx.sys, "containerd")? && os::has_program(&*cx.sys, "crio")? => {
            "unix:///var/run/crio/crio.sock".to_owned()
        }
        None => "unix:///run/containerd/containerd.sock".to_owned(),
    };
    let resolver = if uses_resolved(cx)? { "/run/systemd/resolve/resolv.conf" } else { "/etc/resolv.conf" };
    let driver =
        if manager == Manager::Systemd && makes_slices(cx, &socket)? { "systemd" } else { "cgroupfs" };
    let text = serde_json::json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": credentials::CA },
        },
        "authorization": { "mode": "Webhook" },
        "rotateCertificates": true,
        "cgroupDriver": driver,
        "containerRuntimeEndpoint": socket,
        "resolvConf": resolver,
        "clusterDomain": plan.cluster_domain,
        "clusterDNS": plan.cluster_dns.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "staticPodPath": "/etc/kubernetes/manifests",
        // The default is in /usr, which is read-only.
        "volumePluginDir": "/var/lib/kubelet/volumeplugins",
    });
    Ok(text.to_string())
}

/// Whether the node uses systemd-resolved, which listens on the node's loopback address, where pods cannot reach it.
fn uses_resolved(cx: &Context) -> Result<bool, SysError> {
    Ok(cx.sys.inspect(&OS.at("/etc/resolv.conf"))? == Some(FileKind::Symlink)
        && os::has(&*cx.sys, "/usr/lib/systemd/system/systemd-resolved.service")?)
}

/// Whether the runtime uses the systemd cgroup driver: containerd only if its configuration says so (since version 2 it
/// also tells the kubelet, which takes precedence), CRI-O always.
fn makes_slices(cx: &Context, socket: &str) -> Result<bool, SysError> {
    if !socket.contains("containerd") {
        return Ok(true);
    }
    let text = os::read(&*cx.sys, "/etc/containerd/config.toml")?.unwrap_or_default();
    Ok(text.lines().any(|line| line.split_whitespace().collect::<String>() == "SystemdCgroup=true"))
}
