//! What each action does. One file for each group of actions; [`perform`] is the table.

mod drivers;
mod fetch;
mod handover;
mod identity;
mod image;
mod kubelet;
mod layout;
mod network;
mod root;
mod state;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use dayfly_plan::{Action, StepId};
use dayfly_sys::Sys;

use crate::events::{Events, Level};
use crate::modules::Modules;
use crate::{Failure, Known, Learned};

/// What a step has at hand.
pub struct Context<S: Sys> {
    /// The machine.
    pub sys: Arc<S>,
    /// Where it reports.
    pub events: Events,
    /// The module loader.
    pub modules: Arc<Modules<S>>,
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

/// Does it.
pub fn perform<S: Sys>(action: &Action, cx: &Context<S>) -> Result<Done, Failure> {
    #[cfg(feature = "fault")]
    crate::fault::strike(cx)?;
    match action {
        Action::LoadDrivers { blacklist } => drivers::load_drivers(cx, blacklist),
        Action::LoadModules { names } => drivers::load_modules(cx, names),
        Action::RaceNetwork(plan) => network::race(cx, plan),
        Action::Fetch { url, connect, stall, hash } => fetch::fetch(cx, url, *connect, *stall, *hash),
        Action::FindImage { device, file } => image::find(cx, device, file.as_deref()),
        Action::Verify { sha256 } => verify::verify(cx, sha256),
        Action::MountImage => image::mount(cx),
        Action::OpenState(search) => state::open(cx, search),
        Action::MountRoot { size } => root::mount(cx, *size),
        Action::ApplyLayout { entries } => layout::apply(cx, entries),
        Action::WriteIdentity(plan) => identity::write(cx, plan),
        Action::StageKubelet(plan) => kubelet::stage(cx, plan),
        Action::SwitchRoot { init } => handover::switch(cx, init.as_deref()),
        Action::Exec { args } => handover::exec(cx, args),
    }
}
