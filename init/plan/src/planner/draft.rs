//! A plan under construction.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Action, Deadline, OnFailure, Phase, Sourced, Step, StepId};

/// Limit for notes of one kind. The others are only counted: a longer list is not readable.
const MOST_NOTES: usize = 10;

/// The steps and notes so far.
#[derive(Default)]
pub(super) struct Draft {
    pub steps: Vec<Step>,
    pub notes: Vec<String>,
    pub absent: BTreeMap<StepId, &'static str>,
}

impl Draft {
    /// Adds a step. Each of its dependencies must have been planned before, or recorded as absent. Any other dependency
    /// stays in the plan, and the boot fails because of it instead of ignoring it.
    pub fn add(
        &mut self,
        phase: Phase,
        id: StepId,
        needs: &[StepId],
        action: Action,
        deadline: Deadline,
        on_failure: OnFailure,
    ) {
        let needs = needs.iter().copied().filter(|need| !self.absent.contains_key(need)).collect();
        self.steps.push(Step { id, phase, needs, action, deadline, on_failure });
    }

    /// Records that this boot does not have these steps, with the reason.
    pub fn without(&mut self, steps: &[StepId], reason: &'static str) {
        self.absent.extend(steps.iter().map(|step| (*step, reason)));
    }

    /// Adds the notes of one kind. Those beyond [`MOST_NOTES`] are only counted.
    pub fn note_all(&mut self, notes: impl IntoIterator<Item = String>) {
        let mut notes = notes.into_iter();
        self.notes.extend(notes.by_ref().take(MOST_NOTES));
        let more = notes.count();
        if more > 0 {
            self.notes.push(format!("… and {more} more notes like these."));
        }
    }

    /// Whether a step is planned.
    pub fn has(&self, id: StepId) -> bool {
        self.steps.iter().any(|step| step.id == id)
    }
}

/// A deadline in seconds.
pub(super) const fn within(seconds: u64) -> Deadline {
    Deadline::Within(Duration::from_secs(seconds))
}

/// A deadline for a step that waits first: the wait, plus this many seconds for the work after it.
pub(super) const fn behind(wait: Duration, seconds: u64) -> Deadline {
    Deadline::Within(wait.saturating_add(Duration::from_secs(seconds)))
}

/// The values without their sources.
pub(super) fn values<T: Clone>(list: &[Sourced<T>]) -> Vec<T> {
    list.iter().map(|item| item.value.clone()).collect()
}
