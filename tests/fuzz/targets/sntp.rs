//! SNTP replies: no bytes cause a panic, and only a reply to this request is accepted.
#![no_main]

use std::time::Duration;

use dayfly_formats::sntp::Reply;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(random) = bytes.get(24..32).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()) else { return };
    if let Ok(reply) = Reply::parse(bytes, random) {
        assert!((1..=15).contains(&reply.stratum));
        assert!(reply.time_at_arrival(Duration::from_secs(2)) >= reply.sent);
        let other = random.map(|byte| !byte);
        assert!(Reply::parse(bytes, other).is_err());
    }
});
