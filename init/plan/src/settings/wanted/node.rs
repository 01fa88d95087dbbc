//! Settings of the node's files, users, sysctls and units.

use std::collections::BTreeMap;

use crate::{Content, FilePlan, OwnerName, Secret, Sourced, SysctlPlan, UnitPlan, UserPlan};

/// Settings of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileSettings {
    /// Its content.
    pub content: Option<Sourced<Content>>,
    /// Its mode.
    pub mode: Option<Sourced<u32>>,
    /// Its owner.
    pub owner: Option<Sourced<OwnerName>>,
}

/// Settings of one user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserSettings {
    /// The ssh keys that may log in as this user.
    pub authorized_keys: Vec<Sourced<String>>,
    /// The hash of its password.
    pub password_hash: Option<Sourced<Secret>>,
}

/// Settings of one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitSettings {
    /// Its content.
    pub content: Option<Sourced<String>>,
    /// Whether it starts at boot.
    pub enable: Option<Sourced<bool>>,
}

/// All of these settings, by path or name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeSettings {
    /// Files by path.
    pub files: BTreeMap<String, FileSettings>,
    /// Users by name.
    pub users: BTreeMap<String, UserSettings>,
    /// Sysctls by name.
    pub sysctls: BTreeMap<String, Sourced<String>>,
    /// Units by name.
    pub units: BTreeMap<String, UnitSettings>,
}

impl NodeSettings {
    /// The files.
    pub fn files(&self) -> Vec<FilePlan> {
        self.files.iter().map(|(path, file)| file.plan(path)).collect()
    }

    /// The users.
    pub fn users(&self) -> Vec<UserPlan> {
        let plan = |(name, user): (&String, &UserSettings)| UserPlan {
            name: name.clone(),
            authorized_keys: user.authorized_keys.iter().map(|key| key.value.clone()).collect(),
            password_hash: user.password_hash.as_ref().map(|hash| hash.value.clone()),
        };
        self.users.iter().map(plan).collect()
    }

    /// The sysctls.
    pub fn sysctls(&self) -> Vec<SysctlPlan> {
        let plan = |(name, value): (&String, &Sourced<String>)| SysctlPlan {
            name: name.clone(),
            value: value.value.clone(),
        };
        self.sysctls.iter().map(plan).collect()
    }

    /// The units.
    pub fn units(&self) -> Vec<UnitPlan> {
        let plan = |(name, unit): (&String, &UnitSettings)| UnitPlan {
            name: name.clone(),
            content: unit.content.as_ref().map(|content| content.value.clone()),
            enable: unit.enable.as_ref().map(|enable| enable.value),
        };
        self.units.iter().map(plan).collect()
    }
}

impl FileSettings {
    fn plan(&self, path: &str) -> FilePlan {
        let content = self.content.as_ref().map(|content| content.value.clone());
        let default = if content.as_ref().is_some_and(Content::is_secret) { 0o600 } else { 0o644 };
        FilePlan {
            path: path.to_owned(),
            mode: self.mode.as_ref().map_or(default, |mode| mode.value),
            owner: self.owner.as_ref().map(|owner| owner.value.clone()),
            content,
        }
    }
}
