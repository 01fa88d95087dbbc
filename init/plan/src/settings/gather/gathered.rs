//! What gathering comes to.

use std::collections::BTreeMap;
use std::ops::Deref;

use super::rules::Asked;
use super::trust::Floor;
use crate::Source;
use crate::settings::wanted::Settings;

/// What the facts come to: the settings, and what gathering them has found beside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gathered {
    /// What is wanted.
    pub settings: Settings,
    /// What rules ask for.
    pub asked: Asked,
    /// Settings of several values that an empty list has emptied, by name, and the place of that list.
    pub emptied: BTreeMap<&'static str, Source>,
    /// Who owns what decides trust.
    pub floor: Floor,
    /// Arguments for the OS's init: those that the kernel hands to init.
    pub init_args: Vec<String>,
    /// The word that has the OS's systemd use version 1 of the control groups, where the command line has one.
    pub cgroup_v1: Option<String>,
}

/// Whoever plans by it reads settings most of the time. What changes them names them.
impl Deref for Gathered {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}
