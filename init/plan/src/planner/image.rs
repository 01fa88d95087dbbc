//! The image: finding or fetching it, its check, its mount, and the settings in it.

use std::time::Duration;

use super::network::time;
use super::{Draft, EARLY_SETTINGS, LATE_SETTINGS, behind, manifest, transfer_limits, within};
use crate::settings::value::Url;
use crate::settings::{Gathered, ImageSource, Settings};
use crate::{
    Action, Deadline, Discovered, Integrity, Layer, LayerSource, OnFailure, Phase, Placement, StepId, Way,
};

/// Plans all steps from the source of the image to its mount.
pub(super) fn find(draft: &mut Draft, settings: &Gathered, discovered: &Discovered) {
    if discovered.way == Way::Root {
        // The step that uses the mounted root is the first of all.
        let steps = [StepId::Manifest, StepId::Find, StepId::Fetch, StepId::Verify];
        draft.without(&steps, "the mounted root is the image");
        return;
    }
    let needs = [&[StepId::Modules], EARLY_SETTINGS.as_slice(), &LATE_SETTINGS].concat();
    let file = format!("{}/{}", settings.live_dir.value, settings.live_file.value);
    match settings.image.as_ref().map(|image| &image.value) {
        Some(ImageSource::Url(url)) => draft.notes.extend(url.note()),
        Some(_) => {}
        None => {
            draft.notes.push(
                "No OS image is named yet: neither root= on the kernel command line nor image.url in the settings so far. \
                 The boot fails unless a later source names one."
                    .to_owned(),
            );
            if settings.demands_signatures() {
                draft.notes.push(
                    "The image that a later source names must have a signed manifest (image.keys)."
                        .to_owned(),
                );
            }
        }
    }
    manifest::read(draft, settings, discovered);
    let layers = layers(settings, discovered, &file);
    let placed = |placement: Placement| layers.iter().any(|layer| layer.placement() == placement);
    if placed(Placement::InPlace) {
        let wait = |layer: &Layer| match layer.source {
            LayerSource::Disk { wait, .. } => wait,
            _ => Duration::ZERO,
        };
        let deadline = behind(layers.iter().map(wait).sum(), 10);
        let find = Action::FindImage { layers: layers.clone() };
        draft.add(Phase::Image, StepId::Find, &needs, find, deadline, OnFailure::Abort);
    } else {
        draft.without(&[StepId::Find], "the image is fetched");
    }
    if placed(Placement::Memory) {
        let fetch = Action::Fetch { layers: layers.clone(), limits: transfer_limits(settings) };
        let (connect, stall) = (settings.image_connect.value, settings.image_stall.value);
        // Each layer has its own request.
        let deadline = Deadline::Stall { first: connect + stall, then: connect + stall };
        let mut needs =
            [&[StepId::Network, StepId::Links, StepId::Manifest], LATE_SETTINGS.as_slice()].concat();
        needs.extend(time::is_awaited(draft, discovered, is_secure(&layers)).then_some(StepId::Time));
        let retry = OnFailure::retry_from(StepId::Network, settings.retry.value);
        draft.add(Phase::Image, StepId::Fetch, &needs, fetch, deadline, retry);
    } else {
        draft.without(&[StepId::Fetch], "the image is on a disk");
    }
    mount(draft, settings, layers, file);
}

/// The layers of the image: those of the manifest, or the one that the settings name.
fn layers(settings: &Settings, discovered: &Discovered, file: &str) -> Vec<Layer> {
    if let Some(url) = settings.manifest() {
        return manifest::layers(discovered, url);
    }
    let source = match settings.image.as_ref().map(|image| &image.value) {
        None => LayerSource::Awaited,
        Some(ImageSource::Url(url)) => LayerSource::Servers(vec![url.clone()]),
        Some(ImageSource::Device { device, live }) => {
            let (device, wait) = (device.clone(), settings.device_wait.value);
            LayerSource::Disk { device, file: live.then(|| file.to_owned()), wait }
        }
        Some(ImageSource::File(path)) => LayerSource::File(path.clone()),
    };
    let integrity =
        settings.image_sha256.as_ref().map_or(Integrity::Unchecked, |sha256| Integrity::Sha256(sha256.value));
    vec![Layer { source, integrity, bytes: None }]
}

/// Whether a layer is fetched over TLS. A redirect to it cannot be known here.
fn is_secure(layers: &[Layer]) -> bool {
    layers.iter().any(|layer| match &layer.source {
        LayerSource::Servers(urls) => urls.iter().any(Url::is_secure),
        // The manifest is awaited, and it waits for the time itself.
        LayerSource::Manifest | LayerSource::Disk { .. } | LayerSource::File(_) | LayerSource::Awaited => {
            false
        }
    })
}

/// Plans the checks of the layers and the mount.
fn mount(draft: &mut Draft, settings: &Settings, layers: Vec<Layer>, file: String) {
    let had = [StepId::Find, StepId::Fetch];
    if layers.iter().any(|layer| layer.integrity != Integrity::Unchecked) {
        let verify = Action::Verify { layers: layers.clone() };
        // The step may have to read a whole disk: in ten minutes, 8 GiB at 14 MB/s.
        draft.add(Phase::Image, StepId::Verify, &had, verify, within(600), OnFailure::Abort);
    } else {
        draft.without(&[StepId::Verify], "the image is booted unchecked");
    }
    // With keys, this image is one that no source has named yet, and it will have a manifest.
    if !settings.demands_signatures() && layers.iter().any(|layer| layer.integrity == Integrity::Unchecked) {
        draft
            .notes
            .push("The image is booted unchecked: no SHA-256 is set (dayfly.image.sha256=).".to_owned());
    }
    let needs = [&[StepId::Modules], had.as_slice(), &[StepId::Verify]].concat();
    let mount = Action::MountImage { layers, file };
    draft.add(Phase::Image, StepId::Image, &needs, mount, within(30), OnFailure::Abort);
}

/// Plans the steps that read the image's settings and find its init.
pub(super) fn contents(draft: &mut Draft, settings: &Gathered, discovered: &Discovered) {
    let mut needs = vec![StepId::Image];
    if discovered.way == Way::Root {
        // This image is mounted before the settings are known.
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
    // This comes before anything of the image is copied to a disk: without an init the image is not an OS.
    let find = Action::FindInit { init: settings.init.as_ref().map(|init| init.value.clone()) };
    // Rules in the image's own settings may need values that no earlier source needed.
    let needs = [StepId::Defaults, StepId::Links, StepId::Name];
    draft.add(Phase::Image, StepId::Init, &needs, find, within(10), OnFailure::Abort);
}
