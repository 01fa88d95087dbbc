//! dhcproto, a full DHCP library, as the second opinion: what it writes we read, and what we write it reads.

use std::net::Ipv6Addr;
use std::time::Duration;

use dhcproto::v6::{
    self, DhcpOption as Theirs, IAAddr, IANA, NtpSuboption, OptionCode, StatusCode as TheirStatus,
};
use dhcproto::{Decodable, Decoder, Encodable, Encoder, Name};
use proptest::prelude::*;

use super::client::{Client, Received, Want};
use super::{
    Config6, Duid, IaAddress, IaNa, Information6, Lease6, Message, MessageType, Status, StatusCode,
    TimeServer,
};
use crate::domain_names;

const UUID: [u8; 16] =
    [0xf8, 0x1d, 0x4f, 0xae, 0x7d, 0xec, 0x11, 0xd0, 0xa7, 0x65, 0, 0xa0, 0xc9, 0x1e, 0x6b, 0xf6];

fn duid() -> Duid {
    Duid::from_uuid(UUID).unwrap()
}

fn encoded(message: &v6::Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).unwrap();
    bytes
}

fn decoded(bytes: &[u8]) -> v6::Message {
    v6::Message::decode(&mut Decoder::new(bytes)).unwrap()
}

/// Any host's global address.
fn host() -> impl Strategy<Value = Ipv6Addr> {
    (0x2000u16..0x4000, any::<[u16; 7]>())
        .prop_map(|(first, [b, c, d, e, f, g, h])| Ipv6Addr::new(first, b, c, d, e, f, g, h))
}

/// A list without repetition.
fn hosts() -> impl Strategy<Value = Vec<Ipv6Addr>> {
    proptest::collection::btree_set(host(), 0..20).prop_map(|set| set.into_iter().collect())
}

fn domain() -> impl Strategy<Value = String> {
    "[a-z]([a-z0-9-]{0,10}[a-z0-9])?(\\.[a-z][a-z0-9]{0,8}){1,3}"
}

fn time_server() -> impl Strategy<Value = TimeServer> {
    prop_oneof![
        host().prop_map(TimeServer::Address),
        any::<[u16; 7]>().prop_map(|[b, c, d, e, f, g, h]| {
            TimeServer::Multicast(Ipv6Addr::new(0xff05, b, c, d, e, f, g, h))
        }),
        domain().prop_map(TimeServer::Name),
    ]
}

prop_compose! {
    fn config()(
        dns in hosts(), search in proptest::collection::btree_set(domain(), 0..20),
        ntp in proptest::collection::vec(time_server(), 0..6), url in proptest::option::of("[a-z]{3,5}://[a-z0-9./]{1,40}"),
    ) -> Config6 {
        let mut unique: Vec<TimeServer> = Vec::new();
        for server in ntp {
            if !unique.contains(&server) {
                unique.push(server);
            }
        }
        Config6 { dns, search: search.into_iter().collect(), ntp: unique, boot_file_url: url, ..Config6::default() }
    }
}

/// dhcproto writes names with compression pointers when it writes several at once, which RFC 8415 section 10 forbids: the bytes
/// of the list are ours.
fn search_option(search: &[String]) -> Theirs {
    let bytes = search.iter().flat_map(|name| [domain_names::encode(name), vec![0]].concat()).collect();
    unknown(24, bytes)
}

fn unknown(code: u16, bytes: Vec<u8>) -> Theirs {
    Theirs::Unknown(v6::UnknownOption::new(OptionCode::from(code), bytes))
}

/// The Reply with these settings, as dhcproto writes it.
fn their_reply(config: &Config6) -> v6::Message {
    let mut message = v6::Message::new_with_id(v6::MessageType::Reply, [0, 0, 9]);
    let ntp = config.ntp.iter().map(|server| match server {
        TimeServer::Address(address) => NtpSuboption::ServerAddress(*address),
        TimeServer::Multicast(address) => NtpSuboption::MulticastAddress(*address),
        TimeServer::Name(name) => NtpSuboption::FQDN(Name::from_ascii(format!("{name}.")).unwrap()),
    });
    let ntp: Vec<_> = ntp.collect();
    for option in [
        Some(Theirs::ClientId(duid().as_bytes().to_vec())),
        Some(Theirs::ServerId(vec![0, 2, 1, 2, 3])),
        (!config.dns.is_empty()).then(|| Theirs::DomainNameServers(config.dns.clone())),
        (!config.search.is_empty()).then(|| search_option(&config.search)),
        (!ntp.is_empty()).then_some(Theirs::NtpServer(ntp)),
        config.boot_file_url.clone().map(|url| unknown(59, url.into_bytes())),
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
    fn we_read_what_they_write(
        config in config(), address in host(), iaid: u32, preferred in 1u32.., more: u32, t1 in 1u32..1000, after in 0u32..1000,
        words in "[ -~]{0,40}",
    ) {
        let valid = preferred.saturating_add(more);
        let mut reply = their_reply(&config);
        let mut opts = v6::DhcpOptions::new();
        opts.insert(Theirs::IAAddr(IAAddr { addr: address, preferred_life: preferred, valid_life: valid, opts: v6::DhcpOptions::new() }));
        opts.insert(Theirs::StatusCode(TheirStatus { status: v6::Status::Success, msg: words }));
        reply.opts_mut().insert(Theirs::IANA(IANA { id: iaid, t1, t2: t1 + after, opts }));
        let raw = encoded(&reply);
        let message = Message::parse(&raw).unwrap();
        prop_assert_eq!((message.kind, message.xid), (MessageType::Reply, 9));
        let server = "00:02:01:02:03".to_owned();
        let expected = Lease6 { address, preferred, valid, t1, t2: t1 + after, server, config, raw };
        prop_assert_eq!(Lease6::from_message(&message, iaid), Ok(expected));
    }

    #[test]
    fn we_read_the_settings_that_they_write(config in config(), refresh in proptest::option::of(600u32..)) {
        let mut reply = their_reply(&config);
        if let Some(seconds) = refresh {
            reply.opts_mut().insert(Theirs::InformationRefreshTime(seconds));
        }
        let raw = encoded(&reply);
        let expected = Information6 { server: "00:02:01:02:03".to_owned(), config, refresh: refresh.unwrap_or(86_400), raw };
        prop_assert_eq!(Information6::from_message(&Message::parse(&expected.raw).unwrap()), Ok(expected));
    }

    #[test]
    fn they_read_what_we_write(
        kind in 1u8..=11, xid in 0u32..1 << 24, dns in hosts(), preference: u8, elapsed: u16, code in 0u16..23, words in "[ -~]{0,40}",
        iaid: u32, times: [u32; 4], address in host(), content in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let [t1, t2, preferred, valid] = times;
        let status = Status { code: StatusCode::from_number(code), words: words.clone() };
        let association = IaNa {
            iaid, t1, t2, addresses: vec![IaAddress { address, preferred, valid, status: None }], status: Some(status.clone()),
        };
        let mut ours = Message::parse(&[kind, 0, 0, 0]).unwrap();
        ours.xid = xid;
        ours.options.add(1, duid().as_bytes());
        ours.options.add(3, association.encode());
        ours.options.add(7, [preference]);
        ours.options.add(8, elapsed.to_be_bytes());
        status.add_to(&mut ours.options);
        ours.options.add(14, []);
        ours.options.add(23, dns.iter().flat_map(Ipv6Addr::octets).collect::<Vec<u8>>());
        ours.options.add(999, content.clone());
        let bytes = ours.encode();
        prop_assert_eq!(Message::parse(&bytes), Ok(ours));

        let theirs = decoded(&bytes);
        prop_assert_eq!((u8::from(theirs.msg_type()), theirs.xid_num()), (kind, xid));
        let their_status = Theirs::StatusCode(TheirStatus { status: code.into(), msg: words });
        let mut opts = v6::DhcpOptions::new();
        opts.insert(Theirs::IAAddr(IAAddr { addr: address, preferred_life: preferred, valid_life: valid, opts: v6::DhcpOptions::new() }));
        opts.insert(their_status.clone());
        let expected = [
            Theirs::ClientId(duid().as_bytes().to_vec()),
            Theirs::IANA(IANA { id: iaid, t1, t2, opts }),
            Theirs::Preference(preference),
            Theirs::ElapsedTime(elapsed),
            their_status,
            Theirs::RapidCommit,
            Theirs::DomainNameServers(dns),
            unknown(999, content),
        ];
        prop_assert_eq!(theirs.opts().iter().cloned().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn nothing_that_was_damaged_panics(
        config in config(), edits in proptest::collection::vec((0usize..2000, any::<u8>()), 1..20), cut in 0usize..2000,
    ) {
        let mut reply = their_reply(&config);
        reply.opts_mut().insert(unknown(3, IaNa::wanted(7, Some(Ipv6Addr::LOCALHOST)).encode()));
        let mut bytes = encoded(&reply);
        for (at, byte) in edits {
            let at = 4 + at % (bytes.len() - 4);
            bytes[at] = byte;
        }
        bytes.truncate(4 + cut);
        if let Ok(message) = Message::parse(&bytes) {
            prop_assert_eq!(message.encode(), bytes);
            if let Err(error) = Lease6::from_message(&message, 7) {
                prop_assert!(!error.to_string().contains(char::is_control));
            }
            let found = Config6::from_options(&message.options);
            let text = [&found.hostname, &found.boot_file_url];
            for text in text.into_iter().flatten().chain(&found.search).chain(&found.notes) {
                prop_assert!(!text.contains(char::is_control), "{text:?}");
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = Message::parse(&bytes) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }
}

#[test]
fn they_understand_our_solicit_and_request() {
    let mut client = Client::new(duid(), Want::Address { iaid: 7 }, Some("node1".to_owned()), 1);
    let solicit = decoded(&client.poll(Duration::ZERO).unwrap());
    assert_eq!(solicit.msg_type(), v6::MessageType::Solicit);
    let options = solicit.opts();
    assert_eq!(options.get(OptionCode::ClientId), Some(&Theirs::ClientId(duid().as_bytes().to_vec())));
    assert_eq!(options.get(OptionCode::RapidCommit), Some(&Theirs::RapidCommit));
    let class = Theirs::UserClass(v6::UserClass { data: vec![b"dayfly".to_vec()] });
    assert_eq!(options.get(OptionCode::UserClass), Some(&class));
    let Some(Theirs::ORO(wanted)) = options.get(OptionCode::ORO) else { panic!("{options:?}") };
    let codes: Vec<_> = wanted.opts.iter().map(|code| u16::from(*code)).collect();
    assert_eq!(codes, [23, 24, 31, 39, 56, 59, 82]);

    let address: Ipv6Addr = "2001:db8::5".parse().unwrap();
    let mut advertise = v6::Message::new_with_id(v6::MessageType::Advertise, solicit.xid());
    advertise.opts_mut().insert(Theirs::ClientId(duid().as_bytes().to_vec()));
    advertise.opts_mut().insert(Theirs::ServerId(vec![0, 2, 1, 2, 3]));
    advertise.opts_mut().insert(Theirs::Preference(255));
    let opts = [Theirs::IAAddr(IAAddr {
        addr: address,
        preferred_life: 60,
        valid_life: 60,
        opts: v6::DhcpOptions::new(),
    })];
    advertise.opts_mut().insert(Theirs::IANA(IANA { id: 7, t1: 0, t2: 0, opts: opts.into_iter().collect() }));
    let received = client.receive(Duration::ZERO, &encoded(&advertise));
    assert_eq!(
        received,
        Received::Advertise { server: "00:02:01:02:03".to_owned(), address, preference: 255 }
    );
    let request = decoded(&client.poll(Duration::ZERO).unwrap());
    assert_eq!(request.msg_type(), v6::MessageType::Request);
    assert_eq!(request.opts().get(OptionCode::ServerId), Some(&Theirs::ServerId(vec![0, 2, 1, 2, 3])));
    let Some(Theirs::IANA(asked)) = request.opts().get(OptionCode::IANA) else { panic!("{request:?}") };
    let Some(Theirs::IAAddr(asked)) = asked.opts.get(OptionCode::IAAddr) else { panic!("{request:?}") };
    assert_eq!((asked.addr, asked.preferred_life, asked.valid_life), (address, 0, 0));
}
