//! The record of the last boot: what is accepted is limited, and is the same after it was written and parsed again.
#![no_main]

use dayfly_formats::last_boot::{LastBoot, MOST_BYTES, MOST_LEASES};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match LastBoot::parse(bytes) {
        Ok(found) => {
            assert!(bytes.len() <= MOST_BYTES && found.leases.len() <= MOST_LEASES);
            for lease in &found.leases {
                assert_eq!(found.address(lease.mac, lease.created.as_deref()), Some(lease.address));
            }
            assert_eq!(LastBoot::parse(found.encode().as_bytes()), Ok(found));
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
});
