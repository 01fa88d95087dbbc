//! Writes the kubelet's service and enables it, before the service manager reads its services for the first time.

use std::path::Path;

use dayfly_plan::{Code, KubeletPlan, paths};
use dayfly_sys::Sys;

use crate::Failure;
use crate::context::{Context, Done};
use crate::services::{self, Restart, Service};

/// Stages it.
pub fn stage<S: Sys>(cx: &Context<S>, plan: &KubeletPlan) -> Result<Done, Failure> {
    let tried = format!("stage the kubelet {}", plan.program);
    let program = Path::new(paths::ROOT).join(plan.program.trim_start_matches('/'));
    match cx.sys.inspect(&program) {
        Ok(Some(_)) => {}
        Ok(None) => {
            return Err(Failure::new(Code::NodeWrite, tried, format!("the image has no {}", plan.program))
                .with_fix("Put a kubelet into the image, or name it with kubelet.program."));
        }
        Err(error) => return Err(Failure::from_sys(Code::NodeWrite, tried, &error)),
    }
    let manager = services::manager(cx)?;
    let file = manager
        .install(&*cx.sys, &service(plan))
        .map_err(|error| Failure::from_sys(Code::NodeService, tried, &error))?;
    Ok(Done::with(format!("{file} is enabled")))
}

fn service(plan: &KubeletPlan) -> Service {
    Service {
        name: "kubelet".to_owned(),
        description: "Kubernetes node agent".to_owned(),
        documentation: Some(
            "https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/".to_owned(),
        ),
        program: plan.program.clone(),
        args: plan.args.clone(),
        restart: Restart::Always(10),
        network: true,
        after: vec!["containerd".to_owned(), "crio".to_owned()],
        ..Service::default()
    }
}
