//! What the node remembers from one boot to the next, on its state disk: read before the network is up, stored at the end.

use super::{Draft, EARLY_SETTINGS, within};
use crate::network::Network;
use crate::settings::Settings;
use crate::{Action, OnFailure, Phase, Stage, StepId};

/// Plans the step that reads it, if an address can be requested again.
pub(super) fn read(draft: &mut Draft, settings: &Settings, network: &Network) {
    if !network.uses_dhcp4() {
        draft.without(&[StepId::LastBoot], "no address comes from a DHCPv4 server");
        return;
    }
    // A disk that only later settings name is not known yet. Whether a path is persistent may change too.
    let is_early = settings.state_device.source.stage() <= Stage::Network;
    let device =
        if is_early { settings.state_device.value.clone() } else { Settings::default().state_device.value };
    let needs = [&[StepId::Drivers], EARLY_SETTINGS.as_slice()].concat();
    draft.add(
        Phase::Network,
        StepId::LastBoot,
        &needs,
        Action::ReadLastBoot { device },
        within(5),
        OnFailure::Continue("the DHCP server is asked for any address"),
    );
}

/// Plans the step that stores it, if there may be a lease and a state disk.
pub(super) fn keep(draft: &mut Draft) {
    if !draft.has(StepId::LastBoot) || !draft.has(StepId::State) {
        return;
    }
    draft.add(
        Phase::Handover,
        StepId::NextBoot,
        &[StepId::Settle, StepId::State],
        Action::KeepForNextBoot,
        within(10),
        OnFailure::Continue("the next boot asks the DHCP server for any address"),
    );
}
