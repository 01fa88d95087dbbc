//! The image: found or fetched, checked, mounted, and what it says of itself.

use std::time::Duration;

use super::{Draft, EARLY_SETTINGS, LATE_SETTINGS, patience, within};
use crate::settings::{Gathered, ImageSource};
use crate::{Action, Deadline, Integrity, OnFailure, Phase, StepId, Way};

/// The image, from where it is to where it is mounted.
pub(super) fn find(draft: &mut Draft, settings: &Gathered) {
    if settings.way == Way::Root {
        // The step that takes the mounted root is the first one of all.
        draft.without(&[StepId::Find, StepId::Fetch, StepId::Verify], "the mounted root is the image");
        return;
    }
    let file = format!("{}/{}", settings.live_dir.value, settings.live_file.value);
    let needs = [&[StepId::Modules], EARLY_SETTINGS.as_slice(), &LATE_SETTINGS].concat();
    let found: StepId = match settings.image.as_ref().map(|image| &image.value) {
        None => {
            draft.notes.push(
                "No OS image is named yet: neither root= on the kernel command line nor image.url in the settings so far. \
                 The boot fails unless a later place names one."
                    .to_owned(),
            );
            draft.add(Phase::Image, StepId::Find, &needs, Action::AwaitImage, within(10), OnFailure::Abort);
            StepId::Find
        }
        Some(ImageSource::Url(url)) => {
            draft.notes.extend(url.note());
            let fetch = Action::Fetch {
                url: url.clone(),
                patience: patience(settings),
                hash: settings.image_sha256.is_some(),
            };
            let (connect, stall) = (settings.image_connect.value, settings.image_stall.value);
            let deadline = Deadline::Stall { first: connect + stall, then: stall };
            let needs = [&[StepId::Network, StepId::Links], LATE_SETTINGS.as_slice()].concat();
            let retry = OnFailure::retry_from(StepId::Network, settings.retry.value);
            draft.add(Phase::Image, StepId::Fetch, &needs, fetch, deadline, retry);
            StepId::Fetch
        }
        Some(ImageSource::File(path)) => {
            let open = Action::UseFile { path: path.clone() };
            draft.add(Phase::Image, StepId::Find, &needs, open, within(10), OnFailure::Abort);
            StepId::Find
        }
        Some(ImageSource::Device { device, live }) => {
            let file = live.then(|| file.clone());
            let find = Action::FindImage { device: device.clone(), file };
            let deadline = Deadline::Within(settings.device_wait.value + Duration::from_secs(10));
            draft.add(Phase::Image, StepId::Find, &needs, find, deadline, OnFailure::Abort);
            StepId::Find
        }
    };
    if found == StepId::Fetch {
        draft.without(&[StepId::Find], "the image is fetched");
    } else {
        draft.without(&[StepId::Fetch], "the image is on a disk");
    }
    let integrity =
        settings.image_sha256.as_ref().map_or(Integrity::Unchecked, |sha256| Integrity::Sha256(sha256.value));
    if let Integrity::Sha256(sha256) = integrity {
        let verify = Action::Verify { sha256 };
        // A whole disk may have to be read: ten minutes is 8 GiB at 14 MB/s.
        draft.add(Phase::Image, StepId::Verify, &[found], verify, within(600), OnFailure::Abort);
    } else {
        draft.without(&[StepId::Verify], "the image is booted unchecked");
        draft
            .notes
            .push("The image is booted unchecked: no SHA-256 is set (dayfly.image.sha256=).".to_owned());
    }
    draft.add(
        Phase::Image,
        StepId::Image,
        &[StepId::Modules, found, StepId::Verify],
        Action::MountImage { file, integrity },
        within(30),
        OnFailure::Abort,
    );
}

/// What the image says of itself.
pub(super) fn contents(draft: &mut Draft, settings: &Gathered) {
    let mut needs = vec![StepId::Image];
    if settings.way == Way::Root {
        // That image was there before anything was known of what is wanted of it.
        needs.extend(EARLY_SETTINGS);
        needs.extend(LATE_SETTINGS);
    }
    draft.add(
        Phase::Image,
        StepId::Defaults,
        &needs,
        Action::ReadDefaults,
        within(10),
        OnFailure::Continue("the image is booted without settings of its own"),
    );
    // Before anything of the image is copied to a disk: without an init it is no OS.
    let find = Action::FindInit { init: settings.init.as_ref().map(|init| init.value.clone()) };
    // Rules of the image's own settings may ask for what nobody asked for before.
    let needs = [StepId::Defaults, StepId::Links, StepId::Name];
    draft.add(Phase::Image, StepId::Init, &needs, find, within(10), OnFailure::Abort);
}
