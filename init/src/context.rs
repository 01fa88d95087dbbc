//! What a step gets, and what it gives back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dayfly_plan::StepId;
use dayfly_sys::Sys;

use crate::Failure;
use crate::claims::Claims;
use crate::events::{Events, Level};
use crate::modules::Modules;
use crate::steps::image::fetch::Fetched;
use crate::{Known, Learned};

/// When a step last moved something, for the runner that waits for it.
#[derive(Debug, Clone, Default)]
pub struct Heartbeat(Arc<AtomicU64>);

impl Heartbeat {
    /// Something moves, at this moment of the machine's clock.
    fn beat(&self, now: Duration) {
        self.0.store(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// When it last did; `None` before the first time.
    pub fn last(&self) -> Option<Duration> {
        Some(self.0.load(Ordering::Relaxed)).filter(|last| *last > 0).map(Duration::from_nanos)
    }
}

/// What an attempt at a step leaves to the next one, if it comes back at all. Of all steps, only the fetch has such a thing.
#[derive(Default)]
pub struct Progress(Mutex<Fetched>);

impl Progress {
    /// What the attempt before has left.
    pub fn take(&self) -> Fetched {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Leaves it to the next attempt.
    pub fn leave(&self, fetched: Fetched) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fetched;
    }
}

/// What a step has at hand.
pub struct Context {
    /// The machine.
    pub sys: Arc<dyn Sys>,
    /// Where it reports.
    pub events: Events,
    /// The module loader.
    pub modules: Arc<Modules>,
    /// What the interfaces claim.
    pub claims: Arc<Claims>,
    /// What the boot has learned so far.
    pub known: Known,
    /// Its name.
    pub step: StepId,
    /// When it must have ended, on the machine's clock.
    pub until: Duration,
    /// Where it shows that it moves.
    pub heartbeat: Heartbeat,
    /// What the attempts before have left.
    pub progress: Progress,
}

impl Context {
    /// Says something.
    pub fn note(&self, level: Level, text: impl Into<String>) {
        self.events.note(level, Some(self.step), text);
    }

    /// Something moves: a step without a fixed end is given up where it has not said so for long.
    pub fn moves(&self) {
        self.heartbeat.beat(self.sys.now());
    }

    /// Tells what failed and goes on: one file that cannot be written is not worth a node that restarts for ever.
    pub fn tolerate(&self, failure: &Failure) {
        let Failure { code, tried, wrong, fix, .. } = failure;
        self.note(Level::Warning, format!("{tried}: {wrong} [{code}]; the boot goes on without it. {fix}"));
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
