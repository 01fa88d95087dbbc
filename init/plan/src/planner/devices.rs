//! The machine: its modules and drivers, and the settings that are available before the network is up.

use std::time::Duration;

use super::draft::{Draft, behind, values, within};
use crate::settings::Gathered;
use crate::{Action, ConfigSearch, Discovered, OnFailure, Phase, Source, Stage, StepId, Way};

/// Modules that every image needs, and the file system of nearly every image, so that it is loaded before the image
/// arrives. Any other file system is loaded once its superblock has been read.
const ESSENTIAL_MODULES: [&str; 3] = ["loop", "overlay", "squashfs"];

/// How long to wait for the MAC address of a rule: the driver of the interface may still be loading.
const LINK_WAIT: Duration = Duration::from_secs(10);

/// Loads modules and drivers.
pub(super) fn load(draft: &mut Draft, settings: &Gathered, discovered: &Discovered) {
    let essential: &[&str] = if discovered.way == Way::Root { &["overlay"] } else { &ESSENTIAL_MODULES };
    let mut names: Vec<String> = essential.iter().map(|&name| name.to_owned()).collect();
    names.extend(values(&settings.modules_load));
    draft.add(
        Phase::Devices,
        StepId::Modules,
        &[],
        Action::LoadModules { names },
        within(30),
        OnFailure::Continue("a missing module is reported where it is needed"),
    );
    if discovered.way == Way::Root {
        // This comes first: /proc, /sys and /run move into the new root, and nothing may write to the old one.
        let needs = [StepId::Modules];
        draft.add(Phase::Devices, StepId::Image, &needs, Action::UseRoot, within(30), OnFailure::Abort);
    }
    if discovered.way != Way::Initramfs {
        draft.without(&[StepId::Drivers], "the previous initramfs has loaded the drivers");
        return;
    }
    draft.add(
        Phase::Devices,
        StepId::Drivers,
        &[],
        Action::LoadDrivers { blacklist: values(&settings.modules_blacklist) },
        within(30),
        OnFailure::Continue("a missing driver is reported where its device is needed"),
    );
}

/// On a mounted root, all other steps wait until the new root covers it.
fn covered(discovered: &Discovered) -> Vec<StepId> {
    if discovered.way == Way::Root { vec![StepId::Image] } else { Vec::new() }
}

/// Reads the settings that are available before the network: from the machine and from its disks.
pub(super) fn early_settings(draft: &mut Draft, settings: &Gathered, discovered: &Discovered) {
    draft.add(
        Phase::Devices,
        StepId::Credentials,
        &covered(discovered),
        Action::ReadCredentials,
        within(10),
        OnFailure::Continue("the boot continues without the host's credentials"),
    );
    if let Some(device) = &settings.config_device.value {
        let wait = (settings.config_device.source != Source::Default).then_some(settings.config_wait.value);
        let search = ConfigSearch { device: device.clone(), wait };
        let deadline = behind(wait.unwrap_or_default(), 15);
        let on_failure = match wait {
            Some(_) => OnFailure::Abort,
            None => OnFailure::Continue("this disk is optional; dayfly.config.device= makes it required"),
        };
        let needs = [vec![StepId::Modules, StepId::Drivers], covered(discovered)].concat();
        draft.add(Phase::Devices, StepId::Config, &needs, Action::ReadConfig(search), deadline, on_failure);
    } else {
        draft.without(&[StepId::Config], "config.device is none");
    }
    if settings.asked.macs {
        // Only sources that are read before this step count. The settings disk may be read too late for it.
        let bootif = settings.network.bootif.as_ref().filter(|mac| mac.source.stage() == Stage::Devices);
        let read = Action::ReadLinks { bootif: bootif.map(|mac| mac.value), wait: LINK_WAIT };
        let needs = [vec![StepId::Drivers], covered(discovered)].concat();
        let retry = OnFailure::retry(LINK_WAIT);
        draft.add(Phase::Devices, StepId::Links, &needs, read, behind(LINK_WAIT, 5), retry);
    } else {
        draft.without(&[StepId::Links], "no rule asks for a MAC address");
    }
}
