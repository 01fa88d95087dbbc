//! The manifest of the image: fetched, checked, and the layers that it names.

use super::network::time;
use super::{Draft, EARLY_SETTINGS, LATE_SETTINGS, transfer_limits};
use crate::settings::value::Url;
use crate::settings::{Gathered, Settings};
use crate::{
    Action, Deadline, Discovered, Integrity, Layer, LayerSource, ManifestPlan, NamedImage, OnFailure, Phase,
    StepId,
};

/// The image that the manifest at this URL describes, once it has been read.
fn found<'a>(discovered: &'a Discovered, url: &Url) -> Option<&'a NamedImage> {
    discovered.image.as_ref().filter(|image| image.url == *url)
}

/// The layers that the manifest names; one that stands for all of them until it has been read.
pub(super) fn layers(discovered: &Discovered, url: &Url) -> Vec<Layer> {
    found(discovered, url).map_or_else(
        || vec![Layer { source: LayerSource::Manifest, integrity: Integrity::Manifest, bytes: None }],
        NamedImage::layers,
    )
}

/// Plans the step that reads the manifest.
pub(super) fn read(draft: &mut Draft, settings: &Gathered, discovered: &Discovered) {
    let Some(url) = settings.manifest() else {
        draft.without(&[StepId::Manifest], "the image has no manifest");
        return;
    };
    let plan = ManifestPlan {
        url: url.clone(),
        keys: settings.signing_keys(),
        threshold: if settings.demands_signatures() {
            usize::try_from(settings.image_threshold.value).unwrap_or(usize::MAX)
        } else {
            0
        },
        sha256: settings.image_sha256.as_ref().map(|sha256| sha256.value),
        limits: transfer_limits(settings),
    };
    draft.notes.push(trusted(settings, &plan));
    draft.notes.extend(found(discovered, url).map(|image| format!("The image is {image}.")));
    let (connect, stall) = (settings.image_connect.value, settings.image_stall.value);
    let deadline = Deadline::Stall { first: connect + stall, then: connect + stall };
    let mut needs = [EARLY_SETTINGS.as_slice(), &[StepId::Network], &LATE_SETTINGS].concat();
    needs.extend(time::is_awaited(draft, discovered, url.is_secure()).then_some(StepId::Time));
    let retry = OnFailure::retry_from(StepId::Network, settings.retry.value);
    let read = Action::ReadManifest(Box::new(plan));
    draft.add(Phase::Image, StepId::Manifest, &needs, read, deadline, retry);
}

/// What is trusted, and why.
fn trusted(settings: &Settings, plan: &ManifestPlan) -> String {
    let pinned = match &plan.sha256 {
        Some(sha256) => format!(" and the SHA-256 {}…", sha256.short()),
        None => String::new(),
    };
    let ids: Vec<String> = plan.keys.iter().map(|key| key.id().to_string()).collect();
    match (settings.image_keys.first().map(|key| &key.source), &plan.sha256) {
        (Some(source), _) => format!(
            "Trusted: a manifest signed by {}{} ({source}){pinned}.",
            match (plan.threshold, ids.len()) {
                (1, 1) => String::new(),
                (least, _) => format!("{least} of "),
            },
            ids.join(", ")
        ),
        (None, _) if settings.demands_signatures() => format!(
            "Trusted: nothing. image.threshold asks for {} signatures, and image.keys has no key.",
            plan.threshold
        ),
        (None, Some(sha256)) => {
            format!("Trusted: a manifest with the SHA-256 {}….", sha256.short())
        }
        (None, None) => {
            let server = if plan.url.is_secure() { " Only the server's certificate is checked." } else { "" };
            format!(
                "The image is booted unchecked: its manifest is neither signed (image.keys) nor named by its SHA-256 (image.sha256).{server}"
            )
        }
    }
}
