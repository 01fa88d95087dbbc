//! From settings to plan. This module shows the sequence of a boot from top to bottom.

mod devices;
mod draft;
mod endings;
mod handover;
mod image;
mod kubernetes;
mod last_boot;
mod manifest;
mod names;
mod network;
mod node;
mod root;

use self::draft::{Draft, behind, values, within};
pub use self::endings::{DECIDED, ENDINGS, Ending, Ends};
use crate::settings::{Gathered, Settings};
use crate::{Discovered, Plan, StepId, TransferLimits};

/// Steps that find settings for the network and all later steps.
const EARLY_SETTINGS: [StepId; 3] = [StepId::Credentials, StepId::Config, StepId::Links];
/// Steps that find settings after the network is up.
const LATE_SETTINGS: [StepId; 2] = [StepId::Name, StepId::Settings];

/// Makes the plan from the settings and the discovered facts.
///
/// Some steps find facts (`credentials`, `config`, `links`, `name`, `settings`, `manifest`, `defaults`). After such a step, the
/// boot is planned again with the new facts. Steps that do not wait for it are the same in both plans.
pub fn plan(settings: &Gathered, discovered: &Discovered) -> Plan {
    let mut draft = Draft::default();
    draft.note_all(settings.floor.owned());
    draft.note_all(settings.floor.by_name(settings.hostname.as_ref().map(|name| &name.source)));
    draft.notes.extend(settings.floor.policies());
    devices::load(&mut draft, settings, discovered);
    devices::early_settings(&mut draft, settings, discovered);
    network::configure(&mut draft, settings, discovered);
    network::late_settings(&mut draft, settings, discovered);
    image::find(&mut draft, settings, discovered);
    network::settle(&mut draft);
    image::contents(&mut draft, settings, discovered);
    root::state(&mut draft, settings);
    root::mount(&mut draft, settings);
    node::prepare(&mut draft, settings, discovered);
    kubernetes::prepare(&mut draft, settings);
    handover::leave(&mut draft, settings, discovered);
    draft.notes.extend(names::unresolvable(settings));
    let break_before = settings.break_before.as_ref().map(|phase| phase.value);
    Plan { steps: draft.steps, notes: draft.notes, break_before, absent: draft.absent }
}

fn transfer_limits(settings: &Settings) -> TransferLimits {
    TransferLimits {
        connect: settings.image_connect.value,
        stall: settings.image_stall.value,
        min_rate: settings.image_min_rate.value,
    }
}
