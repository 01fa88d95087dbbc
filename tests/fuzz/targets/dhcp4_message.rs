//! DHCP messages: a message that can be read can be written and read again, and a lease has only text that is safe in files.
#![no_main]

use dayfly_formats::dhcp4::{Lease, Message};
use dayfly_formats::hostname;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    let Ok(message) = Message::parse(payload) else { return };
    assert_eq!(Message::parse(&message.encode()), Ok(message.clone()));
    let Ok(lease) = Lease::from_message(&message) else { return };
    assert!((1..=32).contains(&lease.prefix));
    assert!(lease.renew_seconds <= lease.rebind_seconds && lease.rebind_seconds <= lease.lease_seconds);
    assert!(lease.routes.is_empty() || lease.routers.is_empty());
    assert!(lease.hostname.is_none_or(|name| hostname::check(&name).is_ok()));
    for name in lease.domain.iter().chain(&lease.search) {
        assert_eq!(hostname::check_domain(name), Ok(()));
    }
    for text in &lease.notes {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
});
