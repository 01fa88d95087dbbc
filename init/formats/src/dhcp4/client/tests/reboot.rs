//! INIT-REBOOT: the address of the last boot is requested first.

use super::*;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 60);

fn rebooting() -> Wire {
    let mut wire = Wire::new();
    wire.client = wire.client.clone().with_last_address(Some(ADDRESS));
    wire
}

/// The whole exchange with a server for another address, from the DISCOVER on.
fn search(wire: &mut Wire, first: &Message) {
    let discover = wire.next_is(MessageType::Discover);
    assert_ne!(discover.xid, first.xid, "a new attempt has its own number");
    assert_eq!(discover.options.get(50), None);
    // The server that denied the old address is not avoided.
    let offer = Message { yiaddr: OTHER, ..answer(&discover, MessageType::Offer, ONE) };
    assert_eq!(wire.hear(&offer), Received::Offer { server: ONE, address: OTHER });
    let request = wire.next_is(MessageType::Request);
    let ack = Message { yiaddr: OTHER, ..answer(&request, MessageType::Ack, ONE) };
    let Received::Lease(lease) = wire.hear(&ack) else { panic!("no lease") };
    assert_eq!(lease.address, OTHER);
}

#[test]
fn one_request_gets_the_address_of_the_last_boot() {
    let mut wire = rebooting();
    assert_eq!(wire.client.status(), "nothing sent yet");
    assert_eq!(wire.client.next_wakeup(), Duration::ZERO);
    let request = wire.next_is(MessageType::Request);
    assert_eq!(wire.now, seconds(100.0), "the first packet is sent at once");
    assert_eq!(wire.client.status(), "sent REQUEST for 10.0.0.50, the address of the last boot, no answer");
    assert_eq!(wire.client.address(), Some(ADDRESS), "another host with it is looked for");
    assert_eq!((request.ciaddr, request.secs, request.broadcast), (Ipv4Addr::UNSPECIFIED, 0, false));
    let options: Vec<_> = request.options.iter().map(|(code, bytes)| (code, bytes.to_vec())).collect();
    // RFC 2131 4.3.2: option 50 must be there, 54 must not.
    assert_eq!(
        options,
        [
            (53, vec![3]),
            (61, vec![1, 0x52, 0x54, 0, 0x12, 0x34, 0x56]),
            (57, vec![5, 0xc0]),
            (60, b"dayfly".to_vec()),
            (12, b"node1".to_vec()),
            (55, vec![1, 121, 3, 6, 12, 15, 26, 51, 54, 58, 59, 119, 42, 56]),
            (50, vec![10, 0, 0, 50]),
        ]
    );
    // Any server may answer.
    let ack = answer(&request, MessageType::Ack, TWO);
    let Received::Lease(lease) = wire.hear(&ack) else { panic!("no lease") };
    assert_eq!((lease.address, lease.server), (ADDRESS, TWO));
    assert_eq!(lease.message, ack.encode());
    assert_eq!(wire.client.status(), "lease of 10.0.0.50 from 10.0.0.2");
    assert_eq!(wire.client.next_wakeup(), Duration::MAX);
    // It is declined like any other lease.
    assert!(wire.client.decline(wire.now, Mac([2, 0, 0, 0, 0, 0x77])).is_some());
    wire.next_is(MessageType::Discover);
}

#[test]
fn a_nak_starts_the_search_at_once() {
    for (server, from) in [(Some(ONE), " from 10.0.0.1"), (None, "")] {
        let mut wire = rebooting();
        let request = wire.next_is(MessageType::Request);
        let mut nak = Message { op: Op::Reply, ..Message::request(request.xid, MAC) };
        nak.options.set(53, [6]);
        nak.options.set(56, b"wrong network");
        if let Some(server) = server {
            nak.options.set(54, server.octets());
        }
        assert_eq!(wire.hear(&nak), Received::Nak("\"wrong network\"".to_owned()));
        assert_eq!(
            wire.client.status(),
            format!(
                "REQUEST for 10.0.0.50, the address of the last boot: NAK{from} (\"wrong network\"); then nothing sent yet"
            )
        );
        assert_eq!(wire.client.address(), None);
        let denied_at = wire.now;
        search(&mut wire, &request);
        assert_eq!(wire.now, denied_at, "nothing was waited for");
    }
}

#[test]
fn silence_ends_after_half_a_second() {
    let mut wire = rebooting();
    let request = wire.next_is(MessageType::Request);
    let asked_at = wire.now;
    let mut late = answer(&request, MessageType::Ack, ONE);
    let discover = wire.next_is(MessageType::Discover);
    assert_eq!(wire.now.saturating_sub(asked_at), Duration::from_secs(1));
    assert_eq!(
        wire.client.status(),
        "REQUEST for 10.0.0.50, the address of the last boot: no answer; then sent 1 DISCOVER, no OFFER"
    );
    assert_eq!((discover.secs, discover.broadcast), (0, false));
    assert!(ignored(wire.hear(&late)).starts_with("xid 12345678, ours is "));
    late.xid = discover.xid;
    assert_eq!(ignored(wire.hear(&late)), "an ACK, but nothing was requested");
    // From here on, the waits are those of a new client.
    let before = wire.now;
    wire.next_is(MessageType::Discover);
    assert!((0.75..=1.25).contains(&since(wire.now, before)));
}

#[test]
fn an_ack_with_another_address_is_no_lease() {
    let mut wire = rebooting();
    let request = wire.next_is(MessageType::Request);
    let other = Message { yiaddr: OTHER, ..answer(&request, MessageType::Ack, ONE) };
    let reason = ignored(wire.hear(&other));
    assert_eq!(reason, "10.0.0.50 was requested, but 10.0.0.1 confirmed 10.0.0.60 instead of it");
    assert!(wire.client.status().contains("instead of it; then nothing sent yet; refused 1 answer"));
    let refused_at = wire.now;
    search(&mut wire, &request);
    assert_eq!(wire.now, refused_at);
}

#[test]
fn what_confirms_nothing_is_ignored() {
    let mut wire = rebooting();
    let early = answer(&Message::request(0x1234_5678, MAC), MessageType::Ack, ONE);
    assert_eq!(ignored(wire.hear(&early)), "an ACK, but nothing was requested");
    let request = wire.next_is(MessageType::Request);
    let offer = answer(&request, MessageType::Offer, ONE);
    assert_eq!(ignored(wire.hear(&offer)), "an OFFER before any DISCOVER");
    let mut lie = answer(&request, MessageType::Ack, ONE);
    lie.options.set(51, [0; 4]);
    assert_eq!(ignored(wire.hear(&lie)), "the lease time is 0 seconds");
    // Another server's answer still counts.
    assert!(matches!(wire.hear(&answer(&request, MessageType::Ack, TWO)), Received::Lease(_)));
}

#[test]
fn a_network_of_ipv6_only_may_say_so_in_the_confirmation() {
    let mut wire = rebooting();
    wire.client = wire.client.clone().without_ipv4(true);
    let request = wire.next_is(MessageType::Request);
    let mut ack = answer(&request, MessageType::Ack, ONE);
    ack.options.set(108, [0, 0, 7, 8]);
    assert_eq!(wire.hear(&ack), Received::Ipv6Only(seconds(1800.0)));
    let told_at = wire.now;
    wire.next_is(MessageType::Discover);
    assert_eq!(wire.now.saturating_sub(told_at), seconds(1800.0));
}

proptest::proptest! {
    /// Whatever servers answer: the first DISCOVER is not later than a second after the REQUEST, there is one REQUEST for the
    /// remembered address, and a lease by it is the one that was requested.
    #[test]
    fn a_remembered_address_costs_a_second_at_most(
        answers in proptest::collection::vec((0u64..120, 0u8..8, 49u8..52, proptest::bool::ANY), 0..12), seed: u64,
    ) {
        let mut client = Client::new(MAC, 5, None, seed).with_last_address(Some(ADDRESS));
        let request = Message::parse(&client.poll(Duration::ZERO).unwrap()).unwrap();
        proptest::prop_assert_eq!(request.options.message_type(), Some(MessageType::Request));
        let mut now = Duration::ZERO;
        for (wait, kind, last, is_good) in answers {
            now += Duration::from_millis(wait);
            if client.next_wakeup() <= now {
                break;
            }
            let mut message = answer(&request, MessageType::Ack, if is_good { ONE } else { Ipv4Addr::BROADCAST });
            message.yiaddr = Ipv4Addr::new(10, 0, 0, last);
            message.options.set(53, [kind]);
            if let Received::Lease(lease) = client.receive(now, &message.encode()) {
                proptest::prop_assert_eq!((lease.address, kind, is_good), (ADDRESS, 5, true));
                return Ok(());
            }
        }
        let due = client.next_wakeup();
        proptest::prop_assert!(due <= Duration::from_secs(1), "{:?}", due);
        let now = due.max(now);
        let next = Message::parse(&client.poll(now).expect("a DISCOVER is due")).unwrap();
        proptest::prop_assert_eq!(next.options.message_type(), Some(MessageType::Discover));
        proptest::prop_assert_eq!(next.options.get(50), None);
    }
}
