//! The end of the boot: storing its record, and the start of the OS.

use super::{Draft, last_boot, within};
use crate::settings::Gathered;
use crate::{Action, Deadline, Discovered, OnFailure, Phase, StepId, Way};

/// Plans the boot record, then the start of the OS.
pub(super) fn leave(draft: &mut Draft, settings: &Gathered, discovered: &Discovered) {
    last_boot::keep(draft);
    // The record is most complete after all other steps. The two steps do not wait for each other.
    let done: Vec<StepId> = draft.steps.iter().map(|step| step.id).collect();
    draft.add(
        Phase::Handover,
        StepId::History,
        &done,
        Action::KeepRecord,
        within(10),
        OnFailure::Continue("the boot record is still in /run/dayfly"),
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
            OnFailure::Continue("the boot record is still in /run/dayfly"),
        );
    }
    // These steps wait for all others: nothing else may run while the root changes.
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
