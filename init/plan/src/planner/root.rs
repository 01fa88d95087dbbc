//! The root of the OS and its persistent paths.

use super::{Draft, EARLY_SETTINGS, LATE_SETTINGS, behind, within};
use crate::settings::Settings;
use crate::{Action, LayoutEntry, OnFailure, Phase, Source, StateCreation, StateSearch, StepId};

/// Plans the state disk, if any path is persistent.
pub(super) fn state(draft: &mut Draft, settings: &Settings) {
    let wanted = settings.state_device.source != Source::Default;
    if !wanted && !settings.layout.values().any(|policy| policy.value.persists()) {
        draft.without(&[StepId::State], "nothing persists");
        return;
    }
    let create = settings.state_create.value.then(|| StateCreation {
        disk: settings.state_disk.as_ref().map(|disk| disk.value.clone()),
        fstype: settings.state_fstype.value.clone(),
    });
    let makes = create.is_some();
    let wait = (wanted || makes).then_some(settings.device_wait.value);
    let search = StateSearch { device: settings.state_device.value.clone(), wanted, wait, create };
    // Creating the file system of a large disk takes long.
    let deadline = behind(wait.unwrap_or_default(), if makes { 300 } else { 30 });
    let on_failure =
        if wanted { OnFailure::Abort } else { OnFailure::Continue("persistent paths are in memory only") };
    // A disk that the settings do not name is searched last, after the image is mounted, so no boot waits for it.
    // Creating a state disk also needs the image's programs.
    // `last-boot` needs the early settings. While it has mounted the disk by a loop device, btrfs refuses the disk itself.
    let early = if draft.has(StepId::LastBoot) { &[StepId::LastBoot] } else { EARLY_SETTINGS.as_slice() };
    let needs = if wanted && !makes {
        [&[StepId::Modules], early, &LATE_SETTINGS].concat()
    } else {
        vec![StepId::Drivers, StepId::LastBoot, StepId::Defaults, StepId::Links, StepId::Name]
    };
    draft.add(Phase::State, StepId::State, &needs, Action::OpenState(search), deadline, on_failure);
}

/// Plans the root and its layout.
pub(super) fn mount(draft: &mut Draft, settings: &Settings) {
    let size = settings.root_size.as_ref().map(|size| size.value);
    draft.add(
        Phase::Root,
        StepId::Root,
        &[StepId::Init],
        Action::MountRoot { size },
        within(30),
        OnFailure::Abort,
    );
    // A BTreeMap sorts parents before the paths below them.
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
        StepId::Layout,
        &[StepId::Root, StepId::State],
        Action::ApplyLayout { entries },
        within(300),
        OnFailure::Abort,
    );
}
