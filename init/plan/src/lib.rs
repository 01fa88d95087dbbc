//! The boot as a value.
//!
//! From the [`Facts`] come the [`Settings`], which say what is wanted and where each wish came from; [`plan`] turns them
//! into a [`Plan`]: phases of steps that are plain data. The same function runs in PID 1, behind `dayfly explain` and in the tests; nothing here
//! touches the machine.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod action;
mod code;
mod document;
mod facts;
mod failure;
mod image;
pub mod k0s;
pub mod k3s;
mod kubernetes;
mod layout;
pub mod node;
pub mod paths;
mod planner;
mod problem;
mod reference;
mod secret;
pub mod settings;
mod smbios;
mod source;
mod step;
mod table;

pub use action::{
    Action, ConfigSearch, INIT_CANDIDATES, IdentityPlan, LayoutEntry, NetworkPlan, Patience, ScriptPlan,
    StateCreation, StateSearch,
};
pub use code::Code;
pub use document::Document;
pub use facts::{Credential, Discovered, Fact, Facts, Machine, SettingsFile, Store, Way};
pub use failure::{Attempts, Class, Next, OnFailure, Pauses, Retry};
pub use image::{Integrity, Layer, LayerSource, Placement};
pub use k0s::K0sPlan;
pub use k3s::K3sPlan;
pub use kubernetes::{Credentials, KernelNeeds, KubeletPlan};
pub use layout::{DEFAULTS, Layout, Owned, Policy, Writer, check_path};
pub use node::{Content, FilePlan, HostKeys, NetworkKeeper, OwnerName, SysctlPlan, UnitPlan, UserPlan};
pub use planner::{DECIDED, ENDINGS, Ending, Ends, plan};
pub use problem::{Problem, Severity};
use reference::in_reference;
pub use secret::Secret;
pub use settings::Settings;
pub use source::{Kind, Limit, Place, Private, Source, Sourced, Stage};
pub use step::StepId;
pub use table::{Absent, Row};

use std::collections::BTreeMap;
use std::time::Duration;

/// A stage of the boot, in the order in which the plan prints them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Kernel modules for what the buses show.
    Devices,
    /// Links, addresses, routes, resolver.
    Network,
    /// The OS image: found or fetched, checked, attached.
    Image,
    /// The disk that keeps what must outlive a boot.
    State,
    /// The OS's root: overlay and layout.
    Root,
    /// Name, machine-id and files of this node.
    Node,
    /// What makes it a member of its cluster.
    Kubernetes,
    /// Into the new root and on to its init.
    Handover,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Phase; 8] = [
        Phase::Devices,
        Phase::Network,
        Phase::Image,
        Phase::State,
        Phase::Root,
        Phase::Node,
        Phase::Kubernetes,
        Phase::Handover,
    ];

    /// Its name in tables, logs and boot.json.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Devices => "devices",
            Phase::Network => "network",
            Phase::Image => "image",
            Phase::State => "state",
            Phase::Root => "root",
            Phase::Node => "node",
            Phase::Kubernetes => "kubernetes",
            Phase::Handover => "handover",
        }
    }
}

/// How long a step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// From its start; the runner gives a step up that takes longer.
    Within(Duration),
    /// As long as something moves. A step sees to this itself and says why it fails; the runner gives it up if it has not.
    Stall {
        /// How long it may take until something moves.
        first: Duration,
        /// The longest silence from then on.
        then: Duration,
    },
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub id: StepId,
    /// The stage it belongs to.
    pub phase: Phase,
    /// Steps that must have ended (well, or badly with [`OnFailure::Continue`]) before it starts.
    pub needs: Vec<StepId>,
    /// What is done.
    pub action: Action,
    /// How long it may take.
    pub deadline: Deadline,
    /// What happens when it fails.
    pub on_failure: OnFailure,
}

/// A whole boot. Steps stand in an order in which they could run one after another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is done.
    pub steps: Vec<Step>,
    /// What the reader should know: an image that nobody checks, a state disk that may be missing.
    pub notes: Vec<String>,
    /// Stop for a shell before this phase (`rd.break`).
    pub break_before: Option<Phase>,
    /// Steps that others could wait for and this boot does not have, each with the reason.
    pub absent: BTreeMap<StepId, &'static str>,
}

impl Plan {
    /// The step of this name.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// A step that could never start, and the need that the plan does not have: a defect of the planner.
    pub fn unmet(&self) -> Option<(&Step, StepId)> {
        let unmet = |step: &Step| step.needs.iter().copied().find(|need| self.step(*need).is_none());
        self.steps.iter().find_map(|step| Some((step, unmet(step)?)))
    }
}
