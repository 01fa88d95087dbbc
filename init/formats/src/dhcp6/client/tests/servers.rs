//! Which of several servers is asked, and what follows when one fails.

use super::*;

#[test]
fn the_preferred_server_is_asked() {
    for (offers, asked) in [
        (&[(ONE, 0), (TWO, 5)][..], TWO),
        (&[(ONE, 5), (TWO, 0)], ONE),
        (&[(TWO, 3), (ONE, 3)], TWO),
        (&[(ONE, 9), (TWO, 5), (ONE, 1)], TWO),
    ] {
        let mut wire = Wire::for_address();
        let solicit = wire.next();
        for (server, preference) in offers {
            wire.hear(&advertise(&solicit, *server, *preference));
        }
        let request = wire.next_is(MessageType::Request);
        assert_eq!(request.options.get(2), Some(&asked[..]), "{offers:?}");
    }
}

#[test]
fn nothing_is_waited_for_after_the_best_preference_or_the_first_interval() {
    let mut wire = Wire::for_address();
    let solicit = wire.next();
    wire.hear(&advertise(&solicit, TWO, 0));
    wire.hear(&advertise(&solicit, ONE, 255));
    assert_eq!(wire.client.next_wakeup(), wire.now);
    assert_eq!(wire.next_is(MessageType::Request).options.get(2), Some(&ONE[..]));
    let late = wire.hear(&advertise(&solicit, TWO, 255));
    assert!(ignored(late).starts_with(&format!("transaction {:06x}, ours is ", solicit.xid)));

    let mut wire = Wire::for_address();
    wire.next_is(MessageType::Solicit);
    let solicit = wire.next_is(MessageType::Solicit);
    wire.hear(&advertise(&solicit, TWO, 0));
    assert_eq!(wire.client.next_wakeup(), wire.now);
    assert_eq!(wire.next_is(MessageType::Request).options.get(2), Some(&TWO[..]));
}

#[test]
fn a_server_without_reply_is_left_for_another() {
    let mut wire = Wire::for_address();
    let solicit = wire.next();
    wire.hear(&advertise(&solicit, ONE, 9));
    wire.hear(&advertise(&solicit, TWO, 0));
    for _ in 0..10 {
        assert_eq!(wire.next_is(MessageType::Request).options.get(2), Some(&ONE[..]));
    }
    let request = wire.next_is(MessageType::Request);
    assert_eq!(
        request.options.get(2),
        Some(&TWO[..]),
        "the second offer is used before new ones are looked for"
    );
    assert_eq!(
        wire.client.status(),
        format!(
            "{ONE_TEXT} failed: no Reply after 10 Requests; then Advertise from {TWO_TEXT}, no Reply after 1 Request"
        )
    );
    for _ in 1..10 {
        wire.next_is(MessageType::Request);
    }
    let solicit = wire.next_is(MessageType::Solicit);
    // The server that failed last comes last, whatever its preference.
    wire.hear(&advertise(&solicit, TWO, 255));
    wire.hear(&advertise(&solicit, ONE, 0));
    let request = wire.next_is(MessageType::Request);
    assert_eq!(request.options.get(2), Some(&ONE[..]));
    assert!(matches!(wire.hear(&answer(&request, MessageType::Reply, ONE)), Received::Lease(_)));
}

#[test]
fn a_refusal_starts_again_after_a_pause() {
    for code in [
        StatusCode::UnspecFail,
        StatusCode::NoAddrsAvail,
        StatusCode::NotOnLink,
        StatusCode::UseMulticast,
        StatusCode::Other(99),
    ] {
        let mut wire = Wire::for_address();
        let solicit = wire.next();
        wire.hear(&advertise(&solicit, ONE, 255));
        let request = wire.next_is(MessageType::Request);
        let told = format!("the server says {code} (\"no\")");
        let no = refusal(&request, MessageType::Reply, ONE, code);
        assert_eq!(wire.hear(&no), Received::Refused(told.clone()));
        assert_eq!(wire.client.status(), format!("{ONE_TEXT} failed: {told}; then nothing sent yet"));
        let refused_at = wire.now;
        let again = wire.next_is(MessageType::Solicit);
        assert!((0.9..=1.1).contains(&since(wire.now, refused_at)));
        // The only server gets another chance.
        wire.hear(&advertise(&again, ONE, 255));
        let request = wire.next_is(MessageType::Request);
        assert!(matches!(wire.hear(&answer(&request, MessageType::Reply, ONE)), Received::Lease(_)));
    }
}

#[test]
fn after_a_refusal_another_offer_is_used_at_once() {
    let mut wire = Wire::for_address();
    let solicit = wire.next();
    wire.hear(&advertise(&solicit, ONE, 9));
    wire.hear(&advertise(&solicit, TWO, 0));
    let request = wire.next_is(MessageType::Request);
    let empty = empty_answer(&request, MessageType::Reply, ONE);
    let reason = "the answer has no addresses (IA_NA) for the IAID 00123456";
    assert_eq!(wire.hear(&empty), Received::Refused(reason.to_owned()));
    assert_eq!(wire.client.next_wakeup(), wire.now);
    let request = wire.next_is(MessageType::Request);
    assert_eq!(request.options.get(2), Some(&TWO[..]));
    assert_eq!(
        ignored(wire.hear(&answer(&request, MessageType::Reply, ONE))),
        format!("a Reply from {ONE_TEXT}, but {TWO_TEXT} was asked")
    );
}

#[test]
fn a_server_without_addresses_is_told_and_asked_again() {
    let mut wire = Wire::for_address();
    let solicit = wire.next();
    let mut full = refusal(&solicit, MessageType::Advertise, ONE, StatusCode::NoAddrsAvail);
    full.options.add(82, 60u32.to_be_bytes());
    let told = "the server says NoAddrsAvail (\"no\")";
    assert_eq!(ignored(wire.hear(&full)), told);
    let sentence = format!("sent 1 Solicit, no Advertise; refused 1 answer, the last because {told}");
    assert_eq!(wire.client.status(), sentence);
    // Its SOL_MAX_RT counts nevertheless.
    for number in 1..12 {
        let before = wire.now;
        wire.next_is(MessageType::Solicit);
        assert!(since(wire.now, before) <= 66.0, "{number}");
    }
}

#[test]
fn a_flood_of_offers_is_bounded() {
    let mut wire = Wire::for_address();
    let solicit = wire.next();
    for number in 0..200u8 {
        let mut server = ONE;
        server[9] = number;
        wire.hear(&advertise(&solicit, server, number));
    }
    assert!(wire.client.status().contains(", 8 Advertises, "), "{}", wire.client.status());
    assert_eq!(wire.next_is(MessageType::Request).options.get(2).unwrap()[9], 199);
}
