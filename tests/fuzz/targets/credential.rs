//! Credentials in OEM strings: an accepted one has a name that systemd accepts, and an error contains no part of the value.
#![no_main]

use dayfly_formats::credential::{Credential, check_name};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|string: &[u8]| {
    // With the prefix every input reaches the parser; without it the fuzzer would have to find the prefix.
    for prefix in ["", "io.systemd.credential:", "io.systemd.credential.binary:"] {
        let string = [prefix.as_bytes(), string].concat();
        match Credential::from_oem_string(&string) {
            None => assert!(!string.starts_with(b"io.systemd.credential:")),
            Some(Ok(found)) => {
                assert_eq!(check_name(&found.name), Ok(()));
                assert!(found.value.len() < string.len());
                let again = [b"io.systemd.credential:", found.name.as_bytes(), b"=", &found.value].concat();
                assert_eq!(Credential::from_oem_string(&again), Some(Ok(found)));
            }
            Some(Err(error)) => assert!(!error.to_string().contains(|c: char| c.is_control() || !c.is_ascii())),
        }
    }
});
