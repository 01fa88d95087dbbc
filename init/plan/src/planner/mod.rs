//! From settings to plan. The sequence of a boot is readable here, from top to bottom.

mod endings;
mod ip;
mod kubernetes;
mod names;
mod node;

use std::time::Duration;

pub use self::endings::{DECIDED, ENDINGS, Ending, Ends};
use self::kubernetes::kubernetes;
use self::node::node;
use crate::settings::template::Variables;
use crate::settings::{ImageSource, Settings};
use crate::{
    Action, ConfigSearch, Deadline, LayoutEntry, NetworkPlan, OnFailure, Patience, Phase, Plan, Source,
    Sourced, Stage, StateCreation, StateSearch, Step, StepId, Way,
};

/// Modules without which no image boots, and the file system that nearly every image is: it is at hand before the image
/// is. Another one is loaded when its superblock has been seen.
const ESSENTIAL_MODULES: [&str; 3] = ["loop", "overlay", "squashfs"];

/// The steps that find settings which the network and all after it may depend on.
const EARLY_SETTINGS: [StepId; 3] = ["credentials", "config", "links"];
/// Those that find settings when the network is up.
const LATE_SETTINGS: [StepId; 2] = ["name", "settings"];

/// Makes the plan.
///
/// Steps that read settings (`config`, `settings`, `defaults` …) are seams: what they find are new facts, and the boot is
/// planned again. What does not wait for such a step is the same in both plans.
pub fn plan(settings: &Settings) -> Plan {
    let mut draft = Draft { notes: settings.floor.notes(settings.hostname.is_some()), ..Draft::default() };
    devices(&mut draft, settings);
    early_settings(&mut draft, settings);
    let is_fetched = |image: &Sourced<ImageSource>| matches!(image.value, ImageSource::Url(_));
    let fetched = settings.way != Way::Root && settings.image.as_ref().is_some_and(is_fetched);
    if fetched || settings.needs_network() {
        network(&mut draft, settings, fetched);
        late_settings(&mut draft, settings);
    }
    if settings.way != Way::Root {
        find_image(&mut draft, settings);
    }
    settle_network(&mut draft);
    image_contents(&mut draft, settings);
    state(&mut draft, settings);
    root(&mut draft, settings);
    node(&mut draft, settings);
    kubernetes(&mut draft, settings);
    handover(&mut draft, settings);
    draft.notes.extend(names::unresolvable(settings));
    Plan {
        steps: draft.steps,
        notes: draft.notes,
        break_before: settings.break_before.as_ref().map(|phase| phase.value),
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
    let essential: &[&str] = if settings.way == Way::Root { &["overlay"] } else { &ESSENTIAL_MODULES };
    let mut names: Vec<String> = essential.iter().map(|&name| name.to_owned()).collect();
    names.extend(values(&settings.modules_load));
    draft.add(
        Phase::Devices,
        "modules",
        &[],
        Action::LoadModules { names },
        within(30),
        OnFailure::Continue("a feature that is really missing shows by name where it is used"),
    );
    if settings.way == Way::Root {
        // Before anything else: /proc, /sys and /run move into the new root, and nothing may be written to the old one.
        let needs = ["modules"];
        draft.add(Phase::Devices, "image", &needs, Action::UseRoot, within(30), OnFailure::Abort);
    }
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

/// What is known of the machine and from its disks before the network is.
fn early_settings(draft: &mut Draft, settings: &Settings) {
    draft.add(
        Phase::Devices,
        "credentials",
        &["image"],
        Action::ReadCredentials,
        within(10),
        OnFailure::Continue("the boot goes on without credentials of the machine's host"),
    );
    if let Some(device) = &settings.config_device.value {
        let wait = (settings.config_device.source != Source::Default).then_some(settings.config_wait.value);
        let search = ConfigSearch { device: device.clone(), wait };
        let deadline = Deadline::Within(wait.unwrap_or_default() + Duration::from_secs(15));
        let on_failure = match wait {
            Some(_) => OnFailure::Abort,
            None => OnFailure::Continue("nobody asked for this disk; dayfly.config.device= makes it a must"),
        };
        let needs = ["modules", "drivers", "image"];
        draft.add(Phase::Devices, "config", &needs, Action::ReadConfig(search), deadline, on_failure);
    }
    if settings.asked.macs {
        // What /config says of it may come too late for this step.
        let bootif = settings.bootif.as_ref().filter(|mac| mac.source.stage() == Stage::Devices);
        let read = Action::ReadLinks { bootif: bootif.map(|mac| mac.value) };
        let retry = OnFailure::Retry { within: Duration::from_secs(10), back: None };
        draft.add(Phase::Devices, "links", &["drivers", "image"], read, within(15), retry);
    }
}

fn network(draft: &mut Draft, settings: &Settings, fetched: bool) {
    let ip = values(&settings.ip);
    draft.notes.extend(ip::notes(&ip, settings.hostname.is_some()));
    let network = NetworkPlan {
        ip,
        bootif: settings.bootif.as_ref().map(|mac| mac.value),
        dns: values(&settings.dns),
        hostname: settings.hostname.as_ref().map(|name| name.value.clone()),
    };
    // An image that nobody has named yet can only be named by what comes over the network.
    let awaited = settings.way != Way::Root && settings.image.is_none();
    let needed = fetched || awaited || settings.settings_url.is_some() && settings.settings_required.value;
    let on_failure = if needed {
        OnFailure::Retry { within: settings.retry.value, back: None }
    } else {
        OnFailure::Continue("the image is on a disk; the OS can bring the network up itself")
    };
    // It waits for interfaces itself: nothing says when the last one has appeared.
    let deadline = Deadline::Within(settings.retry.value.min(Duration::from_secs(60)));
    let race = Action::RaceNetwork(network);
    draft.add(Phase::Network, "network", &EARLY_SETTINGS, race, deadline, on_failure);
}

/// What is known when the network is up.
fn late_settings(draft: &mut Draft, settings: &Settings) {
    if settings.asked.name && settings.hostname.is_none() {
        draft.add(
            Phase::Network,
            "name",
            &["network"],
            Action::ReadName,
            within(5),
            OnFailure::Continue("rules that ask for the host name do not hold"),
        );
    }
    let Some(template) = &settings.settings_url else { return };
    draft.notes.extend(template.value.note());
    let known = Variables {
        mac: None,
        uuid: settings.machine.uuid.clone(),
        serial: settings.machine.serial.clone(),
        hostname: settings.hostname.as_ref().map(|name| name.value.to_string()),
    };
    let fetch = Action::FetchSettings { url: template.value.fill(&known), patience: patience(settings) };
    // Of the time for all attempts, the last one must have its share.
    let all = settings.settings_wait.value;
    let attempt = (all / 3).max(Duration::from_secs(1));
    let (attempt, on_failure) = if settings.settings_required.value {
        (attempt, OnFailure::Retry { within: all.saturating_sub(attempt), back: Some("network") })
    } else {
        (all, OnFailure::Continue("the settings behind the URL are not required"))
    };
    draft.add(Phase::Network, "settings", &["network"], fetch, Deadline::Within(attempt), on_failure);
}

fn patience(settings: &Settings) -> Patience {
    Patience {
        connect: settings.image_connect.value,
        stall: settings.image_stall.value,
        min_rate: settings.image_min_rate.value,
    }
}

fn find_image(draft: &mut Draft, settings: &Settings) {
    let file = format!("{}/{}", settings.live_dir.value, settings.live_file.value);
    let needs = [&["modules"], EARLY_SETTINGS.as_slice(), &LATE_SETTINGS].concat();
    let found: StepId = match settings.image.as_ref().map(|image| &image.value) {
        None => {
            draft.notes.push(
                "No OS image is named yet: neither root= on the kernel command line nor image.url in the settings so far. \
                 The boot fails unless a later place names one."
                    .to_owned(),
            );
            draft.add(Phase::Image, "find", &needs, Action::AwaitImage, within(10), OnFailure::Abort);
            "find"
        }
        Some(ImageSource::Url(url)) => {
            draft.notes.extend(url.note());
            let fetch = Action::Fetch {
                url: url.clone(),
                patience: patience(settings),
                hash: settings.image_sha256.is_some(),
            };
            let (connect, stall) = (settings.image_connect.value, settings.image_stall.value);
            let deadline = Deadline::Stall { first: connect + stall, then: stall };
            let needs = [&["network", "links"], LATE_SETTINGS.as_slice()].concat();
            let retry = OnFailure::Retry { within: settings.retry.value, back: Some("network") };
            draft.add(Phase::Image, "fetch", &needs, fetch, deadline, retry);
            "fetch"
        }
        Some(ImageSource::File(path)) => {
            let open = Action::UseFile { path: path.clone() };
            draft.add(Phase::Image, "find", &needs, open, within(10), OnFailure::Abort);
            "find"
        }
        Some(ImageSource::Device { device, live }) => {
            let file = live.then(|| file.clone());
            let find = Action::FindImage { device: device.clone(), file };
            let deadline = Deadline::Within(settings.device_wait.value + Duration::from_secs(10));
            draft.add(Phase::Image, "find", &needs, find, deadline, OnFailure::Abort);
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
        Action::MountImage { file },
        within(30),
        OnFailure::Abort,
    );
}

/// From here on nothing asks for another way: what the OS finds is the network that has won, and no other.
fn settle_network(draft: &mut Draft) {
    if !draft.steps.iter().any(|step| step.id == "network") {
        return;
    }
    // `find` may stand for an image that settings over the network name, and then fetch.
    let needs = ["network", "name", "settings", "fetch", "find"];
    let reason = "the OS finds interfaces up that it was not to find up";
    draft.add(Phase::Image, "settle", &needs, Action::SettleNetwork, within(20), OnFailure::Continue(reason));
}

fn image_contents(draft: &mut Draft, settings: &Settings) {
    let mut needs = vec!["image"];
    if settings.way == Way::Root {
        // That image was there before anything was known of what is wanted of it.
        needs.extend(EARLY_SETTINGS);
        needs.extend(LATE_SETTINGS);
    }
    draft.add(
        Phase::Image,
        "defaults",
        &needs,
        Action::ReadDefaults,
        within(10),
        OnFailure::Continue("the image is booted without settings of its own"),
    );
    // Before anything of the image is copied to a disk: without an init it is no OS.
    let find = Action::FindInit { init: settings.init.as_ref().map(|init| init.value.clone()) };
    // Rules of the image's own settings may ask for what nobody asked for before.
    let needs = ["defaults", "links", "name"];
    draft.add(Phase::Image, "init", &needs, find, within(10), OnFailure::Abort);
}

fn state(draft: &mut Draft, settings: &Settings) {
    let wanted = settings.state_device.source != Source::Default;
    if !wanted && !settings.layout.values().any(|policy| policy.value.persists()) {
        return;
    }
    let create = settings.state_create.value.then(|| StateCreation {
        disk: settings.state_disk.as_ref().map(|disk| disk.value.clone()),
        fstype: settings.state_fstype.value.clone(),
        patience: settings.device_wait.value,
    });
    let makes = create.is_some();
    let search = StateSearch { device: settings.state_device.value.clone(), wanted, create };
    let (deadline, on_failure) = if makes {
        // The file system of a large disk takes its time.
        let deadline = Deadline::Within(settings.device_wait.value + Duration::from_secs(300));
        let reason = "what should persist lies in memory instead";
        (deadline, if wanted { OnFailure::Abort } else { OnFailure::Continue(reason) })
    } else if wanted {
        (Deadline::Within(settings.device_wait.value + Duration::from_secs(30)), OnFailure::Abort)
    } else {
        (within(30), OnFailure::Continue("what should persist lies in memory instead"))
    };
    // A disk that was not asked for is looked for last, when the image is here: no boot waits for it.
    // Who makes one needs the image's programs for it.
    let needs = if wanted && !makes {
        [&["modules"], EARLY_SETTINGS.as_slice(), &LATE_SETTINGS].concat()
    } else {
        vec!["drivers", "defaults", "links", "name"]
    };
    draft.add(Phase::State, "state", &needs, Action::OpenState(search), deadline, on_failure);
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
        draft.notes.extend(url.value.note());
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
    let switch = Action::SwitchRoot { empties: settings.way == Way::Initramfs };
    draft.add(Phase::Handover, "switch", &all, switch, within(60), OnFailure::Abort);
    let exec = Action::Exec { args: settings.init_args.clone() };
    draft.add(Phase::Handover, "exec", &["switch"], exec, within(60), OnFailure::Abort);
}
