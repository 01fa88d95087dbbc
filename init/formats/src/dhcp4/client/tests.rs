use super::*;
use crate::dhcp4::{Message, Op};

mod extensions;
mod reboot;
mod renewals;

const MAC: Mac = Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
const ONE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const TWO: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn seconds(number: f64) -> Duration {
    Duration::from_secs_f64(number)
}

fn since(now: Duration, then: Duration) -> f64 {
    now.as_secs_f64() - then.as_secs_f64()
}

/// A client and its clock.
struct Wire {
    client: Client,
    now: Duration,
}

impl Wire {
    fn new() -> Wire {
        Wire { client: Client::new(MAC, 0x1234_5678, Some("node1".to_owned()), 42), now: seconds(100.0) }
    }

    /// Sleeps until the next wake-up and returns the packet that is sent then. Checks that nothing was due before.
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
        assert_eq!(message.options.message_type(), Some(kind), "{}", self.client.status());
        message
    }

    fn hear(&mut self, message: &Message) -> Received {
        self.client.receive(self.now, &message.encode())
    }
}

fn answer(to: &Message, kind: MessageType, server: Ipv4Addr) -> Message {
    let mut message =
        Message { op: Op::Reply, yiaddr: Ipv4Addr::new(10, 0, 0, 50), ..Message::request(to.xid, to.chaddr) };
    message.options.set(53, [kind.number()]);
    message.options.set(54, server.octets());
    message.options.set(1, [255, 255, 255, 0]);
    message.options.set(51, [0, 0, 14, 16]);
    message
}

fn ignored(received: Received) -> String {
    match received {
        Received::Ignored(reason) => reason,
        other => panic!("not ignored: {other:?}"),
    }
}

#[test]
fn the_plain_exchange() {
    let mut wire = Wire::new();
    assert_eq!(wire.client.status(), "nothing sent yet");
    assert_eq!(wire.client.next_wakeup(), Duration::ZERO);
    let discover = wire.next_is(MessageType::Discover);
    assert_eq!(wire.now, seconds(100.0), "the first packet is sent at once");
    assert_eq!(wire.client.status(), "sent 1 DISCOVER, no OFFER");
    assert_eq!(
        (discover.xid, discover.chaddr, discover.secs, discover.broadcast),
        (0x1234_5678, MAC, 0, false)
    );
    let options: Vec<_> = discover.options.iter().map(|(code, bytes)| (code, bytes.to_vec())).collect();
    assert_eq!(
        options,
        [
            (53, vec![1]),
            (61, vec![1, 0x52, 0x54, 0, 0x12, 0x34, 0x56]),
            (57, vec![5, 0xc0]),
            (60, b"dayfly".to_vec()),
            (12, b"node1".to_vec()),
            (55, vec![1, 121, 3, 6, 12, 15, 26, 51, 54, 58, 59, 119, 42, 56]),
            (80, vec![]),
        ]
    );

    let offer = answer(&discover, MessageType::Offer, ONE);
    assert_eq!(wire.hear(&offer), Received::Offer { server: ONE, address: offer.yiaddr });
    assert_eq!(wire.client.next_wakeup(), wire.now, "the REQUEST follows at once");
    let request = wire.next_is(MessageType::Request);
    assert_eq!(wire.client.status(), "OFFER from 10.0.0.1, no ACK after 1 REQUEST");
    assert_eq!((request.xid, request.secs, request.ciaddr), (0x1234_5678, 0, Ipv4Addr::UNSPECIFIED));
    assert_eq!(request.options.address(50), Some(offer.yiaddr));
    assert_eq!(request.options.address(54), Some(ONE));
    assert_eq!(request.options.get(80), None, "rapid commit is for a DISCOVER");

    let ack = answer(&request, MessageType::Ack, ONE);
    let Received::Lease(lease) = wire.hear(&ack) else { panic!("no lease") };
    assert_eq!(lease.message, ack.encode(), "the server's message as it came");
    assert_eq!((lease.address, lease.prefix, lease.server), (offer.yiaddr, 24, ONE));
    assert_eq!(wire.client.status(), "lease of 10.0.0.50 from 10.0.0.1");
    assert_eq!(wire.client.next_wakeup(), Duration::MAX);
    assert_eq!(wire.client.poll(seconds(1e6)), None);
    assert_eq!(ignored(wire.hear(&answer(&request, MessageType::Nak, ONE))), "the lease is already granted");
}

#[test]
fn silence_is_met_with_longer_and_longer_waits() {
    let mut wire = Wire::new();
    let mut before = None;
    for (number, expected) in [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0].into_iter().enumerate() {
        let discover = wire.next_is(MessageType::Discover);
        let waited = before.map_or(0.0, |before| since(wire.now, before));
        before = Some(wire.now);
        assert!((expected * 0.75..=expected * 1.25).contains(&waited), "{number}: {waited} of {expected}");
        assert_eq!(discover.xid, 0x1234_5678, "one number per attempt");
        assert_eq!(u64::from(discover.secs), since(wire.now, seconds(100.0)) as u64);
        assert_eq!(discover.broadcast, number >= 3, "{number}");
        assert_eq!(wire.client.status(), format!("sent {} DISCOVER, no OFFER", number + 1));
    }
}

#[test]
fn hosts_that_start_together_drift_apart() {
    let waits: std::collections::BTreeSet<_> = (0..20)
        .map(|seed| {
            let mut client = Client::new(MAC, 1, None, seed);
            client.poll(Duration::ZERO);
            client.next_wakeup()
        })
        .collect();
    assert!(waits.len() > 10, "{waits:?}");
}

#[test]
fn a_host_name_that_is_none_is_not_sent() {
    for name in [None, Some("a b".to_owned()), Some(String::new())] {
        let mut client = Client::new(MAC, 1, name, 1);
        let message = Message::parse(&client.poll(Duration::ZERO).unwrap()).unwrap();
        assert_eq!(message.options.get(12), None);
    }
}

#[test]
fn lost_packets_on_every_leg() {
    let mut wire = Wire::new();
    wire.next_is(MessageType::Discover);
    let discover = wire.next_is(MessageType::Discover);
    wire.hear(&answer(&discover, MessageType::Offer, ONE));
    wire.next_is(MessageType::Request);
    let sent = wire.now;
    let request = wire.next_is(MessageType::Request);
    let waited = since(wire.now, sent);
    assert!((0.75..=1.25).contains(&waited), "a REQUEST's waits start small again: {waited}");
    assert_eq!((request.xid, request.secs), (discover.xid, discover.secs));
    assert_eq!(wire.client.status(), "OFFER from 10.0.0.1, no ACK after 2 REQUESTs");
    assert!(matches!(wire.hear(&answer(&request, MessageType::Ack, ONE)), Received::Lease(_)));
}

#[test]
fn a_server_without_ack_is_left_for_another() {
    let mut wire = Wire::new();
    let discover = wire.next();
    wire.hear(&answer(&discover, MessageType::Offer, ONE));
    for _ in 0..3 {
        wire.next_is(MessageType::Request);
    }
    let again = wire.next_is(MessageType::Discover);
    assert_ne!(again.xid, discover.xid, "a new attempt has its own number");
    assert_eq!(again.secs, 0);
    assert_eq!(
        wire.client.status(),
        "OFFER from 10.0.0.1, no ACK after 3 REQUESTs; then sent 1 DISCOVER, no OFFER"
    );
    let late = wire.hear(&answer(&discover, MessageType::Ack, ONE));
    assert!(ignored(late).starts_with("xid 12345678, ours is "));
    let reason = ignored(wire.hear(&answer(&again, MessageType::Offer, ONE)));
    assert_eq!(reason, "10.0.0.1 failed before; kept in case no other server answers");
    assert_eq!(
        wire.hear(&answer(&again, MessageType::Offer, TWO)),
        Received::Offer { server: TWO, address: Ipv4Addr::new(10, 0, 0, 50) }
    );
    let request = wire.next_is(MessageType::Request);
    assert_eq!(request.options.address(54), Some(TWO));
    assert!(matches!(wire.hear(&answer(&request, MessageType::Ack, TWO)), Received::Lease(_)));
}

#[test]
fn the_only_server_gets_another_chance() {
    let mut wire = Wire::new();
    let discover = wire.next();
    wire.hear(&answer(&discover, MessageType::Offer, ONE));
    for _ in 0..3 {
        wire.next_is(MessageType::Request);
    }
    let again = wire.next_is(MessageType::Discover);
    ignored(wire.hear(&answer(&again, MessageType::Offer, ONE)));
    assert!(wire.client.status().ends_with("sent 1 DISCOVER, no OFFER except again from 10.0.0.1"));
    let request = wire.next_is(MessageType::Request);
    assert_eq!(request.options.address(54), Some(ONE));
    assert!(matches!(wire.hear(&answer(&request, MessageType::Ack, ONE)), Received::Lease(_)));
}

#[test]
fn of_two_servers_the_first_is_asked() {
    let mut wire = Wire::new();
    let discover = wire.next();
    wire.hear(&answer(&discover, MessageType::Offer, TWO));
    assert_eq!(
        ignored(wire.hear(&answer(&discover, MessageType::Offer, ONE))),
        "an OFFER, but 10.0.0.2 has already been asked"
    );
    let request = wire.next_is(MessageType::Request);
    assert_eq!(request.options.address(54), Some(TWO));
    for kind in [MessageType::Ack, MessageType::Nak] {
        let reason = ignored(wire.hear(&answer(&request, kind, ONE)));
        let kind = if kind == MessageType::Ack { "an ACK" } else { "a NAK" };
        assert_eq!(reason, format!("{kind} from 10.0.0.1, but 10.0.0.2 was asked"));
    }
    assert!(matches!(wire.hear(&answer(&request, MessageType::Ack, TWO)), Received::Lease(_)));
}

#[test]
fn a_nak_starts_again_after_a_pause() {
    for (words, server, told) in [
        (Some(&b"address in use\0"[..]), Some(ONE), "\"address in use\""),
        (Some(b"\x1b[2J"), Some(ONE), "\"\\u{1b}[2J\""),
        (None, None, "no reason given"),
    ] {
        let mut wire = Wire::new();
        let discover = wire.next();
        wire.hear(&answer(&discover, MessageType::Offer, ONE));
        let request = wire.next_is(MessageType::Request);
        let mut nak = Message { op: Op::Reply, ..Message::request(request.xid, MAC) };
        nak.options.set(53, [6]);
        if let Some(server) = server {
            nak.options.set(54, server.octets());
        }
        if let Some(words) = words {
            nak.options.set(56, words);
        }
        assert_eq!(wire.hear(&nak), Received::Nak(told.to_owned()));
        let refused_at = wire.now;
        assert_eq!(
            wire.client.status(),
            format!("OFFER, then NAK from 10.0.0.1 ({told}); then nothing sent yet")
        );
        let again = wire.next_is(MessageType::Discover);
        assert!(since(wire.now, refused_at) >= 0.75);
        assert_ne!(again.xid, discover.xid);
        // The same server again, with another address.
        ignored(wire.hear(&Message {
            yiaddr: Ipv4Addr::new(10, 0, 0, 60),
            ..answer(&again, MessageType::Offer, ONE)
        }));
        let request = wire.next_is(MessageType::Request);
        assert_eq!(request.options.address(50), Some(Ipv4Addr::new(10, 0, 0, 60)));
    }
}

#[test]
fn what_is_not_for_us_is_ignored() {
    let mut wire = Wire::new();
    let discover = wire.next();
    let offer = answer(&discover, MessageType::Offer, ONE);
    let with = |code: u8, bytes: &[u8]| {
        let mut message = offer.clone();
        message.options.set(code, bytes);
        message
    };
    let mut bootp = Message { op: Op::Reply, ..Message::request(discover.xid, MAC) };
    bootp.options.set(1, [255, 255, 255, 0]);
    for (message, reason) in [
        (Message { op: Op::Request, ..offer.clone() }, "a request of another client"),
        (Message { xid: 1, ..offer.clone() }, "xid 00000001, ours is 12345678"),
        (
            Message { chaddr: Mac([2; 6]), ..offer.clone() },
            "for 02:02:02:02:02:02, this is 52:54:00:12:34:56",
        ),
        (with(61, b"\x01other!"), "for another client identifier"),
        (with(53, &[5]), "an ACK, but nothing was requested"),
        (with(53, &[6]), "a NAK, but nothing was requested"),
        (with(53, &[1]), "a DISCOVER, which no server sends"),
        (with(53, &[99]), "a BOOTP reply without a DHCP message type"),
        (bootp, "a BOOTP reply without a DHCP message type"),
    ] {
        assert_eq!(ignored(wire.hear(&message)), reason);
    }
    for (garbage, reason) in [
        (&b""[..], "DHCP message has 0 bytes; expected at least 240"),
        (&[0xff; 400], "DHCP message has the operation 255; expected 1 or 2"),
    ] {
        assert_eq!(ignored(wire.client.receive(wire.now, garbage)), reason);
    }
    assert_eq!(
        wire.client.status(),
        "sent 1 DISCOVER, no OFFER",
        "packets of others do not count as refusals"
    );
    // A returned identifier is valid (RFC 6842), and the exchange continues.
    assert!(matches!(wire.hear(&with(61, &[1, 0x52, 0x54, 0, 0x12, 0x34, 0x56])), Received::Offer { .. }));
}

#[test]
fn lies_are_refused_and_told() {
    let mut wire = Wire::new();
    let discover = wire.next();
    let offer = answer(&discover, MessageType::Offer, ONE);
    let lie = Message { yiaddr: Ipv4Addr::BROADCAST, ..offer.clone() };
    let reason = "the address given, 255.255.255.255, is the broadcast address";
    assert_eq!(ignored(wire.hear(&lie)), reason);
    assert_eq!(
        wire.client.status(),
        format!("sent 1 DISCOVER, no OFFER; refused 1 answer, the last because {reason}")
    );
    wire.hear(&offer);
    let request = wire.next_is(MessageType::Request);
    let mut lie = answer(&request, MessageType::Ack, ONE);
    lie.options.set(51, [0; 4]);
    assert_eq!(ignored(wire.hear(&lie)), "the lease time is 0 seconds");
    assert_eq!(
        wire.client.status(),
        "OFFER from 10.0.0.1, no ACK after 1 REQUEST; refused 2 answers, the last because the lease time is 0 seconds"
    );
    assert!(matches!(wire.hear(&answer(&request, MessageType::Ack, ONE)), Received::Lease(_)));
}

#[test]
fn an_offer_before_any_discover_is_ignored() {
    let mut client = Client::new(MAC, 7, None, 1);
    let offer = answer(&Message::request(7, MAC), MessageType::Offer, ONE);
    assert_eq!(ignored(client.receive(Duration::ZERO, &offer.encode())), "an OFFER before any DISCOVER");
}

proptest::proptest! {
    /// For any packets and any times of polls: no panic, one packet per wake-up, and the wake-up is never in the past
    /// once the packet is sent.
    #[test]
    fn any_order_of_events_keeps_the_pace(
        events in proptest::collection::vec((0u64..20_000, 0u8..8, proptest::bool::ANY), 0..60), seed: u64,
        last_address in proptest::option::of(proptest::sample::select(&[[10, 0, 0, 50], [10, 0, 0, 51]])),
    ) {
        let mut client = Client::new(MAC, 5, None, seed).with_last_address(last_address.map(Ipv4Addr::from));
        let mut now = Duration::ZERO;
        let mut last = Message::request(5, MAC);
        for (wait, kind, first) in events {
            now += Duration::from_millis(wait);
            if let Some(payload) = client.poll(now) {
                last = Message::parse(&payload).unwrap();
                proptest::prop_assert!(client.next_wakeup() > now);
                proptest::prop_assert_eq!(client.poll(now), None);
            }
            let mut message = answer(&last, MessageType::Offer, if first { ONE } else { TWO });
            message.options.set(53, [kind]);
            let received = client.receive(now, &message.encode());
            proptest::prop_assert!(!client.status().is_empty());
            if let Received::Lease(_) = received {
                proptest::prop_assert_eq!(kind, 5);
                proptest::prop_assert_eq!(client.next_wakeup(), Duration::MAX);
                break;
            }
        }
    }
}
