//! Uevents from netlink and from /sys: a parsed event agrees with its own fields.
#![no_main]

use dayfly_formats::uevent::{parse, parse_file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    if let Some(event) = parse(datagram) {
        assert!(!event.action.is_empty() && event.devpath.starts_with('/'));
        assert!(event.get("ACTION").is_none_or(|action| action == event.action));
        assert_eq!(event.get("SUBSYSTEM").unwrap_or_default(), event.subsystem);
        assert_eq!(event.get("MODALIAS"), event.modalias());
    }
    if let Ok(text) = std::str::from_utf8(datagram) {
        assert!(parse_file(text).iter().all(|(key, _)| !key.is_empty() && !key.contains(['=', '\n'])));
    }
});
