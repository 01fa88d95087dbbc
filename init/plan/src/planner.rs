//! From settings to plan. The sequence of a boot is readable here, from top to bottom.

use std::time::Duration;

use dayfly_wire::ip::{IpArg, Method};

use crate::settings::{ImageSource, Settings};
use crate::{
    Action, Code, Deadline, IdentityPlan, KubeletPlan, LayoutEntry, NetworkPlan, OnFailure, Phase, Plan,
    Problem, Severity, Source, Sourced, StateSearch, Step, StepId, Way,
};

/// Modules without which no image boots; its file system is loaded when its superblock has been seen.
const ESSENTIAL_MODULES: [&str; 2] = ["loop", "overlay"];

/// Makes the plan, or says why there can be none.
///
/// Steps that read settings (`defaults` …) are seams: what they find are new facts, and the boot is planned again. What
/// does not wait for such a step is the same in both plans.
pub fn plan(settings: &Settings) -> Result<Plan, Problem> {
    let mut draft = Draft::default();
    devices(&mut draft, settings);
    match settings.way {
        Way::Initramfs | Way::Dracut => {
            let Some(image) = &settings.image else { return Err(no_image()) };
            let fetched = matches!(image.value, ImageSource::Url(_));
            if fetched || settings.needs_network() {
                network(&mut draft, settings, fetched);
            }
            find_image(&mut draft, settings, &image.value);
        }
        Way::Root => {
            if settings.needs_network() {
                network(&mut draft, settings, false);
            }
            // The network is read from /sys, which moves into the new root with everything else.
            draft.add(
                Phase::Image,
                "image",
                &["modules", "network"],
                Action::UseRoot,
                within(30),
                OnFailure::Abort,
            );
        }
    }
    image_contents(&mut draft, settings);
    state(&mut draft, settings);
    root(&mut draft, settings);
    node(&mut draft, settings);
    handover(&mut draft, settings);
    Ok(Plan {
        steps: draft.steps,
        notes: draft.notes,
        break_before: settings.break_before.as_ref().map(|phase| phase.value),
    })
}

fn no_image() -> Problem {
    Problem {
        severity: Severity::Refuse,
        code: Code::ConfigNoImage,
        source: Source::Default,
        text: "No OS image is named: neither root= on the kernel command line nor image.url in the settings."
            .to_owned(),
    }
}

#[derive(Default)]
struct Draft {
    steps: Vec<Step>,
    notes: Vec<String>,
}

impl Draft {
    fn add(
        &mut self,
        phase: Phase,
        id: StepId,
        needs: &[StepId],
        action: Action,
        deadline: Deadline,
        on_failure: OnFailure,
    ) {
        // A need that this plan does not have is met.
        let needs =
            needs.iter().copied().filter(|need| self.steps.iter().any(|step| step.id == *need)).collect();
        self.steps.push(Step { id, phase, needs, action, deadline, on_failure });
    }
}

const fn within(seconds: u64) -> Deadline {
    Deadline::Within(Duration::from_secs(seconds))
}

fn values<T: Clone>(list: &[Sourced<T>]) -> Vec<T> {
    list.iter().map(|item| item.value.clone()).collect()
}

fn devices(draft: &mut Draft, settings: &Settings) {
    let mut names: Vec<String> = ESSENTIAL_MODULES.iter().map(|&name| name.to_owned()).collect();
    names.extend(values(&settings.modules_load));
    draft.add(
        Phase::Devices,
        "modules",
        &[],
        Action::LoadModules { names },
        within(30),
        OnFailure::Continue("a feature that is really missing shows by name where it is used"),
    );
    if settings.way != Way::Initramfs {
        // The initramfs that came before has loaded them.
        return;
    }
    draft.add(
        Phase::Devices,
        "drivers",
        &[],
        Action::LoadDrivers { blacklist: values(&settings.modules_blacklist) },
        within(30),
        OnFailure::Continue("a device without its driver shows by name where it is used"),
    );
}

fn network(draft: &mut Draft, settings: &Settings, fetched: bool) {
    for ip in values(&settings.ip) {
        draft.notes.extend(unsupported(&ip).map(|what| format!("ip={ip}: {what}.")));
    }
    let network = NetworkPlan {
        ip: values(&settings.ip),
        bootif: settings.bootif.as_ref().map(|mac| mac.value),
        dns: values(&settings.dns),
        hostname: settings.hostname.as_ref().map(|name| name.value.clone()),
    };
    let on_failure = if fetched {
        OnFailure::Retry { within: settings.retry.value }
    } else {
        OnFailure::Continue("the image is on a disk; the OS can bring the network up itself")
    };
    // It waits for interfaces itself: nothing says when the last one has appeared.
    let deadline = Deadline::Within(settings.retry.value.min(Duration::from_secs(60)));
    draft.add(Phase::Network, "network", &[], Action::RaceNetwork(network), deadline, on_failure);
}

/// What is understood of an `ip=` word but not done.
fn unsupported(ip: &IpArg) -> Option<String> {
    let method = match ip.method {
        Method::Dhcp | Method::SingleDhcp | Method::Off => None,
        other => Some(format!("{other} is not supported yet, DHCPv4 is used")),
    };
    method
        .or_else(|| ip.mac.map(|mac| format!("the MAC address {mac} is not set")))
        .or_else(|| ip.peer.map(|peer| format!("the peer {peer} is not used")))
}

fn find_image(draft: &mut Draft, settings: &Settings, image: &ImageSource) {
    let found: StepId = match image {
        ImageSource::Url(url) => {
            let fetch = Action::Fetch {
                url: url.clone(),
                connect: settings.image_connect.value,
                stall: settings.image_stall.value,
                hash: settings.image_sha256.is_some(),
            };
            let deadline = Deadline::Stall(settings.image_stall.value);
            draft.add(
                Phase::Image,
                "fetch",
                &["network"],
                fetch,
                deadline,
                OnFailure::Retry { within: settings.retry.value },
            );
            "fetch"
        }
        ImageSource::File(path) => {
            let open = Action::UseFile { path: path.clone() };
            draft.add(Phase::Image, "find", &["modules"], open, within(10), OnFailure::Abort);
            "find"
        }
        ImageSource::Device { device, live } => {
            let file = live.then(|| format!("{}/{}", settings.live_dir.value, settings.live_file.value));
            let find = Action::FindImage { device: device.clone(), file };
            let deadline = Deadline::Within(settings.device_wait.value + Duration::from_secs(10));
            draft.add(Phase::Image, "find", &["modules"], find, deadline, OnFailure::Abort);
            "find"
        }
    };
    match &settings.image_sha256 {
        Some(sha256) => {
            // A whole disk may have to be read: ten minutes is 8 GiB at 14 MB/s.
            draft.add(
                Phase::Image,
                "verify",
                &[found],
                Action::Verify { sha256: sha256.value },
                within(600),
                OnFailure::Abort,
            );
        }
        None => draft.notes.push(
            "The image is booted unchecked: nobody gave its SHA-256 (dayfly.image.sha256=).".to_owned(),
        ),
    }
    draft.add(
        Phase::Image,
        "image",
        &["modules", found, "verify"],
        Action::MountImage,
        within(30),
        OnFailure::Abort,
    );
}

fn image_contents(draft: &mut Draft, settings: &Settings) {
    draft.add(
        Phase::Image,
        "defaults",
        &["image"],
        Action::ReadDefaults,
        within(10),
        OnFailure::Continue("the image is booted without settings of its own"),
    );
    // Before anything of the image is copied to a disk: without an init it is no OS.
    let find = Action::FindInit { init: settings.init.as_ref().map(|init| init.value.clone()) };
    draft.add(Phase::Image, "init", &["defaults"], find, within(10), OnFailure::Abort);
}

fn state(draft: &mut Draft, settings: &Settings) {
    let wanted = settings.state_device.source != Source::Default;
    if !wanted && !settings.layout.values().any(|policy| policy.value.persists()) {
        return;
    }
    let search = StateSearch { device: settings.state_device.value.clone(), wanted };
    let (deadline, on_failure) = if wanted {
        (Deadline::Within(settings.device_wait.value + Duration::from_secs(30)), OnFailure::Abort)
    } else {
        (within(30), OnFailure::Continue("what should persist lies in memory instead"))
    };
    // A disk that was not asked for is looked for last, when the image is here: no boot waits for it.
    let needs: &[StepId] = if wanted { &["modules"] } else { &["drivers", "defaults"] };
    draft.add(Phase::State, "state", needs, Action::OpenState(search), deadline, on_failure);
}

fn root(draft: &mut Draft, settings: &Settings) {
    let size = settings.root_size.as_ref().map(|size| size.value);
    draft.add(Phase::Root, "root", &["init"], Action::MountRoot { size }, within(30), OnFailure::Abort);
    // A BTreeMap sorts parents before what is below them.
    let entries = settings
        .layout
        .iter()
        .map(|(path, policy)| LayoutEntry {
            path: path.clone(),
            policy: policy.value,
            is_default: policy.source == Source::Default,
        })
        .collect();
    draft.add(
        Phase::Root,
        "layout",
        &["root", "state"],
        Action::ApplyLayout { entries },
        within(300),
        OnFailure::Abort,
    );
}

fn node(draft: &mut Draft, settings: &Settings) {
    let identity = IdentityPlan { hostname: settings.hostname.as_ref().map(|name| name.value.clone()) };
    draft.add(
        Phase::Node,
        "identity",
        &["layout", "network"],
        Action::WriteIdentity(identity),
        within(30),
        OnFailure::Abort,
    );
    if settings.kubelet.value {
        let kubelet = KubeletPlan {
            program: settings.kubelet_program.value.clone(),
            args: values(&settings.kubelet_args),
        };
        draft.add(
            Phase::Kubernetes,
            "kubelet",
            &["identity"],
            Action::StageKubelet(kubelet),
            within(30),
            OnFailure::Continue("the node boots, and its kubelet can be started by hand"),
        );
    }
}

fn handover(draft: &mut Draft, settings: &Settings) {
    // What these two say is as complete as it can be where they come last; neither waits for the other.
    let done: Vec<StepId> = draft.steps.iter().map(|step| step.id).collect();
    draft.add(
        Phase::Handover,
        "history",
        &done,
        Action::KeepRecord,
        within(10),
        OnFailure::Continue("the record of this boot is in /run/dayfly all the same"),
    );
    if let Some(url) = &settings.report {
        let report = Action::Report { url: url.value.clone(), wait: settings.report_wait.value };
        draft.add(
            Phase::Handover,
            "report",
            &done,
            report,
            Deadline::Within(settings.report_wait.value),
            OnFailure::Continue("the record of this boot is in /run/dayfly all the same"),
        );
    }
    // The last wait for everything: nothing else may run while the root changes.
    let all: Vec<StepId> = draft.steps.iter().map(|step| step.id).collect();
    if settings.way == Way::Dracut {
        draft.add(Phase::Handover, "leave", &all, Action::LeaveToDracut, within(60), OnFailure::Abort);
        return;
    }
    draft.add(Phase::Handover, "switch", &all, Action::SwitchRoot, within(60), OnFailure::Abort);
    let exec = Action::Exec { args: settings.init_args.clone() };
    draft.add(Phase::Handover, "exec", &["switch"], exec, within(60), OnFailure::Abort);
}
