//! The boot as a value.
//!
//! The [`Settings`] are gathered from the [`Facts`]: the wishes, each with its source. [`plan`] turns them into a
//! [`Plan`]: phases of steps that are plain data. The same function runs in PID 1, in `dayfly explain` and in the
//! tests. Nothing in this crate touches the machine.
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
pub mod network;
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
    Action, ConfigSearch, INIT_CANDIDATES, IdentityPlan, LayoutEntry, ScriptPlan, StateCreation, StateSearch,
    TransferLimits,
};
pub use code::Code;
pub use document::Document;
pub use facts::{Credential, Discovered, Fact, Facts, Machine, SettingsFile, Store, Way};
pub use failure::{Attempts, Class, Next, OnFailure, Pauses, Retry};
pub use image::{Integrity, Layer, LayerSource, ManifestPlan, NamedImage, NamedLayer, Placement};
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
    /// Kernel modules for the devices on the buses.
    Devices,
    /// Links, addresses, routes, resolver.
    Network,
    /// The OS image: found or fetched, checked, attached.
    Image,
    /// The disk for data that survives a reboot.
    State,
    /// The OS's root: overlay and layout.
    Root,
    /// Name, machine-id and files of this node.
    Node,
    /// The software that joins the cluster.
    Kubernetes,
    /// Switch to the new root and start its init.
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
    /// This long from its start. The runner aborts a step that takes longer.
    Within(Duration),
    /// As `Within`. Nothing waits for the step alone: the runner ends it when only steps of the handover are left.
    Optional(Duration),
    /// As long as there is progress. The step checks this itself and reports why it fails. The runner aborts it if it
    /// does not.
    Stall {
        /// Limit until the first progress.
        first: Duration,
        /// Longest time without progress after that.
        then: Duration,
    },
}

/// One step of the boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub id: StepId,
    /// The stage it belongs to.
    pub phase: Phase,
    /// Steps that must have ended before this one starts: successfully, or failed with [`OnFailure::Continue`].
    pub needs: Vec<StepId>,
    /// What the step does.
    pub action: Action,
    /// How long it may take.
    pub deadline: Deadline,
    /// What happens when it fails.
    pub on_failure: OnFailure,
}

/// A complete boot. The steps are in an order in which they could run one after another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// Notes for the reader of the plan, for example an unchecked image or an optional state disk.
    pub notes: Vec<String>,
    /// Stop for a shell before this phase (`rd.break`).
    pub break_before: Option<Phase>,
    /// Steps that others may depend on but that this boot does not have, each with the reason.
    pub absent: BTreeMap<StepId, &'static str>,
}

impl Plan {
    /// The step with this name.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// A step that can never start, and the dependency that the plan lacks: a bug of the planner.
    pub fn unmet(&self) -> Option<(&Step, StepId)> {
        let unmet = |step: &Step| step.needs.iter().copied().find(|need| self.step(*need).is_none());
        self.steps.iter().find_map(|step| Some((step, unmet(step)?)))
    }
}
