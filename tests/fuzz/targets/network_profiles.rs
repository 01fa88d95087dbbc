//! Configurations of network services: a comment changes nothing, and a profile for no interface is for no interface.
#![no_main]

use dayfly_formats::mac::Mac;
use dayfly_formats::nm_keyfile::Profile;
use dayfly_formats::{dhcpcd_conf, netifrc_conf};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let commented = format!("# a comment\n{text}");
    let profile = Profile::parse(text);
    assert_eq!(Profile::parse(&commented), profile);
    assert!(!profile.is_for(&[], None));
    profile.is_for(&["eth0".to_owned()], Some(Mac([2, 0, 0, 0, 0, 7])));
    assert_eq!(dhcpcd_conf::has_interface(&commented, "eth0"), dhcpcd_conf::has_interface(text, "eth0"));
    assert_eq!(netifrc_conf::method(&commented, "eth0"), netifrc_conf::method(text, "eth0"));
});
