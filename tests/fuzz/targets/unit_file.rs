//! Units: every name that the parser returns is a word of the text, and a comment changes nothing.
#![no_main]

use dayfly_formats::unit_file::Install;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let install = Install::parse(text);
    for name in install.wanted_by.iter().chain(&install.required_by).chain(&install.alias).chain(&install.also) {
        assert!(!name.is_empty() && !name.contains(char::is_whitespace));
        assert!(text.contains(name.as_str()));
    }
    let mut commented = String::from("# a comment\n");
    commented.push_str(text);
    assert_eq!(Install::parse(&commented), install);
});
