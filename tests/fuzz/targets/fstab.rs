//! fstab files: a rewritten one has the same entries, except for the removed ones, and entries to be read-only are read-only.
#![no_main]

use dayfly_formats::fstab::{Fate, entries, rewrite};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let places: Vec<String> = entries(text).map(|entry| entry.place.into_owned()).collect();
    assert_eq!(rewrite(text, |_| Fate::Stay), None);
    let fate = |place: &str| match place.len() % 3 {
        0 => Fate::Stay,
        1 => Fate::Leave("reason"),
        _ => Fate::ReadOnly("reason"),
    };
    let new = rewrite(text, |entry| fate(&entry.place)).unwrap_or_else(|| text.to_vec());
    let stayed: Vec<&String> = places.iter().filter(|place| !matches!(fate(place), Fate::Leave(_))).collect();
    let found: Vec<_> = entries(&new).collect();
    assert_eq!(found.iter().map(|entry| &*entry.place).collect::<Vec<_>>(), stayed);
    for entry in found {
        if matches!(fate(&entry.place), Fate::ReadOnly(_)) {
            assert_eq!(entry.options.rsplit(',').next(), Some("ro"));
        }
    }
});
