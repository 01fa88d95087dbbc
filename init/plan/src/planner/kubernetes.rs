//! The steps that start Kubernetes on the node.

use super::draft::{Draft, values, within};
use crate::settings::{Gathered, Settings};
use crate::{
    Action, Credentials, K0sPlan, K3sPlan, KernelNeeds, KubeletPlan, OnFailure, Phase, Source, StepId, k0s,
    k3s,
};

/// Plans the kernel's preparation and the software that joins the cluster.
pub(super) fn prepare(draft: &mut Draft, settings: &Gathered) {
    let (k0s_role, k3s_role) = (settings.k0s.role.value, settings.k3s.role.value);
    if settings.kubelet.enabled.value || k0s_role.is_some() || k3s_role.is_some() {
        prepare_kernel(draft, settings);
    }
    if settings.kubelet.enabled.value {
        kubelet(draft, settings);
    }
    if let Some(role) = k0s_role {
        k0s(draft, settings, role);
    }
    if let Some(role) = k3s_role {
        k3s(draft, settings, role);
    }
}

fn prepare_kernel(draft: &mut Draft, settings: &Gathered) {
    let needs = KernelNeeds::besides(&settings.node.sysctls(), settings.cgroup_v1.clone());
    draft.add(
        Phase::Kubernetes,
        StepId::Kernel,
        &[StepId::Layout, StepId::OsModules],
        Action::PrepareKernel(needs),
        within(30),
        OnFailure::Continue("the OS tries again when it starts, and the kubelet reports what is missing"),
    );
}

fn kubelet(draft: &mut Draft, settings: &Settings) {
    let kubelet = &settings.kubelet;
    let token = kubelet.token.as_ref().map(|token| token.value.clone());
    let credentials = match (&kubelet.kubeconfig, &kubelet.server) {
        (Some(kubeconfig), _) => Credentials::Kubeconfig(kubeconfig.value.clone()),
        (None, Some(server)) => Credentials::Server(server.value.clone(), token),
        (None, None) => Credentials::None,
    };
    if credentials == Credentials::None && kubelet.token.is_some() {
        draft.notes.push("kubelet.token is not used without kubelet.server and kubelet.ca.".to_owned());
    }
    let plan = KubeletPlan {
        program: kubelet.program.value.clone(),
        args: values(&kubelet.args),
        credentials,
        ca: kubelet.ca.as_ref().map(|ca| ca.value.clone()),
        config: kubelet.config.as_ref().map(|config| config.value.clone()),
        labels: values(&kubelet.labels),
        taints: values(&kubelet.taints),
        cri: kubelet.cri.as_ref().map(|cri| cri.value.clone()),
        cluster_dns: values(&kubelet.cluster_dns),
        cluster_domain: kubelet.cluster_domain.value.clone(),
    };
    draft.add(
        Phase::Kubernetes,
        StepId::Kubelet,
        // This step reads the container runtime's configuration, which may be one of the files.
        &[StepId::Identity, StepId::Files, StepId::Kernel],
        Action::StageKubelet(Box::new(plan)),
        within(30),
        OnFailure::Continue("the node boots without its kubelet"),
    );
}

fn k0s(draft: &mut Draft, settings: &Settings, role: k0s::Role) {
    let k0s = &settings.k0s;
    if role.is_controller() && settings.state_device.source == Source::Default {
        draft.notes.push("k0s.role makes this node a controller: without a state disk, the cluster is lost at the next boot.".to_owned());
    }
    if k0s.config.is_some() && !role.is_controller() {
        draft.notes.push("k0s.config is for controllers and is not used on a worker.".to_owned());
    }
    let plan = K0sPlan {
        role,
        program: k0s.program.as_ref().map(|program| program.value.clone()),
        args: values(&k0s.args),
        config: k0s.config.as_ref().map(|config| config.value.clone()),
        token: k0s.token.as_ref().map(|token| token.value.clone()),
        data_dir: k0s.data_dir.value.clone(),
        images: k0s.images.as_ref().map(|images| images.value.clone()),
    };
    draft.add(
        Phase::Kubernetes,
        StepId::K0s,
        // Its program may be one of the files. Its users are created in addition to those of the settings.
        &[StepId::Identity, StepId::Files, StepId::Users, StepId::Kernel],
        Action::StageK0s(Box::new(plan)),
        within(30),
        OnFailure::Continue("the node boots without its k0s"),
    );
}

fn k3s(draft: &mut Draft, settings: &Settings, role: k3s::Role) {
    let k3s = &settings.k3s;
    if role == k3s::Role::Server && k3s.server.is_none() && settings.state_device.source == Source::Default {
        draft.notes.push(
            "k3s.role makes this node a server: without a state disk, the cluster is lost at the next boot."
                .to_owned(),
        );
    }
    let plan = K3sPlan {
        role,
        program: k3s.program.as_ref().map(|program| program.value.clone()),
        args: values(&k3s.args),
        config: k3s.config.as_ref().map(|config| config.value.clone()),
        server: k3s.server.as_ref().map(|server| server.value.clone()),
        token: k3s.token.as_ref().map(|token| token.value.clone()),
        images: k3s.images.as_ref().map(|images| images.value.clone()),
    };
    draft.add(
        Phase::Kubernetes,
        StepId::K3s,
        &[StepId::Identity, StepId::Files, StepId::Kernel],
        Action::StageK3s(Box::new(plan)),
        within(30),
        OnFailure::Continue("the node boots without its k3s"),
    );
}
