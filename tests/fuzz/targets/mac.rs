//! MAC addresses and `BOOTIF=`: an accepted text prints as the same address.
#![no_main]

use dayfly_formats::mac::Mac;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for read in [text.parse::<Mac>(), Mac::from_bootif(text)] {
        match read {
            Ok(mac) => assert_eq!(mac.to_string().parse(), Ok(mac)),
            Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
        }
    }
});
