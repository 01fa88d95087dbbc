//! Suggestions for misspelled names of settings.

use dayfly_formats::nearest::within;

/// The candidate with the smallest edit distance to `name`, if it is small enough for a typo.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.len() / 4).max(2);
    let candidates: Vec<&str> = candidates.collect();
    // A group's name suggests its first setting: `kubelet` suggests `kubelet.enabled`.
    let group = candidates
        .iter()
        .find(|candidate| candidate.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
    if let Some(first) = group {
        return Some(first);
    }
    within(name, candidates.into_iter(), limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_was_probably_meant() {
        let names = ["image.url", "image.sha256", "state.device", "hostname"];
        for (typed, meant) in [
            ("image.sha265", Some("image.sha256")),
            ("image.hsa256", Some("image.sha256")),
            ("imageurl", Some("image.url")),
            ("state.devise", Some("state.device")),
            ("hostnmae", Some("hostname")),
            ("completely.different", None),
            ("state", Some("state.device")),
            (&"image.url".repeat(100), None),
        ] {
            assert_eq!(nearest(typed, names.into_iter()), meant, "{typed}");
        }
    }
}
