//! `ip=`: an accepted value prints as text with the same meaning, and each field keeps its invariants.
#![no_main]

use dayfly_formats::ip::{IpArg, Method};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match text.parse::<IpArg>() {
        Ok(arg) => {
            let shown = arg.to_string();
            assert_eq!(shown.parse(), Ok(arg.clone()), "{shown}");
            if arg.client.is_some() {
                assert_eq!(arg.method, Method::Off);
                assert!(arg.prefix.is_some());
            }
            assert!(
                arg.iface.is_none_or(|name| (1..=15).contains(&name.len()) && !name.contains(['/', ' ']))
            );
            assert!(arg.prefix.is_none_or(|prefix| (1..=128).contains(&prefix)));
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    }
});
