//! Prepares the node for k3s like its install script (k3s's install.sh): configuration, token and service are written
//! at each boot. /var/lib/rancher is left to k3s.

mod password;

use std::fmt::Write;

use dayfly_plan::k3s::Role;
use dayfly_plan::{Code, K3sPlan};
use dayfly_sys::SysError;

use crate::Failure;
use crate::context::{Context, Done};
use crate::os::{self, WRITTEN};
use crate::secret_file;
use crate::services::{self, Kind, Manager, Restart, Service};
use crate::steps::kubernetes::{bundles, program, storage};

/// The main configuration file and the drop-in that overrides it.
const CONFIG: &str = "/etc/rancher/k3s/config.yaml";
const MORE: &str = "/etc/rancher/k3s/config.yaml.d/settings.yaml";
/// The directory from which k3s imports container images.
const IMAGES: &str = "/var/lib/rancher/k3s/agent/images";
/// The state of k3s, and the state of its kubelet's pods.
const DATA: [&str; 2] = ["/var/lib/rancher", "/var/lib/kubelet"];

/// Writes the configuration, the token and the service.
pub fn stage(cx: &Context, plan: &K3sPlan) -> Result<Done, Failure> {
    let tried = format!("stage k3s as {}", plan.role);
    let refuse = |error: SysError| Failure::from_sys(Code::NodeWrite, &tried, &error);
    let program = program::find(cx, "k3s", plan.program.as_deref())?;
    let manager = services::manager(cx)?;
    storage::check(cx, &DATA)?;
    let has_other = plan.config.is_some() || !plan.args.is_empty();
    if plan.role == Role::Agent && !has_other && (plan.server.is_none() || plan.token.is_none()) {
        let wrong = "an agent needs k3s.server and k3s.token";
        return Err(Failure::new(Code::KubernetesCredentials, tried, wrong));
    }
    let token_file = match &plan.token {
        Some(token) => Some(secret_file::write(&*cx.sys, "k3s-token", token.expose()).map_err(refuse)?),
        None => None,
    };
    let put = |path: &str, text: &str| os::write(&*cx.sys, path, text, 0o600);
    put(CONFIG, &config(plan, cx.known.hostname(), token_file.as_deref())).map_err(refuse)?;
    if let Some(config) = &plan.config {
        put(MORE, &config.0).map_err(refuse)?;
    }
    let password = password::prepare(cx, plan.token.as_ref()).unwrap_or_else(|error| {
        // k3s makes a password itself if it can.
        cx.tolerate(&Failure::from_sys(Code::NodeWrite, "store the node password of k3s", &error));
        "no node password from Dayfly"
    });
    let bundles = plan.images.as_ref().map_or(Ok(0), |images| bundles::link(cx, images, IMAGES))?;
    let file = manager
        .install(&*cx.sys, &service(plan, program, manager))
        .map_err(|error| Failure::from_sys(Code::NodeService, &tried, &error))?;
    Ok(Done::with(format!("{file} is enabled, {password}, {bundles} bundles")))
}

/// Writes YAML with JSON strings as values, which are valid YAML double-quoted strings.
fn config(plan: &K3sPlan, name: &str, token_file: Option<&str>) -> String {
    let mut text = WRITTEN.to_owned();
    let server = plan.server.as_ref().map(ToString::to_string);
    for (key, value) in [("node-name", Some(name)), ("server", server.as_deref()), ("token-file", token_file)]
    {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key}: {}", serde_json::Value::from(value));
        }
    }
    text
}

fn service(plan: &K3sPlan, program: String, manager: Manager) -> Service {
    let (name, kind) = match plan.role {
        Role::Server => ("k3s", Kind::Notify),
        Role::Agent => ("k3s-agent", Kind::Daemon),
    };
    Service {
        name: name.to_owned(),
        description: "Lightweight Kubernetes".to_owned(),
        documentation: Some("https://k3s.io".to_owned()),
        program,
        args: std::iter::once(plan.role.to_string()).chain(plan.args.iter().cloned()).collect(),
        kind: if manager == Manager::Systemd { kind } else { Kind::Daemon },
        restart: Restart::Always(5),
        network: true,
        open_files: Some(1_048_576),
        unlimited: true,
        delegate: true,
        only_main: true,
        patient: true,
        ..Service::default()
    }
}

#[cfg(test)]
mod tests;
