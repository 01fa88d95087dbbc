//! The DHCP client with servers that answer anything: it never sends twice at once, never stops before it has a lease, and
//! never accepts a lease that it did not request.
//!
//! The first byte says whether the client has an address of its last boot. The rest is a list of events: a wait in units of 100 ms, the
//! kind of answer, the number of bytes of options, and these bytes.
#![no_main]

use std::net::Ipv4Addr;
use std::time::Duration;

use dayfly_formats::dhcp4::client::{Client, Received};
use dayfly_formats::dhcp4::{Lease, Message, MessageType, Op};
use dayfly_formats::mac::Mac;
use libfuzzer_sys::fuzz_target;

const MAC: Mac = Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

fuzz_target!(|input: &[u8]| {
    let (first, input) = input.split_first().unwrap_or((&0, &[]));
    let last_address = (first & 1 == 1).then(|| Ipv4Addr::new(10, 0, 0, first >> 1));
    let mut client = Client::new(MAC, 7, Some("node1".to_owned()), input.len() as u64).with_last_address(last_address);
    let mut now = Duration::ZERO;
    let mut last = Message::request(7, MAC);
    let mut rest = input;
    while let Some((&[wait, what, length], after)) = rest.split_first_chunk::<3>() {
        let (options, after) = after.split_at(usize::from(length).min(after.len()));
        rest = after;
        now += Duration::from_millis(u64::from(wait) * 100);
        if let Some(payload) = client.poll(now) {
            last = Message::parse(&payload).expect("the client's own message is read");
            assert!(client.next_wakeup() > now);
            assert!(client.next_wakeup() <= now + Duration::from_secs(20));
        }
        assert_eq!(client.poll(now), None);

        let mut answer = Message {
            op: Op::Reply,
            yiaddr: Ipv4Addr::new(10, 0, 0, what),
            ..Message::request(last.xid, MAC)
        };
        answer.options.set(53, [what & 7]);
        answer.options.set(54, [10, 0, 0, 1 + (what >> 6)]);
        answer.options.set(51, [0, 0, 14, what]);
        let mut payload = answer.encode();
        // The fuzzer's options follow the test's, in place of the end option; an option code that exists already gets longer.
        let end = payload.iter().rposition(|byte| *byte == 255).expect("an end option");
        payload.splice(end.., options.iter().copied());
        let received = client.receive(now, &payload);
        assert!(!client.status().contains(char::is_control));
        match received {
            Received::Ignored(reason) | Received::Nak(reason) => assert!(!reason.contains(char::is_control)),
            Received::Offer { .. } => assert_eq!(client.next_wakeup(), now),
            Received::Lease(lease) => {
                // The ACK to a DISCOVER is a lease only with rapid commit, which the fuzzer can add. The REQUEST for the address of
                // the last boot names no server.
                if last.options.message_type() == Some(MessageType::Request) {
                    assert!(last.options.address(54).is_none_or(|server| server == lease.server));
                    assert!(last.options.get(54).is_some() || last.options.address(50) == Some(lease.address));
                }
                assert_eq!(client.next_wakeup(), Duration::MAX);
                extend(client, lease, now, rest);
                return;
            }
            Received::Ipv6Only(_) => unreachable!("this host needs IPv4"),
        }
        assert!(client.next_wakeup() < Duration::MAX);
    }
});

/// The rest of the input answers the REQUESTs that extend the lease: no REQUEST after the lease's end, and none twice.
fn extend(mut client: Client, lease: Lease, now: Duration, mut rest: &[u8]) {
    let mut renewal = client.renewal(lease, now);
    while let Some((&[what, length], after)) = rest.split_first_chunk::<2>() {
        let (options, after) = after.split_at(usize::from(length).min(after.len()));
        rest = after;
        let due = renewal.next_wakeup();
        if due >= renewal.expires() {
            assert_eq!(renewal.poll(due), None);
            return;
        }
        let (payload, _) = renewal.poll(due).expect("a REQUEST is due");
        assert_eq!(renewal.poll(due), None);
        assert!(renewal.next_wakeup() > due);
        let request = Message::parse(&payload).expect("the client's own message is read");
        let mut answer =
            Message { op: Op::Reply, yiaddr: request.ciaddr, ..Message::request(request.xid, MAC) };
        answer.options.set(53, [what & 7]);
        answer.options.set(54, [10, 0, 0, 1]);
        answer.options.set(51, [0, 0, 14, what]);
        let mut payload = answer.encode();
        let end = payload.iter().rposition(|byte| *byte == 255).expect("an end option");
        payload.splice(end.., options.iter().copied());
        renewal.receive(&payload);
        assert!(!renewal.status().contains(char::is_control));
    }
}
