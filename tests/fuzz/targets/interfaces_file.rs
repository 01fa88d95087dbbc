//! ifupdown's file: a method that the parser returns is a word of the text, and a comment changes nothing.
#![no_main]

use dayfly_formats::interfaces_file::methods;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let found = methods(text, "eth0");
    for method in &found {
        assert!(!method.is_empty() && !method.contains(char::is_whitespace));
    }
    let commented = format!("# a comment\n{text}");
    assert_eq!(methods(&commented, "eth0"), found);
});
