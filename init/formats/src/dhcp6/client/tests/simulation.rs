//! Exchanges over a network that loses messages, and events in any order.

use proptest::prelude::*;

use super::*;

/// A server that answers each message as it should; `rapid` for two messages instead of four.
fn serve(message: &Message, server: [u8; 10], rapid: bool) -> Option<Message> {
    match message.kind {
        MessageType::Solicit if rapid => {
            let mut reply = answer(message, MessageType::Reply, server);
            reply.options.add(14, []);
            Some(reply)
        }
        MessageType::Solicit => Some(advertise(message, server, server[9])),
        MessageType::Request if message.options.get(2) == Some(&server[..]) => {
            Some(answer(message, MessageType::Reply, server))
        }
        MessageType::InformationRequest => Some(empty_answer(message, MessageType::Reply, server)),
        _ => None,
    }
}

proptest! {
    /// Two servers; each message of the client and each answer is lost with the chance `loss` of 8. As long as some arrive,
    /// the exchange ends, and it ends with an answer of one of them.
    #[test]
    fn a_lossy_network_only_delays(seed: u64, losses: u64, loss in 0u64..6, rapid: bool, stateless: bool) {
        let mut chance = Random::new(losses);
        let mut lost = || chance.next() % 8 < loss;
        let want = if stateless { Want::Information } else { Want::Address { iaid: IAID } };
        let mut client = Client::new(Duid::from_mac(MAC), want, None, seed);
        let mut over = false;
        let mut messages = 0;
        while !over {
            let now = client.next_wakeup();
            let Some(payload) = client.poll(now) else { panic!("nothing is sent: {}", client.status()) };
            messages += 1;
            prop_assert!(messages < 1000, "{}", client.status());
            let message = Message::parse(&payload).unwrap();
            for server in [ONE, TWO] {
                if over || lost() {
                    continue;
                }
                let Some(reply) = serve(&message, server, rapid) else { continue };
                if lost() {
                    continue;
                }
                // Half of the round-trip time of a LAN later; the client may be asking already.
                let received = client.receive(now + Duration::from_millis(1), &reply.encode());
                over = matches!(received, Received::Lease(_) | Received::Information(_));
                prop_assert!(!matches!(received, Received::Refused(_)));
            }
        }
        prop_assert_eq!(client.next_wakeup(), Duration::MAX);
        prop_assert!(client.status().contains(ONE_TEXT) || client.status().contains(TWO_TEXT));
    }

    /// Whatever arrives and whenever it is polled: no panic, one message per wake-up, and the wake-up is never in the past once
    /// the message is sent.
    #[test]
    fn any_order_of_events_keeps_the_pace(
        events in proptest::collection::vec((0u64..20_000, 0u8..12, 0u16..8, any::<bool>(), any::<u8>()), 0..80), seed: u64,
        stateless: bool,
    ) {
        let want = if stateless { Want::Information } else { Want::Address { iaid: IAID } };
        let mut client = Client::new(Duid::from_mac(MAC), want, None, seed);
        let mut now = Duration::ZERO;
        let mut last = Message::parse(&client.poll(now).unwrap()).unwrap();
        for (wait, kind, status, first, preference) in events {
            now += Duration::from_millis(wait);
            if let Some(payload) = client.poll(now) {
                last = Message::parse(&payload).unwrap();
                prop_assert!(client.next_wakeup() > now);
                prop_assert_eq!(client.poll(now), None);
            }
            let mut message = advertise(&last, if first { ONE } else { TWO }, preference);
            if status != 0 {
                Status { code: StatusCode::from_number(status), words: String::new() }.add_to(&mut message.options);
            }
            let mut payload = message.encode();
            payload[0] = kind;
            let received = client.receive(now, &payload);
            prop_assert!(!client.status().is_empty());
            match received {
                Received::Lease(_) => {
                    prop_assert_eq!((kind, last.kind, status), (7, MessageType::Request, 0));
                    prop_assert_eq!(last.options.get(2), message.options.get(2));
                    prop_assert_eq!(client.next_wakeup(), Duration::MAX);
                    break;
                }
                Received::Information(_) => {
                    prop_assert_eq!((kind, last.kind, status), (7, MessageType::InformationRequest, 0));
                    break;
                }
                Received::Refused(_) => prop_assert_eq!((kind, last.kind), (7, MessageType::Request)),
                Received::Advertise { .. } => prop_assert_eq!((kind, last.kind, status), (2, MessageType::Solicit, 0)),
                Received::Ignored(_) => {}
            }
            prop_assert!(client.next_wakeup() < Duration::MAX);
        }
    }
}
