//! The input and the result of a step.

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

/// When a step last made progress. The runner uses it to detect a stall.
#[derive(Debug, Clone, Default)]
pub struct Heartbeat(Arc<AtomicU64>);

impl Heartbeat {
    /// Records progress at this time of the machine's clock.
    fn beat(&self, now: Duration) {
        self.0.store(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The time of the last progress; `None` before the first.
    pub fn last(&self) -> Option<Duration> {
        Some(self.0.load(Ordering::Relaxed)).filter(|last| *last > 0).map(Duration::from_nanos)
    }
}

/// Data that a failed attempt passes to the next attempt of the same step. Only the fetch uses it.
#[derive(Default)]
pub struct Progress(Mutex<Fetched>);

impl Progress {
    /// Takes the data of the previous attempt.
    pub fn take(&self) -> Fetched {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stores the data for the next attempt.
    pub fn leave(&self, fetched: Fetched) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fetched;
    }
}

/// What a step has access to.
pub struct Context {
    /// The machine.
    pub sys: Arc<dyn Sys>,
    /// Where the step reports events.
    pub events: Events,
    /// The module loader.
    pub modules: Arc<Modules>,
    /// The claims of the network interfaces.
    pub claims: Arc<Claims>,
    /// What the boot has learned so far.
    pub known: Known,
    /// The step's name.
    pub step: StepId,
    /// The step's deadline on the machine's clock.
    pub until: Duration,
    /// Where the step reports progress.
    pub heartbeat: Heartbeat,
    /// The data of earlier attempts.
    pub progress: Progress,
}

impl Context {
    /// Logs a line.
    pub fn note(&self, level: Level, text: impl Into<String>) {
        self.events.note(level, Some(self.step), text);
    }

    /// Reports progress. A step without a fixed deadline fails if it reports none for too long.
    pub fn moves(&self) {
        self.heartbeat.beat(self.sys.now());
    }

    /// Logs a failure as a warning and continues. For example, one file that cannot be written must not put the node
    /// into an endless restart loop.
    pub fn tolerate(&self, failure: &Failure) {
        let Failure { code, tried, wrong, fix, .. } = failure;
        self.note(Level::Warning, format!("{tried}: {wrong} [{code}]; the boot continues without it. {fix}"));
    }

    /// The time until the deadline.
    pub fn left(&self) -> Duration {
        self.until.saturating_sub(self.sys.now())
    }
}

/// The result of a step.
#[derive(Debug, Default)]
pub struct Done {
    /// What the step found out.
    pub learned: Vec<Learned>,
    /// One line for the log.
    pub detail: String,
    /// How many bytes the step transferred.
    pub bytes: Option<u64>,
}

impl Done {
    /// A result with only a log line.
    pub fn with(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..Self::default() }
    }

    /// Adds a fact.
    pub fn and(mut self, learned: Learned) -> Self {
        self.learned.push(learned);
        self
    }
}
