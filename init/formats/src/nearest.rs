//! The nearest of several known words, as a suggestion for a misspelled one.

/// Longer words are not compared: they are no typing mistake, and the comparison takes time for each letter.
const LONGEST: usize = 64;

/// The candidate that differs from `word` by at most one letter in four, and by at most two in all. Two letters in the wrong
/// order count as one difference.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    within(word, candidates, (word.len() / 4).clamp(1, 2))
}

/// The candidate with the smallest edit distance (restricted Damerau–Levenshtein) to `word`, if that is within the limit.
pub fn within<'a>(word: &str, candidates: impl Iterator<Item = &'a str>, limit: usize) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    candidates
        // The distance is at least the difference in length.
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= limit)
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_word_has_one_mistake_at_most() {
        let words = ["bond", "vlan", "active-backup", "on"];
        for (typed, meant) in [
            ("bnod", Some("bond")),
            ("bonds", Some("bond")),
            ("vlan", Some("vlan")),
            ("bnds", None),
            ("en0", None),
            ("activebackup", Some("active-backup")),
            ("activ_backup", Some("active-backup")),
            ("", None),
            (&"bond".repeat(20), None),
        ] {
            assert_eq!(nearest(typed, words.into_iter()), meant, "{typed}");
        }
    }
}
