use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// An option, padded with zeros to whole units.
fn option(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = [&[kind, 0], body].concat();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes[1] = u8::try_from(bytes.len() / 8).unwrap();
    bytes
}

fn rdnss(lifetime: u32, addresses: &[Ipv6Addr]) -> Vec<u8> {
    let addresses: Vec<u8> = addresses.iter().flat_map(Ipv6Addr::octets).collect();
    option(25, &[&[0, 0], &lifetime.to_be_bytes()[..], &addresses].concat())
}

fn dnssl(lifetime: u32, names: &[u8]) -> Vec<u8> {
    option(31, &[&[0, 0], &lifetime.to_be_bytes()[..], names].concat())
}

fn pref64(lifetime_and_code: u16, prefix: &str) -> Vec<u8> {
    option(38, &[&lifetime_and_code.to_be_bytes()[..], &ip(prefix).octets()[..12]].concat())
}

/// The options of an advertisement as radvd writes them, byte by byte.
#[test]
fn a_packet() {
    #[rustfmt::skip]
    let bytes = [
        25, 3, 0, 0, 0, 0, 0x02, 0x58, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53,
        31, 3, 0, 0, 0, 0, 0x02, 0x58, 3, b'l', b'a', b'b', 7, b'e', b'x', b'a', b'm', b'p', b'l', b'e', 0, 0, 0, 0,
        37, 2, b'h', b't', b't', b'p', b's', b':', b'/', b'/', b'p', b'o', b'r', b't', b'a', b'l',
        38, 2, 0x07, 0x08, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let expected = NdOptions {
        dns: vec![(ip("2001:db8::53"), 600)],
        search: vec![("lab.example".to_owned(), 600)],
        pref64: Some((ip("64:ff9b::"), 96)),
        notes: vec![],
    };
    assert_eq!(parse(&bytes), expected);
    assert_eq!(parse(&[]), NdOptions::default());
}

#[test]
fn later_lifetimes_count() {
    let (one, two) = (ip("fe80::1"), ip("2001:db8::53"));
    let bytes = [
        rdnss(600, &[one, two]),
        rdnss(0, &[one]),
        dnssl(u32::MAX, b"\x01a\x00\x01b\x00"),
        dnssl(5, b"\x01b\x00"),
    ];
    let found = parse(&bytes.concat());
    assert_eq!(found.dns, [(one, 0), (two, 600)]);
    assert_eq!(found.search, [("a".to_owned(), u32::MAX), ("b".to_owned(), 5)]);
    assert_eq!(found.notes, [""; 0]);
}

#[test]
fn prefixes_of_every_length() {
    for (code, length, prefix) in [
        (0, 96, "2001:db8:ffff:ffff:ff:ffff::"),
        (1, 64, "2001:db8:ffff:ffff::"),
        (2, 56, "2001:db8:ffff:ff00::"),
        (3, 48, "2001:db8:ffff::"),
        (4, 40, "2001:db8:ff00::"),
        (5, 32, "2001:db8::"),
    ] {
        let found = parse(&pref64((1 << 3) | code, "2001:db8:ffff:ffff:ff:ffff:ffff:ffff"));
        assert_eq!(found.pref64, Some((ip(prefix), length)), "{code}");
    }
    let two = [pref64(8, "64:ff9b::"), pref64(8, "2001:db8::")].concat();
    assert_eq!(parse(&two).pref64, Some((ip("64:ff9b::"), 96)), "the first of two");
}

#[test]
fn what_is_unfit_is_left_out_with_a_note() {
    let router = ip("2001:db8::53");
    for (bytes, note) in [
        (option(25, &[0; 6]), "name server option has a length that holds no addresses, ignored"),
        (option(25, &[0; 14]), "name server option has a length that holds no addresses, ignored"),
        (option(25, &[1; 30]), "name server option has a length that holds no addresses, ignored"),
        (rdnss(9, &[Ipv6Addr::UNSPECIFIED]), "name server :: is no address, ignored"),
        (rdnss(9, &[ip("ff02::1")]), "name server ff02::1 is a multicast address, ignored"),
        (option(31, &[0; 6]), "search list option is too short, ignored"),
        (dnssl(9, b"\x09lab"), "search list is cut off within a name, ignored"),
        (
            dnssl(9, b"\x03lab\x00\xc0\x00"),
            "search list has a compression pointer, which this list must not have, ignored",
        ),
        (dnssl(9, b"\x03-ab\x00"), "search domain \"-ab\" "),
        (option(38, &[0; 22]), "NAT64 prefix option has not the length of 16 bytes, ignored"),
        (option(38, &[0; 6]), "NAT64 prefix option has not the length of 16 bytes, ignored"),
        (pref64(14, "64:ff9b::"), "NAT64 prefix option has the unknown length code 6, ignored"),
        (pref64(15, "64:ff9b::"), "NAT64 prefix option has the unknown length code 7, ignored"),
        (pref64(8, "::"), "NAT64 prefix ::/96 is no address, ignored"),
        (pref64(0, "64:ff9b::"), "NAT64 prefix 64:ff9b::/96 is withdrawn, ignored"),
    ] {
        let found = parse(&bytes);
        let [told] = found.notes.as_slice() else { panic!("one note for {note}: {found:?}") };
        assert!(told.starts_with(note), "{told}");
        assert_eq!(NdOptions { notes: vec![], ..found }, NdOptions::default(), "{note}");
        // An option that is unfit leaves the others alone.
        let more = parse(&[bytes, rdnss(9, &[router])].concat());
        assert_eq!(more.dns, [(router, 9)], "{note}");
    }
    // Padding only: no names.
    assert_eq!(parse(&dnssl(9, &[0; 8])), NdOptions::default());
}

#[test]
fn a_wrong_length_spoils_all() {
    let good = rdnss(9, &[ip("2001:db8::53")]);
    for tail in [&[25, 0, 0, 0, 0, 0, 0, 0][..], &[1], &[31, 2, 0, 0, 0, 0, 0, 0], &[200, 0]] {
        let found = parse(&[&good, tail].concat());
        let note = "router advertisement has an option of a wrong length, ignored".to_owned();
        assert_eq!(found, NdOptions { notes: vec![note], ..NdOptions::default() }, "{tail:?}");
    }
}

proptest! {
    #[test]
    fn all_that_is_written_is_read(
        servers in proptest::collection::btree_map(0x2001_0000_0000_0000u64.., 0u32.., 0..20),
        names in proptest::collection::btree_map("[a-z]{1,20}(\\.[a-z]{1,20}){0,3}", 0u32.., 0..20),
    ) {
        let dns: Vec<_> =
            servers.into_iter().map(|(high, lifetime)| (Ipv6Addr::from_bits((u128::from(high & 0x3fff_ffff_ffff_ffff) << 64) | 1), lifetime)).collect();
        let mut unique = dns.clone();
        unique.sort();
        unique.dedup_by_key(|(address, _)| *address);
        prop_assume!(unique.len() == dns.len());
        let search: Vec<_> = names.into_iter().collect();
        let mut bytes = Vec::new();
        for (address, lifetime) in &dns {
            bytes.extend(rdnss(*lifetime, &[*address]));
        }
        for (name, lifetime) in &search {
            let mut wire = domain_names::encode(name);
            wire.push(0);
            bytes.extend(dnssl(*lifetime, &wire));
        }
        prop_assert_eq!(parse(&bytes), NdOptions { dns, search, pref64: None, notes: vec![] });
    }

    #[test]
    fn no_bytes_panic(
        options in proptest::collection::vec(
            (prop_oneof![Just(25u8), Just(31), Just(38), any::<u8>()], proptest::collection::vec(any::<u8>(), 0..60)), 0..10,
        ),
        cut in 0usize..200,
    ) {
        let mut bytes: Vec<u8> = options.iter().flat_map(|(kind, body)| option(*kind, body)).collect();
        bytes.truncate(cut);
        let found = parse(&bytes);
        for text in found.search.iter().map(|(name, _)| name).chain(&found.notes) {
            prop_assert!(!text.contains(char::is_control), "{text:?}");
        }
        prop_assert!(found.dns.iter().all(|(address, _)| !address.is_multicast()));
    }
}
