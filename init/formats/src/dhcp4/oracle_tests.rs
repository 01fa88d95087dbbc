//! Comparison with dhcproto, a complete DHCP library: this code reads what dhcproto writes, and dhcproto reads what
//! this code writes.

use std::net::Ipv4Addr;
use std::time::Duration;

use dhcproto::v4::{self, DhcpOption as Theirs, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable, Encoder, Name};
use proptest::prelude::*;

use super::client::Client;
use super::{Lease, Message, MessageType, Op, Route};
use crate::mac::Mac;

const MAC: Mac = Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

fn encoded(message: &v4::Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).unwrap();
    bytes
}

/// Any valid host address.
fn host() -> impl Strategy<Value = Ipv4Addr> {
    (1u8..=223, any::<[u8; 2]>(), 1u8..=254)
        .prop_filter("loopback", |(first, ..)| *first != 127)
        .prop_map(|(a, [b, c], d)| Ipv4Addr::new(a, b, c, d))
}

/// A list without duplicates.
fn hosts() -> impl Strategy<Value = Vec<Ipv4Addr>> {
    proptest::collection::btree_set(host(), 0..80).prop_map(|set| set.into_iter().collect())
}

fn domain() -> impl Strategy<Value = String> {
    "[a-z]([a-z0-9-]{0,10}[a-z0-9])?(\\.[a-z][a-z0-9]{0,8}){1,3}"
}

fn route() -> impl Strategy<Value = Route> {
    (host(), 0u8..=32, host()).prop_map(|(net, prefix, gateway)| Route {
        destination: Ipv4Addr::from_bits(
            net.to_bits() & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0),
        ),
        prefix,
        gateway,
    })
}

/// Whether an address may be that of a router of this host.
fn may_route(router: Ipv4Addr, address: Ipv4Addr, prefix: u8) -> bool {
    let ones = u32::MAX >> prefix;
    let is_near = router.to_bits() & !ones == address.to_bits() & !ones;
    router != address && !(is_near && [0, ones].contains(&(router.to_bits() & ones)))
}

/// The valid routes, with each network only once.
fn sensible(routes: Vec<Route>, address: Ipv4Addr, prefix: u8) -> Vec<Route> {
    let mut seen = std::collections::BTreeSet::new();
    let routes = routes.into_iter().filter(|route| may_route(route.gateway, address, prefix));
    routes.filter(|route| seen.insert((route.destination, route.prefix))).collect()
}

prop_compose! {
    fn lease()(
        (address, prefix, server) in (host(), 1u8..=30, host()).prop_filter("the end of its net", |(address, prefix, server)| {
            let ones = u32::MAX >> prefix;
            address != server && ![0, ones].contains(&(address.to_bits() & ones))
        }),
        routers in hosts(), routes in proptest::collection::vec(route(), 0..60), dns in hosts(), ntp in hosts(),
        domain_name in proptest::option::of(domain()), hostname in proptest::option::of("[a-z][a-z0-9]{0,62}"),
        search in proptest::collection::btree_set(domain(), 0..32), mtu in proptest::option::of(576u16..),
        times in proptest::option::of((10u32..1000, 0u32..1000, 1u32..1000)),
    ) -> Lease {
        let routes = sensible(routes, address, prefix);
        let times = times.map(|(renew, more, rest)| (renew + more + rest, renew, renew + more));
        Lease {
            address, prefix, server, dns, ntp, hostname, mtu,
            routers: if routes.is_empty() { routers.into_iter().filter(|router| may_route(*router, address, prefix)).collect() } else { vec![] },
            routes,
            domain: domain_name,
            search: search.into_iter().collect(),
            lease_seconds: times.map(|(lease, ..)| lease),
            renew_seconds: times.map(|(_, renew, _)| renew),
            rebind_seconds: times.map(|(.., rebind)| rebind),
            notes: vec![],
            message: vec![],
        }
    }
}

/// The ACK for `lease`, written by dhcproto.
fn their_ack(lease: &Lease, header_names: bool) -> v4::Message {
    let zero = Ipv4Addr::UNSPECIFIED;
    let mut message = v4::Message::new_with_id(9, zero, lease.address, zero, zero, &MAC.0);
    message.set_opcode(v4::Opcode::BootReply);
    if header_names {
        message.set_sname_str("unused").set_fname_str("unused");
    }
    let list = |addresses: &[Ipv4Addr]| (!addresses.is_empty()).then(|| addresses.to_vec());
    let names = lease.search.iter().map(|name| Name::from_ascii(name).unwrap()).collect::<Vec<_>>();
    for option in [
        Some(Theirs::MessageType(v4::MessageType::Ack)),
        Some(Theirs::ServerIdentifier(lease.server)),
        Some(Theirs::SubnetMask(Ipv4Addr::from_bits(u32::MAX << (32 - u32::from(lease.prefix))))),
        Some(Theirs::AddressLeaseTime(lease.lease_seconds.unwrap_or(u32::MAX))),
        lease.renew_seconds.map(Theirs::Renewal),
        lease.rebind_seconds.map(Theirs::Rebinding),
        list(&lease.routers).map(Theirs::Router),
        list(&lease.dns).map(Theirs::DomainNameServer),
        list(&lease.ntp).map(Theirs::NtpServers),
        (!lease.routes.is_empty()).then(|| {
            Theirs::ClasslessStaticRoute(
                lease
                    .routes
                    .iter()
                    .map(|route| {
                        (format!("{}/{}", route.destination, route.prefix).parse().unwrap(), route.gateway)
                    })
                    .collect(),
            )
        }),
        lease.domain.clone().map(Theirs::DomainName),
        lease.hostname.clone().map(Theirs::Hostname),
        (!names.is_empty()).then_some(Theirs::DomainSearch(names)),
        lease.mtu.map(Theirs::InterfaceMtu),
    ]
    .into_iter()
    .flatten()
    {
        message.opts_mut().insert(option);
    }
    message
}

proptest! {
    #[test]
    fn we_read_what_they_write(lease in lease(), header_names: bool) {
        let message = Message::parse(&encoded(&their_ack(&lease, header_names))).unwrap();
        prop_assert_eq!(message.options.message_type(), Some(MessageType::Ack));
        prop_assert_eq!((message.op, message.xid, message.chaddr), (Op::Reply, 9, MAC));
        let mut read = Lease::from_message(&message).unwrap();
        // Random routers are mostly outside the network and random MTUs small, which causes notes.
        read.notes.retain(|note| !note.contains("assumed to be on the link") && !note.contains("below 1280"));
        prop_assert_eq!(read, lease);
    }

    #[test]
    fn they_read_what_we_write(
        xid: u32, secs: u16, hops: u8, broadcast: bool, addresses: [u32; 4], mac: [u8; 6], sname in "[a-z]{0,63}",
        file in "[a-z/]{0,127}", dns in hosts(), name in domain(), lease in 0u32.., reply: bool, kind in 1u8..=8,
        unknown in proptest::collection::vec(0u8.., 1..255),
    ) {
        let [ciaddr, yiaddr, siaddr, giaddr] = addresses.map(Ipv4Addr::from_bits);
        let dns = dns.into_iter().take(60).collect::<Vec<_>>();
        let op = if reply { Op::Reply } else { Op::Request };
        let mut ours = Message { op, hops, secs, broadcast, ciaddr, yiaddr, siaddr, giaddr, ..Message::request(xid, Mac(mac)) };
        ours.sname = sname.clone().into_bytes();
        ours.file = file.clone().into_bytes();
        ours.options.set(53, [kind]);
        ours.options.set(15, name.as_bytes());
        ours.options.set(51, lease.to_be_bytes());
        ours.options.set(224, unknown.clone());
        if !dns.is_empty() {
            ours.options.set(6, dns.iter().flat_map(Ipv4Addr::octets).collect::<Vec<u8>>());
        }
        let bytes = ours.encode();
        prop_assert_eq!(Message::parse(&bytes), Ok(ours));

        let theirs = v4::Message::decode(&mut Decoder::new(&bytes)).unwrap();
        prop_assert_eq!(theirs.opcode(), if reply { v4::Opcode::BootReply } else { v4::Opcode::BootRequest });
        prop_assert_eq!((theirs.xid(), theirs.secs(), theirs.hops()), (xid, secs, hops));
        prop_assert_eq!(theirs.flags().broadcast(), broadcast);
        prop_assert_eq!([theirs.ciaddr(), theirs.yiaddr(), theirs.siaddr(), theirs.giaddr()], [ciaddr, yiaddr, siaddr, giaddr]);
        prop_assert_eq!(theirs.chaddr(), &mac[..]);
        // dhcproto keeps the terminating zero byte.
        let text = |field: Option<&[u8]>| String::from_utf8(field.unwrap_or_default().to_vec()).unwrap().replace('\0', "");
        prop_assert_eq!(text(theirs.sname()), sname);
        prop_assert_eq!(text(theirs.fname()), file);
        let options = theirs.opts();
        prop_assert_eq!(options.msg_type().map(u8::from), Some(kind));
        prop_assert_eq!(options.get(OptionCode::DomainName), Some(&Theirs::DomainName(name)));
        prop_assert_eq!(options.get(OptionCode::AddressLeaseTime), Some(&Theirs::AddressLeaseTime(lease)));
        let expected = (!dns.is_empty()).then_some(Theirs::DomainNameServer(dns));
        prop_assert_eq!(options.get(OptionCode::DomainNameServer), expected.as_ref());
        let Some(Theirs::Unknown(option)) = options.get(OptionCode::Unknown(224)) else { panic!("{options:?}") };
        prop_assert_eq!(option.data(), &unknown[..]);
    }

    #[test]
    fn nothing_that_was_damaged_panics(
        lease in lease(), edits in proptest::collection::vec((0usize..2000, 0u8..), 1..20), cut in 0usize..2000,
    ) {
        let mut bytes = encoded(&their_ack(&lease, true));
        for (at, byte) in edits {
            // After the cookie, where the bytes are read as options.
            let at = 240 + at % (bytes.len() - 240);
            bytes[at] = byte;
        }
        bytes.truncate(240 + cut);
        if let Ok(message) = Message::parse(&bytes) {
            prop_assert_eq!(Message::parse(&message.encode()), Ok(message.clone()));
            if let Ok(lease) = Lease::from_message(&message) {
                let text = [&lease.domain, &lease.hostname];
                for text in text.into_iter().flatten().chain(&lease.search).chain(&lease.notes) {
                    prop_assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
                }
            }
        }
    }
}

#[test]
fn they_understand_our_discover_and_request() {
    let mut client = Client::new(MAC, 9, Some("node1".to_owned()), 1);
    let read = |payload: Vec<u8>| v4::Message::decode(&mut Decoder::new(&payload)).unwrap();
    let discover = read(client.poll(Duration::ZERO).unwrap());
    assert_eq!(discover.opts().msg_type(), Some(v4::MessageType::Discover));
    assert_eq!(discover.opts().get(OptionCode::Hostname), Some(&Theirs::Hostname("node1".to_owned())));
    assert_eq!(discover.opts().get(OptionCode::MaxMessageSize), Some(&Theirs::MaxMessageSize(1472)));
    assert_eq!(
        discover.opts().get(OptionCode::ClientIdentifier),
        Some(&Theirs::ClientIdentifier(vec![1, 0x52, 0x54, 0, 0x12, 0x34, 0x56]))
    );

    let (address, server) = (Ipv4Addr::new(10, 0, 0, 50), Ipv4Addr::new(10, 0, 0, 1));
    let zero = Ipv4Addr::UNSPECIFIED;
    let mut offer = v4::Message::new_with_id(9, zero, address, zero, zero, &MAC.0);
    offer.set_opcode(v4::Opcode::BootReply);
    offer.opts_mut().insert(Theirs::MessageType(v4::MessageType::Offer));
    offer.opts_mut().insert(Theirs::ServerIdentifier(server));
    client.receive(Duration::ZERO, &encoded(&offer));
    let request = read(client.poll(Duration::ZERO).unwrap());
    assert_eq!(request.opts().msg_type(), Some(v4::MessageType::Request));
    assert_eq!(
        request.opts().get(OptionCode::RequestedIpAddress),
        Some(&Theirs::RequestedIpAddress(address))
    );
    assert_eq!(request.opts().get(OptionCode::ServerIdentifier), Some(&Theirs::ServerIdentifier(server)));
}
