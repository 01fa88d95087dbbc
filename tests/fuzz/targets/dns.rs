//! Answers of name servers, and the files that name servers are read from: any address has the requested family.
#![no_main]

use std::net::IpAddr;

use dayfly_formats::dns::{self, Family, Said};
use dayfly_formats::resolv_conf::{self, ResolvConf};
use dayfly_formats::scoped;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for family in [Family::V4, Family::V6] {
        let Some(question) = dns::query(7, "boot.example.com", family) else { unreachable!("it is a name") };
        let mut answer = question.clone();
        answer.extend_from_slice(bytes);
        if let [_, _, flags, _, _, _, _, count, ..] = answer.as_mut_slice() {
            (*flags, *count) = (0x81, 3);
        }
        for message in [bytes, &answer] {
            if let Ok(Said::Addresses(found)) = dns::parse(message, 7, "boot.example.com", family) {
                assert!(!found.is_empty());
                assert!(found.iter().all(|address| address.is_ipv4() == (family == Family::V4)));
            }
        }
    }
    let text = String::from_utf8_lossy(bytes);
    let conf = ResolvConf::parse(&text);
    assert!(conf.servers.len() <= 8 && conf.candidates("boot").len() <= 7);
    for server in &conf.servers {
        assert_eq!(server.to_string().parse().as_ref(), Ok(server));
        assert_eq!(server.interface.is_some(), scoped::is_link_local(server.address));
    }
    if let Some((before, zone, after)) = scoped::split_url(&text) {
        assert!(before.len() + zone.len() + after.len() < text.len() && after.starts_with(']'));
    }
    let _: Vec<IpAddr> = resolv_conf::hosts(&text, "boot");
});
