//! The network: from the first attempts on all interfaces to the restored ones.

mod conflicts;
mod impossible;
mod limits;
mod link_local;
pub(super) mod time;
mod virtual_links;
mod wanted;

use std::time::Duration;

use super::{Draft, EARLY_SETTINGS, LATE_SETTINGS, last_boot, transfer_limits, within};
use crate::settings::value::Variables;
use crate::settings::{Gathered, ImageSource};
use crate::{Action, Deadline, Discovered, OnFailure, Phase, Sourced, StepId, Way};

/// Plans the network if something needs it.
pub(super) fn configure(draft: &mut Draft, settings: &Gathered, discovered: &Discovered) {
    let is_fetched = |image: &Sourced<ImageSource>| matches!(image.value, ImageSource::Url(_));
    let fetched = discovered.way != Way::Root && settings.image.as_ref().is_some_and(is_fetched);
    if !fetched && !settings.needs_network() {
        draft.without(&[StepId::LastBoot, StepId::Network, StepId::Time], "nothing needs the network");
        return;
    }
    let (network, notes) = wanted::network(settings, discovered);
    draft.note_all(notes);
    last_boot::read(draft, settings, &network);
    // An image that nobody has named yet can only be named by what comes over the network.
    let awaited = discovered.way != Way::Root && settings.image.is_none();
    let needed = fetched || awaited || settings.settings_url.is_some() && settings.settings_required.value;
    let on_failure = if needed {
        OnFailure::retry(settings.retry.value)
    } else {
        OnFailure::Continue("the image is on a disk; the OS can bring up the network itself")
    };
    // The step itself waits for interfaces: the kernel does not announce that the last one has appeared.
    let usual = Duration::from_secs(60);
    let longest = limits::longest(&network, &settings.network).unwrap_or_default();
    if longest > settings.retry.value {
        let (longest, retry) = (longest.as_secs(), settings.retry.value.as_secs());
        draft.note_all(vec![format!(
            "The network may take {longest} s, but rd.retry= ends the boot after {retry} s."
        )]);
    }
    let deadline = Deadline::Within(settings.retry.value.min(usual.max(longest)));
    let race = Action::RaceNetwork(Box::new(network.clone()));
    let needs = [EARLY_SETTINGS.as_slice(), &[StepId::LastBoot]].concat();
    draft.add(Phase::Network, StepId::Network, &needs, race, deadline, on_failure);
    time::plan(draft, &network);
}

/// Plans the steps that read settings from the network.
pub(super) fn late_settings(draft: &mut Draft, settings: &Gathered, discovered: &Discovered) {
    if !draft.has(StepId::Network) {
        draft.without(&LATE_SETTINGS, "there is no network");
        return;
    }
    if settings.asked.name && settings.hostname.is_none() {
        draft.add(
            Phase::Network,
            StepId::Name,
            &[StepId::Network],
            Action::ReadName,
            within(5),
            OnFailure::Continue("rules with a hostname condition do not match"),
        );
    } else {
        draft.without(&[StepId::Name], "no rule asks for the network's host name");
    }
    let Some(template) = &settings.settings_url else {
        draft.without(&[StepId::Settings], "settings.url is not set");
        return;
    };
    draft.notes.extend(template.value.note());
    let known = Variables {
        mac: None,
        uuid: discovered.machine.uuid.clone(),
        serial: discovered.machine.serial.clone(),
        hostname: settings.hostname.as_ref().map(|name| name.value.to_string()),
    };
    let fetch = Action::FetchSettings { url: template.value.fill(&known), limits: transfer_limits(settings) };
    // The last attempt must have its share of the time for all attempts.
    let all = settings.settings_wait.value;
    let attempt = (all / 3).max(Duration::from_secs(1));
    let (attempt, on_failure) = if settings.settings_required.value {
        (attempt, OnFailure::retry_from(StepId::Network, all.saturating_sub(attempt)))
    } else {
        (all, OnFailure::Continue("the settings behind the URL are not required"))
    };
    let mut needs = vec![StepId::Network];
    needs.extend(time::is_awaited(draft, discovered, template.value.is_secure()).then_some(StepId::Time));
    draft.add(Phase::Network, StepId::Settings, &needs, fetch, Deadline::Within(attempt), on_failure);
}

/// Plans the step after which no other interface is tried: the OS finds only the interface that succeeded.
pub(super) fn settle(draft: &mut Draft) {
    if !draft.has(StepId::Network) {
        draft.without(&[StepId::Settle], "there is no network");
        return;
    }
    // `find` may still become `fetch`, if settings from the network name an image on a server.
    let needs = [StepId::Network, StepId::Name, StepId::Settings, StepId::Fetch, StepId::Find];
    let reason = "the other interfaces may stay up";
    draft.add(
        Phase::Image,
        StepId::Settle,
        &needs,
        Action::SettleNetwork,
        within(20),
        OnFailure::Continue(reason),
    );
}
