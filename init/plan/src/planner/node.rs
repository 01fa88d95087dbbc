//! The node: its identity, files, users, services and scripts.

use super::draft::{Draft, values, within};
use crate::settings::{Gathered, Settings};
use crate::{
    Action, Discovered, HostKeys, IdentityPlan, NetworkKeeper, OnFailure, Phase, ScriptPlan, StepId, Way,
};

/// The reason for the absence of a step whose settings are empty.
const NOT_ASKED_FOR: &str = "the settings have none";

/// Plans the node's files. Later steps replace files of earlier ones.
pub(super) fn prepare(draft: &mut Draft, settings: &Gathered, discovered: &Discovered) {
    let identity = IdentityPlan {
        hostname: settings.hostname.as_ref().map(|name| name.value.clone()),
        is_installed: discovered.way == Way::Root,
        uuid: discovered.machine.uuid.clone(),
    };
    // Named interfaces may get their addresses, name servers and names as late as in settle.
    draft.add(
        Phase::Node,
        StepId::Identity,
        &[StepId::Layout, StepId::Settle],
        Action::WriteIdentity(identity),
        within(30),
        OnFailure::Abort,
    );
    if settings.os_modules.is_empty() {
        draft.without(&[StepId::OsModules], NOT_ASKED_FOR);
    } else {
        draft.add(
            Phase::Node,
            StepId::OsModules,
            &[StepId::Layout],
            Action::LoadOsModules { names: values(&settings.os_modules) },
            within(30),
            OnFailure::Continue("the OS tries again with /etc/modules-load.d"),
        );
    }
    let sysctls = settings.node.sysctls();
    if sysctls.is_empty() {
        draft.without(&[StepId::Sysctls], NOT_ASKED_FOR);
    } else {
        draft.add(
            Phase::Node,
            StepId::Sysctls,
            &[StepId::Layout, StepId::OsModules],
            Action::SetSysctls(sysctls),
            within(10),
            OnFailure::Continue("the OS tries again with /etc/sysctl.d"),
        );
    }
    // The files of the settings come last and replace those that earlier steps wrote.
    let files = settings.node.files();
    // Host keys in the settings replace generated ones.
    let has_keys = files.iter().any(|file| file.path.starts_with("/etc/ssh/ssh_host_"));
    if files.is_empty() {
        draft.without(&[StepId::Files], NOT_ASKED_FOR);
    } else {
        draft.add(
            Phase::Node,
            StepId::Files,
            &[StepId::Identity, StepId::Sysctls],
            Action::WriteFiles(files),
            within(30),
            OnFailure::Abort,
        );
    }
    let users = settings.node.users();
    if users.is_empty() {
        draft.without(&[StepId::Users], NOT_ASKED_FOR);
    } else {
        let set_up = Action::SetUpUsers(users);
        draft.add(
            Phase::Node,
            StepId::Users,
            &[StepId::Layout, StepId::Files],
            set_up,
            within(30),
            OnFailure::Abort,
        );
    }
    let units = settings.node.units();
    if units.is_empty() {
        draft.without(&[StepId::Units], NOT_ASKED_FOR);
    } else {
        let write = Action::WriteUnits(units);
        draft.add(
            Phase::Node,
            StepId::Units,
            &[StepId::Layout, StepId::Files],
            write,
            within(10),
            OnFailure::Abort,
        );
    }
    let is_networked = draft.has(StepId::Network);
    if is_networked && settings.network.handover.value != NetworkKeeper::None {
        // Services that the settings write and enable count as the image's.
        draft.add(
            Phase::Node,
            StepId::Address,
            &[StepId::Identity, StepId::Settle, StepId::Files, StepId::Units],
            Action::HandNetworkOver(settings.network.handover.value),
            within(10),
            OnFailure::Continue("the address is valid until its lease ends, unless the OS renews it"),
        );
    }
    if settings.host_keys.value != HostKeys::Image && !has_keys {
        draft.add(
            Phase::Node,
            StepId::HostKeys,
            &[StepId::Layout, StepId::Files],
            Action::MakeHostKeys(settings.host_keys.value),
            within(60),
            OnFailure::Continue("sshd has the image's keys, makes its own, or does not start"),
        );
    }
    scripts(draft, settings);
}

fn scripts(draft: &mut Draft, settings: &Settings) {
    let (mut scripts, mut notes) = (Vec::new(), Vec::new());
    for (name, script) in &settings.scripts {
        let Some(git) = &script.git else {
            notes.push(format!("script.{name} has no git: it is ignored."));
            continue;
        };
        let is_ssh = !git.value.contains("://") || git.value.starts_with("ssh://");
        if is_ssh && (script.known_hosts.is_none() || script.ssh_key.is_none()) {
            notes.push(format!(
                "script.{name} uses ssh, which needs script.{name}.ssh_key and script.{name}.known_hosts: its repository will not be reached."
            ));
        }
        if git.value.starts_with("http://") {
            notes.push(format!("script.{name} is fetched over plain http: anyone between the node and the server can run programs on this node."));
        }
        scripts.push(ScriptPlan {
            name: name.clone(),
            url: git.value.clone(),
            branch: script.branch.as_ref().map(|branch| branch.value.clone()),
            program: script
                .program
                .as_ref()
                .map_or_else(|| "run.sh".to_owned(), |program| program.value.clone()),
            interval: script.interval.as_ref().map_or(ScriptPlan::INTERVAL, |interval| interval.value),
            ssh_key: script.ssh_key.as_ref().map(|key| key.value.clone()),
            known_hosts: script.known_hosts.as_ref().map(|hosts| hosts.value.clone()),
        });
    }
    draft.note_all(notes);
    if !scripts.is_empty() {
        draft.add(
            Phase::Node,
            StepId::Scripts,
            &[StepId::Identity],
            Action::StageScripts(scripts),
            within(30),
            OnFailure::Continue("the node boots without its scripts"),
        );
    }
}
