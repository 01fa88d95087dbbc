//! The network, from the probes to the interfaces that are left as they were.

use std::time::Duration;

use super::{Draft, EARLY_SETTINGS, LATE_SETTINGS, ip, patience, values, within};
use crate::settings::value::Variables;
use crate::settings::{Gathered, ImageSource};
use crate::{Action, Deadline, Discovered, NetworkPlan, OnFailure, Phase, Sourced, StepId, Way};

/// The network, where something needs it.
pub(super) fn configure(draft: &mut Draft, settings: &Gathered, discovered: &Discovered) {
    let is_fetched = |image: &Sourced<ImageSource>| matches!(image.value, ImageSource::Url(_));
    let fetched = discovered.way != Way::Root && settings.image.as_ref().is_some_and(is_fetched);
    if !fetched && !settings.needs_network() {
        draft.without(&[StepId::Network], "nothing needs the network");
        return;
    }
    let ip = values(&settings.ip);
    draft.note_all(ip::notes(&ip, settings.hostname.is_some()));
    let network = NetworkPlan {
        ip,
        bootif: settings.bootif.as_ref().map(|mac| mac.value),
        dns: values(&settings.dns),
        hostname: settings.hostname.as_ref().map(|name| name.value.clone()),
    };
    // An image that nobody has named yet can only be named by what comes over the network.
    let awaited = discovered.way != Way::Root && settings.image.is_none();
    let needed = fetched || awaited || settings.settings_url.is_some() && settings.settings_required.value;
    let on_failure = if needed {
        OnFailure::retry(settings.retry.value)
    } else {
        OnFailure::Continue("the image is on a disk; the OS can bring the network up itself")
    };
    // It waits for interfaces itself: nothing says when the last one has appeared.
    let deadline = Deadline::Within(settings.retry.value.min(Duration::from_secs(60)));
    let race = Action::RaceNetwork(network);
    draft.add(Phase::Network, StepId::Network, &EARLY_SETTINGS, race, deadline, on_failure);
}

/// What is known when the network is up.
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
            OnFailure::Continue("rules with a host name do not match"),
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
    let fetch = Action::FetchSettings { url: template.value.fill(&known), patience: patience(settings) };
    // Of the time for all attempts, the last one must have its share.
    let all = settings.settings_wait.value;
    let attempt = (all / 3).max(Duration::from_secs(1));
    let (attempt, on_failure) = if settings.settings_required.value {
        (attempt, OnFailure::retry_from(StepId::Network, all.saturating_sub(attempt)))
    } else {
        (all, OnFailure::Continue("the settings behind the URL are not required"))
    };
    draft.add(
        Phase::Network,
        StepId::Settings,
        &[StepId::Network],
        fetch,
        Deadline::Within(attempt),
        on_failure,
    );
}

/// From here on nothing asks for another way: what the OS finds is the network that has won, and no other.
pub(super) fn settle(draft: &mut Draft) {
    if !draft.has(StepId::Network) {
        draft.without(&[StepId::Settle], "there is no network");
        return;
    }
    // `find` may stand for an image that settings over the network name, and then fetch.
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
