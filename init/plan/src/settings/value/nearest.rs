//! The name that somebody probably meant.

/// Nobody means one of our names with a longer one, and comparing costs time for each letter.
const LONGEST: usize = 64;

/// The candidate with the fewest edits (restricted Damerau–Levenshtein) to `name`, if there are few enough for a slip of the fingers.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let limit = (name.len() / 4).max(2);
    let candidates: Vec<&str> = candidates.collect();
    // A group's name stands for its first setting: `kubelet` for `kubelet.enabled`.
    let group = candidates
        .iter()
        .find(|candidate| candidate.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
    if let Some(first) = group {
        return Some(first);
    }
    candidates
        .into_iter()
        // A difference in length is as many edits.
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= limit)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    let mut last = '\0';
    for (row, l) in left.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, r) in right.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX / 2);
            let mut cost = (at(&above, column) + usize::from(l != *r))
                .min(at(&above, column + 1) + 1)
                .min(at(&current, column) + 1);
            let swapped = column > 0 && row > 0 && last == *r && right.get(column - 1) == Some(&l);
            if swapped {
                cost = cost.min(at(&before, column - 1) + 1);
            }
            current.push(cost);
        }
        before = std::mem::replace(&mut above, current);
        last = l;
    }
    above.last().copied().unwrap_or(usize::MAX)
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
