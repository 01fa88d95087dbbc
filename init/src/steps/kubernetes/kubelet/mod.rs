//! Prepares the node for a kubelet and enables its service, before the service manager first reads its services.
//! Everything except the kubelet's own certificate is written at each boot. The certificate is kept while it is valid.

mod config;
mod credentials;

use dayfly_plan::{Code, KubeletPlan};
use dayfly_sys::SysError;

use crate::Failure;
use crate::context::{Context, Done};
use crate::events::Level;
use crate::os;
use crate::services::{self, Manager, Restart, Service};
use crate::steps::kubernetes::storage;
use crate::trees::OS;

/// The state of the kubelet, and the layers of the container runtime.
const DATA: [&str; 2] = ["/var/lib/kubelet", "/var/lib/containerd"];

/// Writes the credentials, the configuration and the service.
pub fn stage(cx: &Context, plan: &KubeletPlan) -> Result<Done, Failure> {
    let tried = format!("stage the kubelet {}", plan.program);
    let refuse = |error: SysError| Failure::from_sys(Code::NodeWrite, &tried, &error);
    if !os::has(&*cx.sys, &plan.program).map_err(refuse)? {
        return Err(Failure::new(Code::NodeWrite, tried, format!("the image has no {}", plan.program))
            .with_fix("Put a kubelet into the image, or name it with kubelet.program."));
    }
    let manager = services::manager(cx)?;
    storage::check(cx, &DATA)?;
    let joined = credentials::write(cx, plan)?;
    // A later change of the host name (by a DHCP client's hook, for example) must not change the Node's name, because
    // the certificate is for this name.
    let mut args = vec![format!("--hostname-override={}", cx.known.hostname())];
    args.extend(joined.args);
    args.extend(config::write(cx, plan, manager).map_err(refuse)?);
    args.extend(plan.args.iter().cloned());
    let file = mask_drop_ins(cx, manager)
        .and_then(|()| manager.install(&*cx.sys, &service(plan, args)))
        .map_err(|error| Failure::from_sys(Code::NodeService, &tried, &error))?;
    Ok(Done::with(format!("{file} is enabled, {}", joined.said)))
}

fn service(plan: &KubeletPlan, args: Vec<String>) -> Service {
    Service {
        name: "kubelet".to_owned(),
        description: "Kubernetes node agent".to_owned(),
        documentation: Some(
            "https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/".to_owned(),
        ),
        program: plan.program.clone(),
        args,
        // It exits if the runtime's socket does not answer yet.
        restart: Restart::Always(2),
        network: true,
        after: vec!["containerd".to_owned(), "crio".to_owned()],
        ..Service::default()
    }
}

/// The kubeadm packages contain a drop-in that replaces the kubelet's command by kubeadm's. Masks it (systemd.unit(5)).
/// Other drop-ins, for example with limits, stay.
fn mask_drop_ins(cx: &Context, manager: Manager) -> Result<(), SysError> {
    if manager != Manager::Systemd {
        return Ok(());
    }
    for folder in ["/etc/systemd/system", "/usr/lib/systemd/system"] {
        let folder = format!("{folder}/kubelet.service.d");
        let entries = match cx.sys.list(&OS.at(&folder)) {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error),
        };
        for entry in entries.into_iter().filter(|entry| !entry.is_dir) {
            // A broken link, or a link to /dev/null that masks another drop-in.
            let Some(text) = os::read(&*cx.sys, &format!("{folder}/{}", entry.name))? else { continue };
            if text.lines().any(|line| line.trim_start().starts_with("ExecStart=")) {
                let said = format!(
                    "the image's drop-in {} would replace the kubelet's command and is masked",
                    entry.name
                );
                cx.note(Level::Warning, said);
                let mask = format!("/etc/systemd/system/kubelet.service.d/{}", entry.name);
                os::link(&*cx.sys, "/dev/null", &mask)?;
            }
        }
    }
    Ok(())
}
