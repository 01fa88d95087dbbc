//! Prepares the node for a kubelet and enables its service, before the service manager reads its services for the first
//! time. All but the kubelet's own certificate is written anew at each boot; that one is kept only while it is good.

mod config;
mod credentials;
mod rejoin;
mod storage;

use std::path::{Path, PathBuf};

use dayfly_plan::{Code, KubeletPlan, paths};
use dayfly_sys::{Sys, SysError};

use crate::Failure;
use crate::context::{Context, Done};
use crate::events::Level;
use crate::services::{self, Manager, Restart, Service};

/// Modules that pods and services need. The OS loads them before it starts services.
const MODULES: &str = "overlay\nbr_netfilter\nnf_conntrack\n";
/// The last six are the kubelet's own (its protectKernelDefaults compares them). A leading `-` is for what a kernel lacks.
const SYSCTLS: &str = "net.ipv4.ip_forward = 1\n-net.bridge.bridge-nf-call-iptables = 1\n\
    -net.bridge.bridge-nf-call-ip6tables = 1\nvm.overcommit_memory = 1\nvm.panic_on_oom = 0\nkernel.panic = 10\n\
    kernel.panic_on_oops = 1\nkernel.keys.root_maxkeys = 1000000\nkernel.keys.root_maxbytes = 25000000\n";

/// Stages it.
pub fn stage<S: Sys>(cx: &Context<S>, plan: &KubeletPlan) -> Result<Done, Failure> {
    let tried = format!("stage the kubelet {}", plan.program);
    let refuse = |error: SysError| Failure::from_sys(Code::NodeWrite, &tried, &error);
    let program = Path::new(paths::ROOT).join(plan.program.trim_start_matches('/'));
    if cx.sys.inspect(&program).map_err(refuse)?.is_none() {
        return Err(Failure::new(Code::NodeWrite, tried, format!("the image has no {}", plan.program))
            .with_fix("Put a kubelet into the image, or name it with kubelet.program."));
    }
    let manager = services::manager(cx)?;
    storage::check(cx)?;
    prepare(cx, manager).map_err(refuse)?;
    let joined = credentials::write(cx, plan)?;
    let mut args = joined.args;
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
        // It ends where the runtime's socket does not answer yet.
        restart: Restart::Always(2),
        network: true,
        after: vec!["containerd".to_owned(), "crio".to_owned()],
        ..Service::default()
    }
}

fn etc(file: &str) -> PathBuf {
    Path::new(paths::ROOT).join("etc").join(file)
}

fn prepare<S: Sys>(cx: &Context<S>, manager: Manager) -> Result<(), SysError> {
    cx.sys.write(&etc("modules-load.d/dayfly-kubernetes.conf"), MODULES.as_bytes(), 0o644)?;
    cx.sys.write(&etc("sysctl.d/90-dayfly-kubernetes.conf"), SYSCTLS.as_bytes(), 0o644)?;
    if manager == Manager::OpenRc {
        // Debian's OpenRC mounts version 1 beside version 2, and a kubelet wants version 2 alone, as systemd has it.
        cx.sys.write(&etc("rc.conf.d/dayfly.conf"), b"rc_cgroup_mode=\"unified\"\n", 0o644)?;
    }
    Ok(())
}

/// Packages of kubeadm bring a drop-in that puts kubeadm's command in place of ours: such ones are masked
/// (systemd.unit(5)). Others, limits say, are the image's business.
fn mask_drop_ins<S: Sys>(cx: &Context<S>, manager: Manager) -> Result<(), SysError> {
    if manager != Manager::Systemd {
        return Ok(());
    }
    for folder in ["etc/systemd/system", "usr/lib/systemd/system"] {
        let folder = Path::new(paths::ROOT).join(folder).join("kubelet.service.d");
        let entries = match cx.sys.list(&folder) {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error),
        };
        for entry in entries.into_iter().filter(|entry| !entry.is_dir) {
            let text = match cx.sys.read(&folder.join(&entry.name)) {
                Ok(text) => text,
                // A link that leads nowhere in the initramfs, as the mask of another drop-in may.
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error),
            };
            if String::from_utf8_lossy(&text).lines().any(|line| line.trim_start().starts_with("ExecStart="))
            {
                let said =
                    format!("the image's drop-in {} would replace the kubelet's command: masked", entry.name);
                cx.note(Level::Warning, said);
                let mask = etc("systemd/system/kubelet.service.d").join(&entry.name);
                cx.sys.symlink(Path::new("/dev/null"), &mask)?;
            }
        }
    }
    Ok(())
}
