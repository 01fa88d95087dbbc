use super::*;
use crate::dhcp6::{MessageType, StatusCode};

const IAID: u32 = 0x0012_3456;
const SERVER: [u8; 10] = [0, 3, 0, 1, 2, 0, 0, 0, 0, 1];

fn address(text: &str, preferred: u32, valid: u32) -> IaAddress {
    IaAddress { address: text.parse().unwrap(), preferred, valid, status: None }
}

fn ia(t1: u32, t2: u32, addresses: &[IaAddress]) -> IaNa {
    IaNa { iaid: IAID, t1, t2, addresses: addresses.to_vec(), status: None }
}

fn refused(code: StatusCode) -> Status {
    Status { code, words: "no".to_owned() }
}

fn reply(associations: &[IaNa]) -> Message {
    let mut message = Message::new(MessageType::Reply, 9);
    message.options.add(2, SERVER);
    for association in associations {
        message.options.add(3, association.encode());
    }
    message
}

/// A Reply as dnsmasq writes it, byte by byte.
#[test]
fn a_packet() {
    #[rustfmt::skip]
    let packet = [
        7, 0x12, 0x34, 0x56,
        0, 1, 0, 10, 0, 3, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56,
        0, 2, 0, 10, 0, 3, 0, 1, 2, 0, 0, 0, 0, 1,
        0, 3, 0, 40, 0, 0x12, 0x34, 0x56, 0, 0, 0x07, 0x08, 0, 0, 0x0b, 0x40,
        0, 5, 0, 24, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0x0e, 0x10, 0, 0, 0x1c, 0x20,
        0, 13, 0, 9, 0, 0, b's', b'u', b'c', b'c', b'e', b's', b's',
        0, 23, 0, 16, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    ];
    let message = Message::parse(&packet).unwrap();
    assert_eq!((message.kind, message.xid), (MessageType::Reply, 0x12_3456));
    let expected = Lease6 {
        address: "2001:db8::5".parse().unwrap(),
        preferred: 3600,
        valid: 7200,
        t1: 1800,
        t2: 2880,
        server: "00:03:00:01:02:00:00:00:00:01".to_owned(),
        config: Config6 { dns: vec!["2001:db8::1".parse().unwrap()], ..Config6::default() },
        raw: packet.to_vec(),
    };
    assert_eq!(Lease6::from_message(&message, IAID), Ok(expected));
}

#[test]
fn times_that_the_server_leaves_to_the_client() {
    const EVER: u32 = u32::MAX;
    for (sent, preferred, expected) in [
        ((0, 0), 1000, (500, 800)),
        ((0, 0), 7, (3, 5)),
        ((0, 0), 1, (0, 0)),
        ((0, 0), EVER, (EVER, EVER)),
        ((100, 0), 1000, (100, 800)),
        ((900, 0), 1000, (900, 900)),
        ((0, 300), 1000, (300, 300)),
        ((0, 900), 1000, (500, 900)),
        ((10, 20), 1000, (10, 20)),
        ((20, 20), 1000, (20, 20)),
    ] {
        let message = reply(&[ia(sent.0, sent.1, &[address("2001:db8::5", preferred, EVER)])]);
        let lease = Lease6::from_message(&message, IAID).unwrap();
        assert_eq!((lease.t1, lease.t2), expected, "{sent:?} of {preferred}");
    }
}

#[test]
fn the_first_usable_address_is_taken() {
    let mut elsewhere = address("2001:db8::1", 60, 60);
    elsewhere.status = Some(refused(StatusCode::NotOnLink));
    let other = IaNa { iaid: 1, ..ia(0, 0, &[address("2001:db8::99", 60, 60)]) };
    let offered = [
        address("fe80::5", 60, 60),
        elsewhere,
        address("2001:db8::2", 0, 60),
        address("2001:db8::3", 61, 60),
        address("2001:db8::4", 60, 60),
        address("2001:db8::5", 60, 60),
    ];
    let lease = Lease6::from_message(&reply(&[other, ia(0, 0, &offered)]), IAID).unwrap();
    assert_eq!(lease.address.to_string(), "2001:db8::4");
    assert_eq!(
        lease.config.notes,
        [
            "the address fe80::5 is a link-local address, which no server gives, ignored",
            "the address 2001:db8::1 is refused: NotOnLink (\"no\"), ignored",
            "the address 2001:db8::2 has a lifetime of 0 seconds, ignored",
            "the address 2001:db8::3 is preferred for longer than it is valid, ignored",
            "the address 2001:db8::5 comes after 2001:db8::4, which is enough, ignored",
        ]
    );
}

#[test]
fn answers_that_grant_nothing() {
    let usable = ia(0, 0, &[address("2001:db8::5", 60, 60)]);
    let mut no_server = Message::new(MessageType::Reply, 9);
    no_server.options.add(3, usable.encode());
    let mut short_server = no_server.clone();
    short_server.options.add(2, [0, 3]);
    let mut status = reply(std::slice::from_ref(&usable));
    refused(StatusCode::UseMulticast).add_to(&mut status.options);
    let mut broken_status = reply(std::slice::from_ref(&usable));
    broken_status.options.add(13, [0]);
    let mut broken = reply(&[]);
    broken.options.add(3, IAID.to_be_bytes());
    let full = IaNa { status: Some(refused(StatusCode::NoAddrsAvail)), ..ia(0, 0, &[]) };
    for (message, error) in [
        (no_server, "the server gives no usable server identifier (option 2)"),
        (short_server, "the server gives no usable server identifier (option 2)"),
        (status, "the server says UseMulticast (\"no\")"),
        (broken_status, "the answer has a status without a code"),
        (reply(&[]), "the answer has no addresses (IA_NA) for the IAID 00123456"),
        (reply(&[IaNa { iaid: 7, ..usable }]), "the answer has no addresses (IA_NA) for the IAID 00123456"),
        (broken, "the answer's list of addresses (IA_NA) is too short"),
        (reply(&[full]), "the server says NoAddrsAvail (\"no\")"),
        (
            reply(&[ia(20, 10, &[address("2001:db8::5", 60, 60)])]),
            "the answer's T1 of 20 s is after its T2 of 10 s",
        ),
        (reply(&[ia(0, 0, &[])]), "the answer has no address"),
        (
            reply(&[ia(0, 0, &[address("ff02::1", 60, 60)])]),
            "the answer has no usable address: the address ff02::1 is a multicast address",
        ),
    ] {
        assert_eq!(Lease6::from_message(&message, IAID).unwrap_err().to_string(), error);
    }
}

#[test]
fn information() {
    for (refresh, expected) in [
        (None, 86_400),
        (Some(vec![0, 0, 0, 1]), 600),
        (Some(vec![0, 0, 14, 16]), 3600),
        (Some(vec![0xff; 4]), u32::MAX),
        (Some(vec![1, 2, 3]), 86_400),
    ] {
        let mut message = reply(&[]);
        message.options.add(59, *b"tftp://[2001:db8::1]/x");
        if let Some(bytes) = refresh {
            message.options.add(32, bytes);
        }
        let information = Information6::from_message(&message).unwrap();
        assert_eq!(information.refresh, expected);
        assert_eq!(information.server, "00:03:00:01:02:00:00:00:00:01");
        assert_eq!(information.config.boot_file_url.as_deref(), Some("tftp://[2001:db8::1]/x"));
        assert_eq!(information.raw, message.encode());
    }
    let mut message = reply(&[]);
    refused(StatusCode::UnspecFail).add_to(&mut message.options);
    assert_eq!(
        Information6::from_message(&message),
        Err(AnswerError::Refused(refused(StatusCode::UnspecFail)))
    );
    assert_eq!(Information6::from_message(&Message::new(MessageType::Reply, 9)), Err(AnswerError::Server));
}
