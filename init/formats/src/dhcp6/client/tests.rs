mod servers;
mod simulation;

use super::*;
use crate::dhcp6::{IaAddress, IaNa, Status, StatusCode};
use crate::mac::Mac;

const MAC: Mac = Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
const IAID: u32 = 0x0012_3456;
const ONE: [u8; 10] = [0, 3, 0, 1, 2, 0, 0, 0, 0, 1];
const TWO: [u8; 10] = [0, 3, 0, 1, 2, 0, 0, 0, 0, 2];
const ONE_TEXT: &str = "00:03:00:01:02:00:00:00:00:01";
const TWO_TEXT: &str = "00:03:00:01:02:00:00:00:00:02";
const ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 5);

fn seconds(number: f64) -> Duration {
    Duration::from_secs_f64(number)
}

fn since(now: Duration, then: Duration) -> f64 {
    now.as_secs_f64() - then.as_secs_f64()
}

/// A client and the clock it is run by.
struct Wire {
    client: Client,
    now: Duration,
}

impl Wire {
    fn new(want: Want) -> Wire {
        let client = Client::new(Duid::from_mac(MAC), want, Some("node1".to_owned()), 42);
        Wire { client, now: seconds(100.0) }
    }

    fn for_address() -> Wire {
        Wire::new(Want::Address { iaid: IAID })
    }

    /// Sleeps to the next wake-up and gives what is sent then, after checking that nothing was due before.
    fn next(&mut self) -> Message {
        let due = self.client.next_wakeup();
        if due > self.now {
            assert_eq!(self.client.poll(due.saturating_sub(Duration::from_millis(1))), None);
            self.now = due;
        }
        let payload = self.client.poll(self.now).expect("a message is due");
        assert_eq!(self.client.poll(self.now), None, "one at a time");
        Message::parse(&payload).unwrap()
    }

    fn next_is(&mut self, kind: MessageType) -> Message {
        let message = self.next();
        assert_eq!(message.kind, kind, "{}", self.client.status());
        message
    }

    fn hear(&mut self, message: &Message) -> Received {
        self.client.receive(self.now, &message.encode())
    }
}

fn empty_answer(to: &Message, kind: MessageType, server: [u8; 10]) -> Message {
    let mut message = Message::new(kind, to.xid);
    message.options.add(1, to.options.get(1).unwrap());
    message.options.add(2, server);
    message
}

fn answer(to: &Message, kind: MessageType, server: [u8; 10]) -> Message {
    let mut message = empty_answer(to, kind, server);
    let address = IaAddress { address: ADDRESS, preferred: 3600, valid: 7200, status: None };
    let association = IaNa { iaid: IAID, t1: 0, t2: 0, addresses: vec![address], status: None };
    message.options.add(3, association.encode());
    message
}

fn advertise(to: &Message, server: [u8; 10], preference: u8) -> Message {
    let mut message = answer(to, MessageType::Advertise, server);
    message.options.add(7, [preference]);
    message
}

fn refusal(to: &Message, kind: MessageType, server: [u8; 10], code: StatusCode) -> Message {
    let mut message = empty_answer(to, kind, server);
    Status { code, words: "no".to_owned() }.add_to(&mut message.options);
    message
}

fn ignored(received: Received) -> String {
    match received {
        Received::Ignored(reason) => reason,
        other => panic!("not ignored: {other:?}"),
    }
}

#[test]
fn four_messages() {
    let mut wire = Wire::for_address();
    assert_eq!(wire.client.status(), "nothing sent yet");
    assert_eq!(wire.client.next_wakeup(), Duration::ZERO);
    let solicit = wire.next_is(MessageType::Solicit);
    assert_eq!(wire.now, seconds(100.0), "the first message goes out at once");
    assert_eq!(wire.client.status(), "sent 1 Solicit, no Advertise");
    let options: Vec<_> = solicit.options.iter().map(|(code, bytes)| (code, bytes.to_vec())).collect();
    let sent = [
        (1, vec![0, 3, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56]),
        (8, vec![0, 0]),
        (15, b"\x00\x06dayfly".to_vec()),
        (3, vec![0, 0x12, 0x34, 0x56, 0, 0, 0, 0, 0, 0, 0, 0]),
        (14, vec![]),
        (39, b"\x01\x05node1".to_vec()),
        (6, vec![0, 23, 0, 24, 0, 31, 0, 39, 0, 56, 0, 59, 0, 82]),
    ];
    assert_eq!(options, sent);

    let offer = Received::Advertise { server: ONE_TEXT.to_owned(), address: ADDRESS, preference: 7 };
    assert_eq!(wire.hear(&advertise(&solicit, ONE, 7)), offer);
    assert_eq!(wire.client.status(), format!("sent 1 Solicit, 1 Advertise, the best from {ONE_TEXT}"));
    let request = wire.next_is(MessageType::Request);
    let waited = since(wire.now, seconds(100.0));
    assert!(waited > 1.0 && waited <= 1.101, "others may answer for the first interval: {waited}");
    assert_ne!(request.xid, solicit.xid, "each exchange has its own number");
    assert_eq!(wire.client.status(), format!("Advertise from {ONE_TEXT}, no Reply after 1 Request"));
    assert_eq!(request.options.get(2), Some(&ONE[..]));
    assert_eq!(request.options.get(8), Some(&[0, 0][..]));
    assert_eq!(request.options.get(14), None, "rapid commit is for Solicits");
    let association = IaNa::parse(request.options.get(3).unwrap()).unwrap();
    assert_eq!(association, IaNa::wanted(IAID, Some(ADDRESS)));

    let Received::Lease(lease) = wire.hear(&answer(&request, MessageType::Reply, ONE)) else {
        panic!("no lease")
    };
    assert_eq!((lease.address, lease.server.as_str(), lease.t1, lease.t2), (ADDRESS, ONE_TEXT, 1800, 2880));
    assert_eq!(wire.client.status(), format!("lease of 2001:db8::5 from {ONE_TEXT}"));
    assert_eq!(wire.client.next_wakeup(), Duration::MAX);
    assert_eq!(wire.client.poll(seconds(1e6)), None);
    let again = wire.hear(&answer(&request, MessageType::Reply, ONE));
    assert_eq!(ignored(again), "the exchange is over already");
}

#[test]
fn two_messages_with_rapid_commit() {
    let mut wire = Wire::for_address();
    let solicit = wire.next();
    let mut reply = answer(&solicit, MessageType::Reply, ONE);
    assert_eq!(ignored(wire.hear(&reply)), "a Reply without rapid commit, but nothing was requested");
    reply.options.add(14, []);
    assert!(matches!(wire.hear(&reply), Received::Lease(_)));
    assert_eq!(wire.client.next_wakeup(), Duration::MAX);
}

#[test]
fn settings_without_an_address() {
    let mut wire = Wire::new(Want::Information);
    let request = wire.next_is(MessageType::InformationRequest);
    assert_eq!(wire.client.status(), "sent 1 Information-request, no Reply");
    let codes: Vec<_> = request.options.iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [1, 8, 15, 6]);
    assert_eq!(request.options.get(6), Some(&[0, 23, 0, 24, 0, 31, 0, 32, 0, 56, 0, 59, 0, 83][..]));
    let offer = advertise(&request, ONE, 0);
    assert_eq!(ignored(wire.hear(&offer)), "an Advertise, which was not asked for");
    let no = refusal(&request, MessageType::Reply, ONE, StatusCode::UnspecFail);
    assert_eq!(ignored(wire.hear(&no)), "the server says UnspecFail (\"no\")");
    let request = wire.next_is(MessageType::InformationRequest);
    assert_eq!(
        wire.client.status(),
        "sent 2 Information-requests, no Reply; refused 1 answer, the last because the server says UnspecFail (\"no\")"
    );
    let mut reply = empty_answer(&request, MessageType::Reply, ONE);
    reply.options.add(23, ADDRESS.octets());
    let Received::Information(information) = wire.hear(&reply) else { panic!("no settings") };
    assert_eq!((information.config.dns, information.refresh), (vec![ADDRESS], 86_400));
    assert_eq!(wire.client.status(), format!("settings from {ONE_TEXT}"));
    assert_eq!(wire.client.next_wakeup(), Duration::MAX);
}

#[test]
fn silence_is_met_with_longer_and_longer_waits() {
    for (want, kind) in [
        (Want::Address { iaid: IAID }, MessageType::Solicit),
        (Want::Information, MessageType::InformationRequest),
    ] {
        let mut wire = Wire::new(want);
        let first = wire.next_is(kind);
        let mut last_wait = 0.0;
        for number in 1..=16 {
            let before = wire.now;
            let message = wire.next_is(kind);
            let waited = since(wire.now, before);
            let (low, high) = match number {
                1 => (0.9, 1.101),
                _ if last_wait * 2.1 > 3600.0 => (3240.0, 3960.0),
                _ => (last_wait * 1.899, last_wait * 2.101),
            };
            assert!((low..=high).contains(&waited), "{number}: {waited}, not {low} to {high}");
            last_wait = waited;
            assert_eq!(message.xid, first.xid, "one number per exchange");
            let elapsed = u16::try_from((since(wire.now, seconds(100.0)) * 100.0) as u64).unwrap_or(u16::MAX);
            let sent = u16::from_be_bytes(message.options.get(8).unwrap().try_into().unwrap());
            assert!(sent.abs_diff(elapsed) <= 1, "{sent} of {elapsed}");
        }
    }
}

#[test]
fn hosts_that_start_together_drift_apart() {
    let clients = (0..20).map(|seed| {
        let mut client = Client::new(Duid::from_mac(MAC), Want::Information, None, seed);
        let payload = client.poll(Duration::ZERO).unwrap();
        (Message::parse(&payload).unwrap().xid, client.next_wakeup())
    });
    let (numbers, waits): (std::collections::BTreeSet<_>, std::collections::BTreeSet<_>) = clients.unzip();
    assert!(numbers.len() == 20 && waits.len() > 10, "{numbers:?} {waits:?}");
}

#[test]
fn names_that_are_sent() {
    for (name, sent) in [
        (None, None),
        (Some("a b"), None),
        (Some(""), None),
        (Some("node1"), Some(&b"\x01\x05node1"[..])),
        (Some("node1.example"), Some(b"\x01\x05node1\x07example\x00")),
    ] {
        let want = Want::Address { iaid: IAID };
        let mut client = Client::new(Duid::from_mac(MAC), want, name.map(str::to_owned), 1);
        let message = Message::parse(&client.poll(Duration::ZERO).unwrap()).unwrap();
        assert_eq!(message.options.get(39), sent, "{name:?}");
    }
}

#[test]
fn longest_intervals_out_of_bounds_are_not_taken() {
    for (want, code, kind) in [
        (Want::Address { iaid: IAID }, 82, MessageType::Advertise),
        (Want::Information, 83, MessageType::Reply),
    ] {
        for (bytes, expected) in [
            (vec![0, 0, 0, 59], 3600.0),
            (vec![0, 1, 0x51, 0x81], 3600.0),
            (vec![60], 3600.0),
            (vec![0, 0, 0, 60], 60.0),
            (vec![0, 0, 1, 0], 256.0),
        ] {
            let mut wire = Wire::new(want);
            let message = wire.next();
            let mut no = refusal(&message, kind, ONE, StatusCode::UnspecFail);
            no.options.add(code, bytes.clone());
            ignored(wire.hear(&no));
            let mut longest = 0.0_f64;
            for _ in 0..30 {
                let before = wire.now;
                wire.next();
                longest = longest.max(since(wire.now, before));
            }
            assert!((expected * 0.9..=expected * 1.1).contains(&longest), "{bytes:?}: {longest}");
        }
    }
}

#[test]
fn what_is_not_for_us_is_ignored() {
    let mut wire = Wire::for_address();
    let solicit = wire.next();
    let offer = advertise(&solicit, ONE, 255);
    let mut no_client = Message::new(MessageType::Advertise, solicit.xid);
    no_client.options.add(2, ONE);
    let mut other_client = Message::new(MessageType::Advertise, solicit.xid);
    other_client.options.add(1, TWO);
    let wrong = Message { xid: solicit.xid ^ 1, ..offer.clone() };
    let number = format!("transaction {:06x}, ours is {:06x}", solicit.xid ^ 1, solicit.xid);
    let of = |kind| Message { kind, ..offer.clone() };
    for (message, reason) in [
        (wrong, number.as_str()),
        (no_client, "for another client identifier, or for none"),
        (other_client, "for another client identifier, or for none"),
        (of(MessageType::Solicit), "a message of the type Solicit, which no server sends"),
        (of(MessageType::Renew), "a message of the type Renew, which no server sends"),
        (of(MessageType::Reconfigure), "a Reconfigure, which is not supported"),
    ] {
        assert_eq!(ignored(wire.hear(&message)), reason);
    }
    for (garbage, reason) in [
        (&b""[..], "DHCPv6 message has 0 bytes; expected at least 4"),
        (&[0xff; 40], "DHCPv6 message has the type 255; expected 1 to 11"),
    ] {
        assert_eq!(ignored(wire.client.receive(wire.now, garbage)), reason);
    }
    assert_eq!(wire.client.status(), "sent 1 Solicit, no Advertise", "strangers are no refusals");
    assert!(matches!(wire.hear(&offer), Received::Advertise { .. }));
    // The Request is due but not sent: its number cannot be known to a server.
    let mut early = of(MessageType::Reply);
    early.xid = wire.client.xid;
    assert_eq!(ignored(wire.hear(&early)), "an answer before any message was sent");
}

#[test]
fn an_answer_without_a_server_is_refused_and_changes_no_interval() {
    let mut wire = Wire::for_address();
    let solicit = wire.next();
    let mut offer = Message::new(MessageType::Advertise, solicit.xid);
    offer.options.add(1, solicit.options.get(1).unwrap());
    offer.options.add(82, 60u32.to_be_bytes());
    let reason = "the server gives no usable server identifier (option 2)";
    assert_eq!(ignored(wire.hear(&offer)), reason);
    assert_eq!(wire.client.solicit, SOLICIT);
}
