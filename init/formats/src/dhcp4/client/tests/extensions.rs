//! Rapid commit (RFC 4039), vendor classes, DECLINE, and IPv6-only preferred (RFC 8925).

use super::*;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);
const OTHER: Mac = Mac([2, 0, 0, 0, 0, 0x77]);

fn with(mut message: Message, code: u8, bytes: &[u8]) -> Message {
    message.options.set(code, bytes);
    message
}

/// A client that has a lease.
fn bound() -> Wire {
    let mut wire = Wire::new();
    let discover = wire.next();
    wire.hear(&answer(&discover, MessageType::Offer, ONE));
    let request = wire.next_is(MessageType::Request);
    assert!(matches!(wire.hear(&answer(&request, MessageType::Ack, ONE)), Received::Lease(_)));
    wire
}

#[test]
fn an_ack_to_a_discover_is_the_lease_if_it_says_so() {
    let mut wire = Wire::new();
    let discover = wire.next_is(MessageType::Discover);
    assert_eq!(discover.options.get(80), Some(&b""[..]));
    let plain = answer(&discover, MessageType::Ack, ONE);
    assert_eq!(ignored(wire.hear(&plain)), "an ACK, but nothing was requested");
    let Received::Lease(lease) = wire.hear(&with(plain, 80, &[])) else { panic!("no lease") };
    assert_eq!((lease.address, lease.server), (ADDRESS, ONE));
    assert_eq!(wire.client.address(), Some(ADDRESS));
    assert_eq!(wire.client.next_wakeup(), Duration::MAX);
}

#[test]
fn a_rapid_ack_is_checked_like_any_other() {
    let mut wire = Wire::new();
    let never_asked = answer(&Message::request(0x1234_5678, MAC), MessageType::Ack, ONE);
    let before = wire.client.receive(Duration::ZERO, &with(never_asked, 80, &[]).encode());
    assert_eq!(ignored(before), "an ACK, but nothing was requested");
    let discover = wire.next();
    let rapid = with(answer(&discover, MessageType::Ack, ONE), 80, &[]);
    let lie = Message { yiaddr: Ipv4Addr::BROADCAST, ..rapid.clone() };
    assert_eq!(ignored(wire.hear(&lie)), "the address given, 255.255.255.255, is the broadcast address");
    // After an OFFER, only the server that was asked can grant the lease.
    wire.hear(&answer(&discover, MessageType::Offer, TWO));
    let request = wire.next_is(MessageType::Request);
    assert_eq!(ignored(wire.hear(&rapid)), "an ACK from 10.0.0.1, but 10.0.0.2 was asked");
    assert!(matches!(wire.hear(&answer(&request, MessageType::Ack, TWO)), Received::Lease(_)));
}

#[test]
fn the_vendor_class_is_in_every_message_that_may_have_one() {
    let mut wire = Wire::new();
    wire.client = wire.client.clone().with_vendor_class("anaconda-Linux 6.1");
    let discover = wire.next();
    assert_eq!(discover.options.get(60), Some(&b"anaconda-Linux 6.1"[..]));
    wire.hear(&answer(&discover, MessageType::Offer, ONE));
    let request = wire.next_is(MessageType::Request);
    assert_eq!(request.options.get(60), Some(&b"anaconda-Linux 6.1"[..]));
}

#[test]
fn an_address_that_another_host_has_is_declined() {
    let mut wire = bound();
    assert_eq!(Client::new(MAC, 1, None, 1).decline(wire.now, OTHER), None, "there is no lease");
    let xid = wire.client.xid;
    let decline = Message::parse(&wire.client.decline(wire.now, OTHER).unwrap()).unwrap();
    let options: Vec<_> = decline.options.iter().map(|(code, bytes)| (code, bytes.to_vec())).collect();
    // RFC 2131 table 5 forbids the parameter list, the message size and the vendor class.
    assert_eq!(
        options,
        [
            (53, vec![4]),
            (61, vec![1, 0x52, 0x54, 0, 0x12, 0x34, 0x56]),
            (50, vec![10, 0, 0, 50]),
            (54, vec![10, 0, 0, 1]),
            (56, b"in use by 02:00:00:00:00:77".to_vec()),
        ]
    );
    assert_eq!((decline.xid, decline.ciaddr, decline.secs), (xid, Ipv4Addr::UNSPECIFIED, 0));
    assert_eq!(
        wire.client.status(),
        "10.0.0.50 is in use by 02:00:00:00:00:77 and was declined; then nothing sent yet"
    );
    let declined_at = wire.now;
    let again = wire.next_is(MessageType::Discover);
    assert_eq!(wire.now.saturating_sub(declined_at), seconds(10.0));
    assert_ne!(again.xid, xid);
    // Its server is asked again, and gives the next address if there is no other server.
    let offer = Message { yiaddr: Ipv4Addr::new(10, 0, 0, 51), ..answer(&again, MessageType::Offer, ONE) };
    assert_eq!(ignored(wire.hear(&offer)), "10.0.0.1 failed before; kept in case no other server answers");
    let request = wire.next_is(MessageType::Request);
    assert_eq!(request.options.address(50), Some(offer.yiaddr));
    assert!(since(wire.now, declined_at) < 11.5);
}

#[test]
fn another_server_comes_before_that_of_a_declined_address() {
    let mut wire = bound();
    wire.client.decline(wire.now, OTHER);
    let discover = wire.next_is(MessageType::Discover);
    // The server would grant the lease at once (RFC 4039), before any other one makes its offer.
    assert_eq!(discover.options.get(80), None);
    let rapid = with(answer(&discover, MessageType::Ack, ONE), 80, &[]);
    assert_eq!(ignored(wire.hear(&rapid)), "an ACK, but nothing was requested");
    ignored(wire.hear(&answer(&discover, MessageType::Offer, ONE)));
    let offer = Message { yiaddr: Ipv4Addr::new(10, 0, 0, 60), ..answer(&discover, MessageType::Offer, TWO) };
    assert_eq!(wire.hear(&offer), Received::Offer { server: TWO, address: offer.yiaddr });
}

#[test]
fn the_pause_after_a_decline_outlasts_what_begins_anew() {
    let mut wire = bound();
    wire.client.decline(wire.now, OTHER);
    let (declined_at, declined) = (wire.now, wire.client.declined().unwrap());
    assert_eq!((declined.server, declined.address, declined.owner), (ONE, ADDRESS, OTHER));
    let mut clients = vec![wire.client.clone(), wire.client.clone()];
    clients[0].lapse(declined_at);
    clients[1].needs_ipv4(declined_at);
    // The next attempt of the step has a client of its own.
    clients.push(Client::new(MAC, 7, None, 1).after_decline(Some(declined)));
    clients.push(Client::new(MAC, 7, None, 1).with_last_address(Some(ADDRESS)).after_decline(Some(declined)));
    for client in clients {
        let mut wire = Wire { client, now: declined_at };
        let discover = wire.next_is(MessageType::Discover);
        assert_eq!(wire.now.saturating_sub(declined_at), seconds(10.0));
        assert_eq!(discover.options.get(80), None);
        ignored(wire.hear(&answer(&discover, MessageType::Offer, ONE)));
    }
    // Another address of the last boot is still asked for first.
    let other = Some(Ipv4Addr::new(10, 0, 0, 60));
    let client = Client::new(MAC, 7, None, 1).with_last_address(other).after_decline(Some(declined));
    let mut wire = Wire { client, now: declined_at };
    wire.next_is(MessageType::Request);
    assert_eq!(wire.now.saturating_sub(declined_at), seconds(10.0));
    // Later, nothing waits.
    let mut wire = Wire { now: seconds(500.0), ..wire };
    wire.client.lapse(wire.now);
    wire.next_is(MessageType::Discover);
    assert_eq!(wire.now, seconds(500.0));
}

#[test]
fn a_lease_that_ended_is_replaced_at_once() {
    let mut wire = bound();
    let xid = wire.client.xid;
    wire.client.lapse(wire.now);
    let lapsed_at = wire.now;
    assert_ne!(wire.next_is(MessageType::Discover).xid, xid);
    assert_eq!(wire.now, lapsed_at);
}

#[test]
fn a_network_of_ipv6_only_is_left_alone_for_the_time_it_says() {
    for (seconds, waited) in [(&[0, 0, 7, 8][..], 1800.0), (&[0, 0, 0, 0], 300.0), (&[0, 0, 1, 43], 300.0)] {
        for kind in [MessageType::Offer, MessageType::Ack] {
            let mut wire = Wire::new();
            wire.client = wire.client.clone().without_ipv4(true);
            let discover = wire.next();
            assert_eq!(discover.options.get(55).unwrap().last(), Some(&108));
            let told = with(with(answer(&discover, kind, ONE), 80, &[]), 108, seconds);
            assert_eq!(wire.hear(&told), Received::Ipv6Only(super::seconds(waited)));
            assert_eq!(
                wire.client.status(),
                format!(
                    "the DHCP server 10.0.0.1 prefers IPv6 only (option 108), so no lease is requested for {waited} s"
                )
            );
            assert_eq!(wire.client.address(), None);
            let other = ignored(wire.hear(&answer(&discover, MessageType::Offer, TWO)));
            assert_eq!(other, "the network prefers IPv6 only");
            let told_at = wire.now;
            wire.next_is(MessageType::Discover);
            assert_eq!(wire.now.saturating_sub(told_at), super::seconds(waited));
        }
    }
}

#[test]
fn a_host_without_ipv6_asks_for_ipv4_after_all() {
    let mut wire = Wire::new();
    wire.client = wire.client.clone().without_ipv4(true);
    let discover = wire.next();
    let told = with(answer(&discover, MessageType::Offer, ONE), 108, &[0, 0, 7, 8]);
    assert!(matches!(wire.hear(&told), Received::Ipv6Only(_)));
    let now = wire.now;
    wire.client.needs_ipv4(now);
    let discover = wire.next_is(MessageType::Discover);
    assert_eq!(wire.now, now);
    assert!(!discover.options.get(55).unwrap().contains(&108));
    let told = with(answer(&discover, MessageType::Offer, ONE), 108, &[0, 0, 7, 8]);
    assert!(matches!(wire.hear(&told), Received::Offer { .. }));
}

#[test]
fn a_host_that_needs_ipv4_takes_the_lease() {
    for (can, bytes) in [(false, &[0, 0, 7, 8][..]), (true, &[0, 7, 8])] {
        let mut wire = Wire::new();
        wire.client = wire.client.clone().without_ipv4(can);
        let discover = wire.next();
        assert_eq!(discover.options.get(55).unwrap().contains(&108), can);
        // Not requested, or not of four bytes.
        let offer = with(answer(&discover, MessageType::Offer, ONE), 108, bytes);
        assert!(matches!(wire.hear(&offer), Received::Offer { .. }));
    }
}
