//! The end of the boot: its record, and the way into the OS.

use super::{Draft, within};
use crate::settings::Gathered;
use crate::{Action, Deadline, Discovered, OnFailure, Phase, StepId, Way};

/// The record, then the OS.
pub(super) fn leave(draft: &mut Draft, settings: &Gathered, discovered: &Discovered) {
    // What these two say is as complete as it can be where they come last; neither waits for the other.
    let done: Vec<StepId> = draft.steps.iter().map(|step| step.id).collect();
    draft.add(
        Phase::Handover,
        StepId::History,
        &done,
        Action::KeepRecord,
        within(10),
        OnFailure::Continue("the record of this boot is in /run/dayfly all the same"),
    );
    if let Some(url) = &settings.report {
        draft.notes.extend(url.value.note());
        let report = Action::Report { url: url.value.clone() };
        draft.add(
            Phase::Handover,
            StepId::Report,
            &done,
            report,
            Deadline::Within(settings.report_wait.value),
            OnFailure::Continue("the record of this boot is in /run/dayfly all the same"),
        );
    }
    // The last wait for everything: nothing else may run while the root changes.
    let all: Vec<StepId> = draft.steps.iter().map(|step| step.id).collect();
    if discovered.way == Way::Dracut {
        draft.add(Phase::Handover, StepId::Leave, &all, Action::LeaveToDracut, within(60), OnFailure::Abort);
        return;
    }
    let switch = Action::SwitchRoot { empties: discovered.way == Way::Initramfs };
    draft.add(Phase::Handover, StepId::Switch, &all, switch, within(60), OnFailure::Abort);
    let exec = Action::Exec { args: settings.init_args.clone() };
    draft.add(Phase::Handover, StepId::Exec, &[StepId::Switch], exec, within(60), OnFailure::Abort);
}
