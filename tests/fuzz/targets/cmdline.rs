//! Any text is a command line; all queries about one key agree.
#![no_main]

use dayfly_formats::cmdline::{Cmdline, same_key};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let line = Cmdline::parse(text);
    for word in line.words() {
        assert!(!word.key.is_empty() || word.value.is_some(), "an empty word");
        assert!(same_key(&word.key, &word.key.replace('-', "_")));
        let last = line.last(&word.key).expect("an existing word is found");
        assert!(same_key(&last.key, &word.key));
    }
});
