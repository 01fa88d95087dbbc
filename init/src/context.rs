//! What a step gets, and what it gives back.

use std::sync::Arc;
use std::time::Duration;

use dayfly_plan::StepId;
use dayfly_sys::Sys;

use crate::claims::Claims;
use crate::events::{Events, Level};
use crate::modules::Modules;
use crate::{Known, Learned};

/// What a step has at hand.
pub struct Context<S: Sys> {
    /// The machine.
    pub sys: Arc<S>,
    /// Where it reports.
    pub events: Events,
    /// The module loader.
    pub modules: Arc<Modules<S>>,
    /// What the interfaces claim.
    pub claims: Arc<Claims>,
    /// What the boot has learned so far.
    pub known: Known,
    /// Its name.
    pub step: StepId,
    /// When it must have ended, on the machine's clock.
    pub until: Duration,
}

impl<S: Sys> Context<S> {
    /// Says something.
    pub fn note(&self, level: Level, text: impl Into<String>) {
        self.events.note(level, Some(self.step), text);
    }

    /// The time that is left.
    pub fn left(&self) -> Duration {
        self.until.saturating_sub(self.sys.now())
    }
}

/// What came of a step.
#[derive(Debug, Default)]
pub struct Done {
    /// New facts.
    pub learned: Vec<Learned>,
    /// One line for people.
    pub detail: String,
    /// Bytes that were moved.
    pub bytes: Option<u64>,
}

impl Done {
    /// Nothing but a line.
    pub fn with(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..Self::default() }
    }

    /// Adds a fact.
    pub fn and(mut self, learned: Learned) -> Self {
        self.learned.push(learned);
        self
    }
}
