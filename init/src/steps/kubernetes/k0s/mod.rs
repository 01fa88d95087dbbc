//! Prepares the node for k0s like `k0s install` (k0s's cmd/install and pkg/install), which cannot run before the
//! service manager. Users, configuration, token and service are written at each boot. /var/lib/k0s is left to k0s.

mod join;
mod users;

use dayfly_plan::k0s::Role;
use dayfly_plan::{Code, K0sPlan};
use dayfly_sys::SysError;

use crate::Failure;
use crate::context::{Context, Done};
use crate::os;
use crate::services::{self, Restart, Service};
use crate::steps::kubernetes::{bundles, program, storage};

/// Where k0s looks for its configuration (pkg/constant). `k0s install` uses the same path.
const CONFIG: &str = "/etc/k0s/k0s.yaml";
/// The default of k0s is below /usr, which is read-only.
const PLUGINS: &str = "--volume-plugin-dir=";

/// Writes the configuration, the token and the service.
pub fn stage(cx: &Context, plan: &K0sPlan) -> Result<Done, Failure> {
    let tried = format!("stage k0s as {}", plan.role);
    let refuse = |error: SysError| Failure::from_sys(Code::NodeWrite, &tried, &error);
    let program = program::find(cx, "k0s", plan.program.as_deref())?;
    let manager = services::manager(cx)?;
    storage::check(cx, &[plan.data_dir.as_str()])?;
    if plan.role.is_controller() {
        users::make(cx, &plan.data_dir)?;
    }
    let config = plan.config.as_ref().filter(|_| plan.role.is_controller());
    if let Some(config) = config {
        os::write(&*cx.sys, CONFIG, &config.0, 0o600).map_err(refuse)?;
    }
    let joined = join::prepare(cx, plan)?;
    let bundles = match &plan.images {
        Some(images) if plan.role.is_worker() => {
            bundles::link(cx, images, &format!("{}/images", plan.data_dir))?
        }
        _ => 0,
    };
    let args = arguments(plan, config.is_some(), joined.token_file.as_deref());
    let file = manager
        .install(&*cx.sys, &service(plan.role, program, args))
        .map_err(|error| Failure::from_sys(Code::NodeService, &tried, &error))?;
    Ok(Done::with(format!("{file} is enabled, {}, {bundles} bundles", joined.said)))
}

/// The command line as `k0s install` writes it: the flags sorted by name, each with its value.
fn arguments(plan: &K0sPlan, has_config: bool, token_file: Option<&str>) -> Vec<String> {
    let mut flags = Vec::new();
    if has_config {
        flags.push(format!("--config={CONFIG}"));
    }
    if plan.data_dir != "/var/lib/k0s" {
        flags.push(format!("--data-dir={}", plan.data_dir));
    }
    if plan.role == Role::ControllerWorker {
        flags.push("--enable-worker=true".to_owned());
    }
    let mut own = plan.args.clone();
    if plan.role.is_worker() {
        let plugins = format!("{PLUGINS}{}/kubelet-plugins/volume/exec", plan.data_dir);
        // This flag holds all kubelet arguments. If it is given twice, only the last one counts, so they are merged.
        match own.iter_mut().find(|arg| arg.starts_with("--kubelet-extra-args=")) {
            Some(arg) if arg.contains(PLUGINS) => {}
            Some(arg) => arg.extend([" ", plugins.as_str()]),
            None => flags.push(format!("--kubelet-extra-args={plugins}")),
        }
    }
    if plan.role == Role::Single {
        flags.push("--single=true".to_owned());
    }
    flags.extend(token_file.map(|file| format!("--token-file={file}")));
    let command = if plan.role.is_controller() { "controller" } else { "worker" };
    std::iter::once(command.to_owned()).chain(flags).chain(own).collect()
}

fn service(role: Role, program: String, args: Vec<String>) -> Service {
    Service {
        name: if role.is_controller() { "k0scontroller" } else { "k0sworker" }.to_owned(),
        description: "k0s - Zero Friction Kubernetes".to_owned(),
        documentation: Some("https://docs.k0sproject.io".to_owned()),
        program,
        args,
        restart: Restart::Always(10),
        network: true,
        if_executable: true,
        open_files: Some(999_999),
        unlimited: true,
        delegate: true,
        only_main: true,
        patient: true,
        ..Service::default()
    }
}

#[cfg(test)]
mod tests;
