//! The result of gathering.

use std::collections::BTreeMap;
use std::ops::Deref;

use super::rules::Asked;
use super::trust::Floor;
use crate::Source;
use crate::settings::wanted::Settings;

/// The settings that the facts give, and what gathering has found besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gathered {
    /// The settings.
    pub settings: Settings,
    /// The conditions that rules use.
    pub asked: Asked,
    /// Settings with several values that an empty list has cleared, by name, with the source of that list.
    pub emptied: BTreeMap<&'static str, Source>,
    /// The owners of the settings that decide trust.
    pub floor: Floor,
    /// Arguments for the OS's init: those that the kernel passes to init.
    pub init_args: Vec<String>,
    /// The kernel parameter that makes the OS's systemd use cgroup v1, if there is one.
    pub cgroup_v1: Option<String>,
}

/// The planner mostly reads settings. Code that changes them uses the field explicitly.
impl Deref for Gathered {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}
