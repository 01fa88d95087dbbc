//! A plan that is being made.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Action, Deadline, OnFailure, Phase, Sourced, Step, StepId};

/// So many notes of a kind are told in full: who has more has not read the first ones yet.
const MOST_NOTES: usize = 10;

/// What is planned so far.
#[derive(Default)]
pub(super) struct Draft {
    pub steps: Vec<Step>,
    pub notes: Vec<String>,
    pub absent: BTreeMap<StepId, &'static str>,
}

impl Draft {
    /// Adds a step. What it needs is planned before it or is absent by name: another need stays in the plan, and the boot
    /// fails over it instead of taking it for met.
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

    /// This boot does not have these steps, for this reason.
    pub fn without(&mut self, steps: &[StepId], reason: &'static str) {
        self.absent.extend(steps.iter().map(|step| (*step, reason)));
    }

    /// Adds the notes of one kind; those beyond a number that can be read are counted.
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

/// A deadline for a step that waits: what it does behind the wait has so many seconds.
pub(super) const fn behind(wait: Duration, seconds: u64) -> Deadline {
    Deadline::Within(wait.saturating_add(Duration::from_secs(seconds)))
}

/// The values without the places that they are from.
pub(super) fn values<T: Clone>(list: &[Sourced<T>]) -> Vec<T> {
    list.iter().map(|item| item.value.clone()).collect()
}
