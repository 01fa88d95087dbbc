//! Any text is a command line; what it says about one key is consistent.
#![no_main]

use dayfly_formats::cmdline::{Cmdline, same_key};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let line = Cmdline::parse(text);
    for word in line.words() {
        assert!(!word.key.is_empty() || word.value.is_some(), "an empty word");
        assert!(same_key(&word.key, &word.key.replace('-', "_")));
        let last = line.last(&word.key).expect("a word that is there is found");
        assert_eq!(line.all(&word.key).last(), Some(last));
        let flag = line.flag(&word.key).expect("a word that is there is a flag");
        if let Err(odd) = flag {
            assert_eq!(last.value.as_deref(), Some(odd.as_str()));
        }
    }
});
