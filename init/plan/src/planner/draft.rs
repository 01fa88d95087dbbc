//! A plan that is being made.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Action, Deadline, OnFailure, Phase, Sourced, Step, StepId};

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
