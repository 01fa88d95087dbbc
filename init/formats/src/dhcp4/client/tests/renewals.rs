//! RENEWING and REBINDING.

use super::*;

/// A lease of 120 s (T1 60 s, T2 105 s) that was granted at 1000 s.
fn renewal() -> Renewal {
    let mut client = Client::new(MAC, 7, Some("node1".to_owned()), 42);
    let discover = Message::parse(&client.poll(seconds(1000.0)).unwrap()).unwrap();
    let mut ack = answer(&discover, MessageType::Ack, ONE);
    ack.options.set(51, [0, 0, 0, 120]);
    ack.options.set(80, []);
    let Received::Lease(lease) = client.receive(seconds(1000.0), &ack.encode()) else { panic!("no lease") };
    client.renewal(lease, seconds(1000.0))
}

/// The next REQUEST, when it is sent, and where to.
fn next(renewal: &mut Renewal) -> (f64, Message, Ipv4Addr) {
    let due = renewal.next_wakeup();
    assert_eq!(renewal.poll(due.saturating_sub(Duration::from_millis(1))), None);
    let (payload, server) = renewal.poll(due).expect("a REQUEST is due");
    assert_eq!(renewal.poll(due), None, "one at a time");
    (due.as_secs_f64() - 1000.0, Message::parse(&payload).unwrap(), server)
}

fn ack(request: &Message, server: Ipv4Addr, lease: u8) -> Message {
    let mut ack = answer(request, MessageType::Ack, server);
    ack.options.set(51, [0, 0, 0, lease]);
    ack
}

#[test]
fn silence_goes_from_its_server_to_all_servers_to_the_end() {
    let mut renewal = renewal();
    let mut sent = Vec::new();
    while renewal.next_wakeup() < renewal.expires() {
        let (at, request, server) = next(&mut renewal);
        assert_eq!(request.options.message_type(), Some(MessageType::Request));
        assert_eq!(request.ciaddr, Ipv4Addr::new(10, 0, 0, 50));
        assert_eq!((request.options.get(50), request.options.get(54)), (None, None));
        assert_eq!(request.options.get(60), Some(&b"dayfly"[..]));
        assert_eq!(request.secs, (at - 60.0) as u16);
        sent.push((at, server));
    }
    let all = Ipv4Addr::BROADCAST;
    assert_eq!(sent, [(60.0, ONE), (82.5, ONE), (93.75, ONE), (103.75, ONE), (105.0, all), (115.0, all)]);
    assert_eq!(renewal.expires(), seconds(1120.0));
    assert_eq!(renewal.poll(seconds(1120.0)), None, "the lease has ended");
    assert_eq!(renewal.status(), "the lease of 10.0.0.50 was not extended after 6 REQUESTs");
}

#[test]
fn an_ack_starts_the_times_again_from_its_request() {
    let mut renewal = renewal();
    let (_, request, _) = next(&mut renewal);
    let Renewed::Lease(lease) = renewal.receive(&ack(&request, ONE, 200).encode()) else {
        panic!("no lease")
    };
    assert_eq!(lease.lease_seconds, Some(200));
    assert_eq!((renewal.granted(), renewal.expires()), (seconds(1060.0), seconds(1260.0)));
    assert_eq!(renewal.receive(&ack(&request, ONE, 200).encode()), {
        let xid = renewal.xid;
        Renewed::Ignored(format!("xid {:08x}, ours is {xid:08x}", request.xid))
    });
    let (at, _, server) = next(&mut renewal);
    assert_eq!((at, server), (160.0, ONE));
}

#[test]
fn any_server_may_rebind() {
    let mut renewal = renewal();
    let request = loop {
        let (_, request, server) = next(&mut renewal);
        if server == Ipv4Addr::BROADCAST {
            break request;
        }
    };
    assert!(matches!(renewal.receive(&ack(&request, TWO, 120).encode()), Renewed::Lease(_)));
    let (at, _, server) = next(&mut renewal);
    assert_eq!((at, server), (165.0, TWO), "it is the server from now on");
}

#[test]
fn a_nak_ends_the_lease() {
    let mut renewal = renewal();
    let (_, request, _) = next(&mut renewal);
    let mut nak = Message { op: Op::Reply, ..Message::request(request.xid, MAC) };
    nak.options.set(53, [6]);
    nak.options.set(56, *b"moved");
    assert_eq!(renewal.receive(&nak.encode()), Renewed::Nak("\"moved\"".to_owned()));
}

#[test]
fn other_answers_are_ignored() {
    let mut renewal = renewal();
    let mut unasked = Message::request(renewal.xid, MAC);
    unasked.op = Op::Reply;
    assert_eq!(renewal.receive(&unasked.encode()), Renewed::Ignored("nothing was requested".to_owned()));
    let (_, request, _) = next(&mut renewal);
    let good = ack(&request, ONE, 120);
    let offer = answer(&request, MessageType::Offer, ONE);
    for (message, reason) in [
        (Message { xid: 1, ..good.clone() }, format!("xid 00000001, ours is {:08x}", request.xid)),
        (offer, "neither an ACK nor a NAK".to_owned()),
        (ack(&request, ONE, 0), "the lease time is 0 seconds".to_owned()),
        (
            Message { yiaddr: Ipv4Addr::new(10, 0, 0, 51), ..good },
            "an ACK for 10.0.0.51, but the lease is of 10.0.0.50".to_owned(),
        ),
    ] {
        assert_eq!(renewal.receive(&message.encode()), Renewed::Ignored(reason));
    }
    assert!(matches!(renewal.receive(&[1]), Renewed::Ignored(_)));
}

#[test]
fn a_lease_for_ever_is_never_renewed() {
    let mut client = Client::new(MAC, 7, None, 1);
    let discover = Message::parse(&client.poll(Duration::ZERO).unwrap()).unwrap();
    let mut ack = answer(&discover, MessageType::Ack, ONE);
    ack.options.set(51, [0xff; 4]);
    ack.options.set(80, []);
    let Received::Lease(lease) = client.receive(Duration::ZERO, &ack.encode()) else { panic!("no lease") };
    let mut renewal = client.renewal(lease, Duration::ZERO);
    assert_eq!((renewal.next_wakeup(), renewal.expires()), (Duration::MAX, Duration::MAX));
    assert_eq!(renewal.poll(seconds(1e6)), None);
}

#[test]
fn a_server_does_not_make_the_client_ask_without_a_pause() {
    // T1 of a second, and a lease of 120 s, then one of 4 s.
    for (lease, pause) in [(120, 10.0), (4, 2.0)] {
        let mut renewal = renewal();
        let (at, request, _) = next(&mut renewal);
        let mut answer = ack(&request, ONE, lease);
        answer.options.set(58, [0, 0, 0, 1]);
        assert!(matches!(renewal.receive(&answer.encode()), Renewed::Lease(_)));
        assert_eq!(renewal.next_wakeup(), seconds(1000.0 + at + pause), "{lease}");
    }
}
