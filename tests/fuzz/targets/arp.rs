//! ARP packets: what is read can be written and read again, and a conflict is never with this host itself.
#![no_main]

use dayfly_formats::arp::Arp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|packet: &[u8]| {
    if let Ok(arp) = Arp::parse(packet) {
        assert_eq!(arp.encode(), packet[..28]);
        assert_eq!(arp.conflict(arp.sender_mac, arp.sender), None);
    }
});
