//! Invalid values in a lease: the value is left out, or the whole lease is refused.

use super::*;

#[test]
fn what_is_unfit_is_left_out_and_told() {
    let class =
        |class: u8, address: &str| format!("no subnet mask, /{class} assumed for the class of {address}");
    let routes_cut = "classless routes are cut off or have a prefix over 32, ignored";
    for (change, note) in [
        ((1, None), class(8, "10.0.0.5").as_str()),
        (
            (1, Some(&[255, 0, 255, 0][..])),
            "subnet mask [255, 0, 255, 0] is invalid, /8 assumed for the class of 10.0.0.5",
        ),
        (
            (1, Some(&[0, 0, 0, 0])),
            "subnet mask [0, 0, 0, 0] is invalid, /8 assumed for the class of 10.0.0.5",
        ),
        ((1, Some(&[255])), "subnet mask [255] is invalid, /8 assumed for the class of 10.0.0.5"),
        ((3, Some(&[10, 0, 0, 5])), "router 10.0.0.5 is this host's own address, ignored"),
        ((3, Some(&[0, 0, 0, 0])), "router 0.0.0.0 is not an address, ignored"),
        ((3, Some(&[10, 0, 0])), "router list has a length that is not a multiple of 4, ignored"),
        ((3, Some(&[])), "router list has a length that is not a multiple of 4, ignored"),
        ((6, Some(&[127, 0, 0, 1])), "name server 127.0.0.1 is a loopback address, ignored"),
        ((6, Some(&[224, 0, 0, 1])), "name server 224.0.0.1 is a multicast address, ignored"),
        (
            (6, Some(&[0, 0, 0, 1])),
            "name server 0.0.0.1 is in 0.0.0.0/8, which is not valid for a host, ignored",
        ),
        ((6, Some(&[250; 4])), "name server 250.250.250.250 is in 240.0.0.0/4, which is reserved, ignored"),
        (
            (12, Some(b"a\nnameserver 6.6.6.6")),
            "host name \"a\\nnameserver 6.6.6.6\" holds '\\n'; letters, digits, \"-\" and \".\" are possible, ignored",
        ),
        (
            (12, Some(&[b'a'; 64])),
            &format!("host name \"{}\" has 64 bytes, at most 63 are possible, ignored", "a".repeat(64)),
        ),
        (
            (15, Some(b"example.org other.org")),
            "domain \"example.org other.org\" holds ' '; letters, digits, \"-\" and \".\" are possible, ignored",
        ),
        (
            (15, Some(b"\xff")),
            "domain \"\u{fffd}\" holds '\u{fffd}'; letters, digits, \"-\" and \".\" are possible, ignored",
        ),
        ((26, Some(&[2, 63])), "MTU 575 is below 576, ignored"),
        ((26, Some(&[0, 68])), "MTU 68 is below 576, ignored"),
        ((26, Some(&[0, 0])), "MTU 0 is below 576, ignored"),
        ((26, Some(&[0, 0, 5, 220])), "MTU is not a number of 2 bytes, ignored"),
        ((3, Some(&[10, 0, 0, 0])), "router 10.0.0.0 is the network address of this host's network, ignored"),
        (
            (3, Some(&[10, 0, 0, 255])),
            "router 10.0.0.255 is the broadcast address of this host's network, ignored",
        ),
        ((3, Some(&[127, 0, 0, 1])), "router 127.0.0.1 is a loopback address, ignored"),
        ((6, Some(&[0; 4])), "name server 0.0.0.0 is not an address, ignored"),
        ((6, Some(&[255; 4])), "name server 255.255.255.255 is the broadcast address, ignored"),
        ((6, Some(&[])), "name server list has a length that is not a multiple of 4, ignored"),
        (
            (121, Some(&[8, 127, 10, 0, 0, 1])),
            "route 127.0.0.0/8 via 10.0.0.1 ignored: 127.0.0.0/8 is this host itself",
        ),
        (
            (121, Some(&[32, 127, 0, 0, 53, 10, 0, 0, 1])),
            "route 127.0.0.53/32 via 10.0.0.1 ignored: 127.0.0.0/8 is this host itself",
        ),
        (
            (121, Some(&[4, 224, 10, 0, 0, 1])),
            "route 224.0.0.0/4 via 10.0.0.1 ignored: 224.0.0.0/4 is multicast",
        ),
        (
            (121, Some(&[3, 224, 0, 0, 0, 0])),
            "route 224.0.0.0/3 on the link ignored: 224.0.0.0/4 is multicast",
        ),
        (
            (121, Some(&[32, 255, 255, 255, 255, 0, 0, 0, 0])),
            "route 255.255.255.255/32 on the link ignored: 240.0.0.0/4 is reserved",
        ),
        (
            (121, Some(&[8, 0, 10, 0, 0, 1])),
            "route 0.0.0.0/8 via 10.0.0.1 ignored: 0.0.0.0/8 is not valid for hosts",
        ),
        (
            (121, Some(&[0, 10, 0, 0, 5])),
            "route 0.0.0.0/0 via 10.0.0.5 ignored: its router is this host's own address",
        ),
        (
            (121, Some(&[0, 10, 0, 0, 255])),
            "route 0.0.0.0/0 via 10.0.0.255 ignored: its router is the broadcast address of this host's network",
        ),
        ((121, Some(&[0])), routes_cut),
        ((26, Some(&[2])), "MTU is not a number of 2 bytes, ignored"),
        (
            (119, Some(b"\xc0\x00")),
            "search list has a compression pointer that does not lead backwards, ignored",
        ),
        (
            (119, Some(b"\x03a b\x00")),
            "search domain \"a?b\" holds '?'; letters, digits, \"-\" and \".\" are possible, ignored",
        ),
        ((121, Some(&[24, 10, 0, 0, 10, 0, 0])), routes_cut),
        ((121, Some(&[33, 10, 0, 0, 0, 0, 10, 0, 0, 1])), routes_cut),
        ((121, Some(&[24, 10])), routes_cut),
        (
            (121, Some(&[8, 10, 224, 0, 0, 1])),
            "route 10.0.0.0/8 via 224.0.0.1 ignored: its router is a multicast address",
        ),
        (
            (58, Some(&[0, 0, 14, 17])),
            "renewal after 3601 s and rebinding after 3150 s do not fit a lease of 3600 s, \
                                      using 1800 s and 3150 s",
        ),
        (
            (59, Some(&[0, 0, 14, 17])),
            "renewal after 1800 s and rebinding after 3601 s do not fit a lease of 3600 s, \
                                      using 1800 s and 3150 s",
        ),
    ] {
        let prefix = if change.0 == 1 { 8 } else { 24 };
        assert_eq!(lease(&[change]), Lease { prefix, notes: vec![note.to_owned()], ..plain() }, "{change:?}");
    }
}

#[test]
fn servers_that_lie_are_refused() {
    for (address, server, mask, error) in [
        ("0.0.0.0", Some("10.0.0.1"), 24, "the address given, 0.0.0.0, is not an address"),
        (
            "255.255.255.255",
            Some("10.0.0.1"),
            24,
            "the address given, 255.255.255.255, is the broadcast address",
        ),
        ("224.0.0.5", Some("10.0.0.1"), 24, "the address given, 224.0.0.5, is a multicast address"),
        ("127.0.0.1", Some("10.0.0.1"), 24, "the address given, 127.0.0.1, is a loopback address"),
        (
            "0.1.2.3",
            Some("10.0.0.1"),
            24,
            "the address given, 0.1.2.3, is in 0.0.0.0/8, which is not valid for a host",
        ),
        (
            "245.1.2.3",
            Some("10.0.0.1"),
            24,
            "the address given, 245.1.2.3, is in 240.0.0.0/4, which is reserved",
        ),
        (
            "10.0.0.0",
            Some("10.0.0.1"),
            24,
            "the address given, 10.0.0.0, is the network address of its own /24",
        ),
        (
            "10.0.0.3",
            Some("10.0.0.1"),
            30,
            "the address given, 10.0.0.3, is the broadcast address of its own /30",
        ),
        ("10.0.0.1", Some("10.0.0.1"), 24, "the address given, 10.0.0.1, is the server's own"),
        ("10.0.0.5", None, 24, "the server gives no server identifier (option 54)"),
        ("10.0.0.5", Some("0.0.0.0"), 24, "the server identifier 0.0.0.0 is not an address"),
        (
            "10.0.0.5",
            Some("255.255.255.255"),
            24,
            "the server identifier 255.255.255.255 is the broadcast address",
        ),
    ] {
        let server = server.map(|server| v4(server).octets());
        let mask = (u32::MAX << (32 - mask)).to_be_bytes();
        let message = Message {
            yiaddr: v4(address),
            ..ack(&[(54, server.as_ref().map(<[u8; 4]>::as_slice)), (1, Some(&mask))])
        };
        assert_eq!(Lease::from_message(&message).unwrap_err().to_string(), error);
    }
    let error = Lease::from_message(&ack(&[(51, Some(&[0; 4]))])).unwrap_err();
    assert_eq!(error.to_string(), "the lease time is 0 seconds");
    for (address, mask) in
        [("10.0.0.0", [255, 255, 255, 254]), ("10.0.0.3", [255, 255, 255, 254]), ("10.0.0.0", [255; 4])]
    {
        let message = Message { yiaddr: v4(address), ..ack(&[(1, Some(&mask))]) };
        assert!(Lease::from_message(&message).is_ok(), "{address} {mask:?}");
    }
}

#[test]
fn notes_are_bounded() {
    let many: Vec<u8> = [127, 0, 0, 1].repeat(60);
    assert_eq!(lease(&[(6, Some(&many))]).notes.len(), 16);
}

#[test]
fn of_a_long_text_the_start_is_told() {
    let told = crate::field::quoted(&"a\n".repeat(40));
    assert_eq!(told, format!("\"{}\"…", "a\\n".repeat(32)));
}
