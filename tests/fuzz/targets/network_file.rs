//! Network files: a comment changes nothing, and a file that matches by MAC address matches named interfaces only, or none.
#![no_main]

use dayfly_formats::mac::Mac;
use dayfly_formats::network_file::{Match, Scope};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let found = Match::parse(text);
    if found.has(Mac([2, 0, 0, 0, 0, 7])) {
        assert_ne!(found.scope(), Scope::General);
    }
    let mut commented = String::from("# a comment\n");
    commented.push_str(text);
    assert_eq!(Match::parse(&commented), found);
});
