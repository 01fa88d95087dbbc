use super::super::{MessageType, Op};
use super::*;
use crate::mac::Mac;

mod unfit;

fn v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// An ACK of 10.0.0.5/24 from 10.0.0.1 for an hour, with options added or (with no bytes) taken away.
fn ack(changes: &[(u8, Option<&[u8]>)]) -> Message {
    let mut message =
        Message { op: Op::Reply, yiaddr: v4("10.0.0.5"), ..Message::request(1, Mac([2, 0, 0, 0, 0, 1])) };
    let mut options: Vec<(u8, Vec<u8>)> = vec![
        (53, vec![MessageType::Ack.number()]),
        (54, vec![10, 0, 0, 1]),
        (1, vec![255, 255, 255, 0]),
        (51, vec![0, 0, 14, 16]),
    ];
    for (code, bytes) in changes {
        options.retain(|(other, _)| other != code);
        options.extend(bytes.map(|bytes| (*code, bytes.to_vec())));
    }
    for (code, bytes) in options {
        message.options.set(code, bytes);
    }
    message
}

fn lease(changes: &[(u8, Option<&[u8]>)]) -> Lease {
    Lease::from_message(&ack(changes)).unwrap()
}

fn plain() -> Lease {
    Lease {
        address: v4("10.0.0.5"),
        prefix: 24,
        routers: vec![],
        routes: vec![],
        dns: vec![],
        ntp: vec![],
        domain: None,
        search: vec![],
        hostname: None,
        mtu: None,
        server: v4("10.0.0.1"),
        lease_seconds: Some(3600),
        renew_seconds: Some(1800),
        rebind_seconds: Some(3150),
        notes: vec![],
        message: vec![],
    }
}

#[test]
fn everything_at_once() {
    let message = ack(&[
        (3, Some(&[10, 0, 0, 1, 10, 0, 0, 2])),
        (6, Some(&[1, 1, 1, 1, 9, 9, 9, 9, 1, 1, 1, 1])),
        (12, Some(b"node1.example.org\0")),
        (15, Some(b"example.org.\0")),
        (26, Some(&[0x23, 0x28])),
        (42, Some(&[10, 0, 0, 9, 224, 0, 1, 1, 10, 0, 0, 8, 10, 0, 0, 9])),
        (58, Some(&[0, 0, 0, 60])),
        (59, Some(&[0, 0, 0, 90])),
        (119, Some(b"\x03eng\x05apple\x03com\x00\x09marketing\xc0\x04\xc0\x00")),
    ]);
    assert_eq!(
        Lease::from_message(&message).unwrap(),
        Lease {
            routers: vec![v4("10.0.0.1"), v4("10.0.0.2")],
            dns: vec![v4("1.1.1.1"), v4("9.9.9.9")],
            ntp: vec![v4("10.0.0.9"), v4("10.0.0.8")],
            hostname: Some("node1.example.org".to_owned()),
            domain: Some("example.org".to_owned()),
            mtu: Some(9000),
            renew_seconds: Some(60),
            rebind_seconds: Some(90),
            search: vec!["eng.apple.com".to_owned(), "marketing.apple.com".to_owned()],
            notes: vec!["time server 224.0.1.1 is a multicast address, ignored".to_owned()],
            ..plain()
        }
    );
}

#[test]
fn classless_routes_replace_routers() {
    let list = [
        0, 10, 0, 0, 1, // default
        24, 192, 168, 7, 10, 0, 0, 2, // 192.168.7.0/24
        12, 172, 31, 10, 0, 0, 3, // 172.16.0.0/12, host bits to be cleared
        32, 169, 254, 169, 254, 0, 0, 0, 0, // on the link
    ];
    let with = lease(&[(3, Some(&[10, 0, 0, 9])), (121, Some(&list))]);
    let routes: Vec<_> = with.routes.iter().map(Route::to_string).collect();
    assert_eq!(
        routes,
        [
            "0.0.0.0/0 via 10.0.0.1",
            "192.168.7.0/24 via 10.0.0.2",
            "172.16.0.0/12 via 10.0.0.3",
            "169.254.169.254/32 on the link",
        ]
    );
    assert_eq!(with.routers, Vec::<Ipv4Addr>::new());
    assert_eq!(with.effective_routes(), with.routes);

    let without = lease(&[(3, Some(&[10, 0, 0, 9, 10, 0, 0, 8]))]);
    let routes: Vec<_> = without.effective_routes().iter().map(Route::to_string).collect();
    assert_eq!(routes, ["0.0.0.0/0 via 10.0.0.9"]);
    assert_eq!(plain().effective_routes(), []);
}

#[test]
fn routes_that_make_sense_stay() {
    let routes = |prefix: u8, list: &[u8]| {
        let mask = (u64::MAX << (32 - prefix)) as u32;
        let lease = lease(&[(1, Some(&mask.to_be_bytes())), (121, Some(list))]);
        (lease.routes.iter().map(Route::to_string).collect::<Vec<_>>(), lease.notes)
    };
    for (prefix, list, expected, note) in [
        // The second default route would replace the first.
        (
            24,
            &[0, 10, 0, 0, 1, 0, 10, 0, 0, 2][..],
            &["0.0.0.0/0 via 10.0.0.1"][..],
            Some(
                "route 0.0.0.0/0 via 10.0.0.2 ignored: the same network already has a route, 0.0.0.0/0 via 10.0.0.1",
            ),
        ),
        // Two halves of the address space, as VPN tunnels use them.
        (
            24,
            &[1, 0, 10, 0, 0, 1, 1, 128, 10, 0, 0, 1],
            &["0.0.0.0/1 via 10.0.0.1", "128.0.0.0/1 via 10.0.0.1"],
            None,
        ),
        (24, &[0, 0, 0, 0, 0], &["0.0.0.0/0 on the link"], None),
        // A router that is only reachable through an on-link route.
        (
            24,
            &[32, 172, 16, 0, 1, 0, 0, 0, 0, 0, 172, 16, 0, 1],
            &["172.16.0.1/32 on the link", "0.0.0.0/0 via 172.16.0.1"],
            None,
        ),
        // A router as in clouds.
        (32, &[0, 172, 31, 1, 1], &["0.0.0.0/0 via 172.31.1.1"], None),
        (31, &[0, 172, 31, 1, 1], &["0.0.0.0/0 via 172.31.1.1"], None),
        (
            24,
            &[0, 172, 31, 1, 1],
            &["0.0.0.0/0 via 172.31.1.1"],
            Some("router 172.31.1.1 is outside the network 10.0.0.5/24, assumed to be on the link"),
        ),
        // One invalid route among valid ones.
        (
            24,
            &[4, 224, 10, 0, 0, 1, 0, 10, 0, 0, 1],
            &["0.0.0.0/0 via 10.0.0.1"],
            Some("route 224.0.0.0/4 via 10.0.0.1 ignored: 224.0.0.0/4 is multicast"),
        ),
    ] {
        let notes: Vec<String> = note.into_iter().map(str::to_owned).collect();
        let expected: Vec<String> = expected.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(routes(prefix, list), (expected, notes), "{prefix} {list:?}");
    }
    // If all classless routes are invalid, the router option is used.
    let lease = lease(&[(3, Some(&[10, 0, 0, 1])), (121, Some(&[8, 127, 10, 0, 0, 1]))]);
    assert_eq!(
        lease.effective_routes().iter().map(Route::to_string).collect::<Vec<_>>(),
        ["0.0.0.0/0 via 10.0.0.1"]
    );
}

#[test]
fn what_is_taken_with_a_word() {
    for (change, note) in [
        ((26, [5, 0].as_slice()), None),
        (
            (26, &[4, 255]),
            Some("MTU 1279 is below 1280, which IPv6 requires: this interface only supports IPv4"),
        ),
        ((26, &[255, 255]), None),
        ((51, &[0, 60]), Some("lease time is not a number of 4 bytes, assumed to be forever")),
        (
            (3, &[192, 168, 9, 1]),
            Some("router 192.168.9.1 is outside the network 10.0.0.5/24, assumed to be on the link"),
        ),
    ] {
        let lease = lease(&[(change.0, Some(change.1))]);
        assert_eq!(lease.notes, note.into_iter().map(str::to_owned).collect::<Vec<_>>(), "{change:?}");
        if change.0 == 26 {
            assert_eq!(lease.mtu, Some(u16::from_be_bytes([change.1[0], change.1[1]])));
        }
    }
}

#[test]
fn a_missing_mask_gives_the_classes_net() {
    for (address, prefix) in [
        ("10.1.2.3", 8),
        ("126.0.0.1", 8),
        ("128.0.0.1", 16),
        ("191.0.0.1", 16),
        ("192.0.0.1", 24),
        ("223.0.0.1", 24),
    ] {
        let message = Message { yiaddr: v4(address), ..ack(&[(1, None)]) };
        assert_eq!(Lease::from_message(&message).unwrap().prefix, prefix, "{address}");
    }
}

#[test]
fn times() {
    for (time, expected) in [
        (Some(&[255, 255, 255, 255][..]), (None, None, None)),
        (Some(&[0, 0, 0, 1]), (Some(1), Some(0), Some(1))),
        (Some(&[0, 1, 81, 128]), (Some(86_400), Some(43_200), Some(75_600))),
        (Some(&[255, 255, 255, 254]), (Some(0xffff_fffe), Some(0x7fff_ffff), Some(0xdfff_ffff))),
        (None, (None, None, None)),
    ] {
        let lease = lease(&[(51, time)]);
        assert_eq!((lease.lease_seconds, lease.renew_seconds, lease.rebind_seconds), expected, "{time:?}");
        assert_eq!(lease.notes.is_empty(), time.is_some());
    }
    let zero = lease(&[(51, Some(&[0, 0, 14, 16])), (58, Some(&[0, 0, 0, 0]))]);
    assert_eq!((zero.lease_seconds, zero.renew_seconds), (Some(3600), Some(1800)));
    let short = lease(&[(51, Some(&[0, 0, 14, 16])), (58, Some(&[0, 0, 0, 3]))]);
    assert_eq!((short.lease_seconds, short.renew_seconds), (Some(3600), Some(10)));
}
