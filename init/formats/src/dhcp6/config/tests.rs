use super::*;

fn ip(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn options(list: &[(u16, Vec<u8>)]) -> Options {
    let mut options = Options::new();
    for (code, bytes) in list {
        options.add(*code, bytes.clone());
    }
    options
}

fn bytes(addresses: &[&str]) -> Vec<u8> {
    addresses.iter().flat_map(|address| ip(address).octets()).collect()
}

/// A suboption of option 56.
fn suboption(code: u8, content: &[u8]) -> Vec<u8> {
    [&[0, code, 0, u8::try_from(content.len()).unwrap()], content].concat()
}

#[test]
fn all_of_it() {
    let config = Config6::from_options(&options(&[
        (23, bytes(&["2001:db8::53", "fe80::1", "2001:db8::53"])),
        (24, b"\x03lab\x07example\x00\x07example\x00\x03lab\x07example\x00".to_vec()),
        (56, suboption(1, &ip("2001:db8::123").octets())),
        (56, [suboption(2, &ip("ff05::101").octets()), suboption(3, b"\x04time\x07example\x00")].concat()),
        (31, bytes(&["2001:db8::1"])),
        (39, b"\x00\x05node1".to_vec()),
        (59, b"http://boot.example/node.cfg".to_vec()),
        (9999, vec![1]),
    ]));
    let expected = Config6 {
        dns: vec![ip("2001:db8::53"), ip("fe80::1")],
        search: vec!["lab.example".to_owned(), "example".to_owned()],
        ntp: vec![
            TimeServer::Address(ip("2001:db8::123")),
            TimeServer::Multicast(ip("ff05::101")),
            TimeServer::Name("time.example".to_owned()),
        ],
        hostname: Some("node1".to_owned()),
        boot_file_url: Some("http://boot.example/node.cfg".to_owned()),
        notes: vec![],
    };
    assert_eq!(config, expected);
    assert_eq!(Config6::from_options(&Options::new()), Config6::default());
}

#[test]
fn sntp_servers_stand_in_for_ntp_servers() {
    let list = options(&[(31, bytes(&["2001:db8::1", "2001:db8::2"]))]);
    let servers = [ip("2001:db8::1"), ip("2001:db8::2")].map(TimeServer::Address);
    assert_eq!(Config6::from_options(&list).ntp, servers);
}

#[test]
fn a_name_of_this_host() {
    for (sent, name) in [
        (&b"\x01\x05node1\x07example\x00"[..], Some("node1.example")),
        (b"\x01\x05Node1\x07example", Some("node1.example")),
        (b"\x01", None),
        (b"\x01\x00", None),
        (b"", None),
    ] {
        let config = Config6::from_options(&options(&[(39, sent.to_vec())]));
        assert_eq!((config.hostname.as_deref(), config.notes), (name, vec![]), "{sent:?}");
    }
}

#[test]
fn what_is_unfit_is_left_out_with_a_note() {
    for (code, sent, note) in [
        (23, vec![1; 17], "name server list has a length that is no multiple of 16, ignored"),
        (23, vec![], "name server list has a length that is no multiple of 16, ignored"),
        (23, bytes(&["::"]), "name server :: is no address, ignored"),
        (23, bytes(&["::1"]), "name server ::1 is the loopback address, ignored"),
        (23, bytes(&["ff02::1"]), "name server ff02::1 is a multicast address, ignored"),
        (
            23,
            bytes(&["::ffff:10.0.0.1"]),
            "name server ::ffff:10.0.0.1 is an IPv4 address in the form of IPv6, ignored",
        ),
        (24, b"\x03lab".to_vec(), "search list is cut off within a name, ignored"),
        (
            24,
            b"\x03lab\x00\xc0\x00".to_vec(),
            "search list has a compression pointer, which this list must not have, ignored",
        ),
        (24, b"\x03a b\x00".to_vec(), "search domain \"a?b\" holds '?'; "),
        (31, vec![0; 8], "SNTP server list has a length that is no multiple of 16, ignored"),
        (39, b"\x00\x01a\x00\x01b\x00".to_vec(), "host name option has more than one name, ignored"),
        (39, b"\x00\x07a".to_vec(), "host name option is cut off within a name, ignored"),
        (56, vec![0, 1, 0, 16], "time server option has a suboption that is cut off, ignored"),
        (56, suboption(1, &[1; 4]), "time server option has an address of the wrong length, ignored"),
        (56, suboption(1, &[0; 16]), "time server :: is no address, ignored"),
        (56, suboption(2, &ip("2001:db8::1").octets()), "time server 2001:db8::1 is no multicast address"),
        (56, suboption(3, b"\x01a\x00\x01b\x00"), "time server option has not exactly one name, ignored"),
        (56, suboption(3, b"\x01a"), "time server option is cut off within a name, ignored"),
        (56, suboption(4, b""), "time server option has the unknown suboption 4, ignored"),
        (59, b"http://a b".to_vec(), "boot file URL \"http://a b\" is no URL, ignored"),
        (59, vec![], "boot file URL \"\" is no URL, ignored"),
        (59, b"\x1b[2J".to_vec(), "boot file URL \"\\u{1b}[2J\" is no URL, ignored"),
    ] {
        let config = Config6::from_options(&options(&[(code, sent)]));
        let [told] = config.notes.as_slice() else { panic!("one note for {note}: {config:?}") };
        assert!(told.starts_with(note), "{told}");
        assert_eq!(Config6 { notes: vec![], ..config }, Config6::default(), "{note}");
    }
}

#[test]
fn a_hostile_server_cannot_fill_the_console() {
    let config = Config6::from_options(&options(&vec![(56, vec![0]); 1000]));
    assert_eq!(config.notes.len(), 16);
}
