//! With keys, only an image with a signed manifest is booted.

use super::super::wanted::Settings;
use super::problems::refuse;
use crate::settings::ImageSource;
use crate::{Code, Problem, Way};

/// The most keys: a node may ask a server for two files for each of them.
const MOST_KEYS: usize = 16;

/// The problem with an image that has no manifest, or with the number of keys and signatures. `may_grow`: rules may still
/// add keys. Then the step `manifest` refuses a threshold that the keys cannot reach.
pub(super) fn check(settings: &Settings, way: Way, may_grow: bool) -> Option<Problem> {
    let key = settings.image_keys.first();
    let threshold = &settings.image_threshold;
    let keys = settings.signing_keys().len();
    if let Some(key) = key.filter(|_| settings.image_keys.len() > MOST_KEYS) {
        let text =
            format!("image.keys has {} keys; at most {MOST_KEYS} are possible.", settings.image_keys.len());
        return Some(refuse(&key.source, text));
    }
    let is_possible = usize::try_from(threshold.value).is_ok_and(|count| count <= keys);
    if !is_possible && key.is_some() && !may_grow {
        let text = format!(
            "image.threshold asks for {} signatures, but image.keys has {keys} different {}: no image can be booted; add keys, \
             or lower it.",
            threshold.value,
            if keys == 1 { "key" } else { "keys" }
        );
        return Some(refuse(&threshold.source, text));
    }
    // A threshold alone asks for a manifest, too: its keys may come later.
    let (name, source) = match key {
        Some(key) => ("image.keys", &key.source),
        None if settings.demands_signatures() => ("image.threshold", &threshold.source),
        None => return None,
    };
    let unsigned = |of, text: &str| {
        let text =
            format!("{name} is set ({source}), so only an image with a signed manifest is booted, {text}.");
        Some(Problem { code: Code::ImageSignature, ..refuse(of, text) })
    };
    if way == Way::Root {
        return unsigned(
            source,
            "but the image is the root that is already mounted; boot the image by an initramfs",
        );
    }
    let image = settings.image.as_ref()?;
    let but = match &image.value {
        ImageSource::Url(url) if url.is_manifest() => return None,
        ImageSource::Url(url) => {
            format!("but {url} does not name a manifest: its path must end with .json (dayfly image build)")
        }
        ImageSource::Device { device, .. } => format!("but {device} is a disk; use the URL of a manifest"),
        ImageSource::File(path) => {
            format!("but {path} is a file of the initramfs; use the URL of a manifest")
        }
    };
    unsigned(&image.source, &but)
}
