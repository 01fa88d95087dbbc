use super::*;

fn address(text: &str) -> SocketAddrV4 {
    text.parse().unwrap()
}

fn packet(payload: &[u8]) -> Vec<u8> {
    encode(address("0.0.0.0:68"), address("255.255.255.255:67"), payload)
}

/// Recomputes the IP header checksum after an edit.
fn sealed(mut packet: Vec<u8>) -> Vec<u8> {
    let header = usize::from(packet[0] & 15) * 4;
    packet[10..12].copy_from_slice(&[0, 0]);
    let checksum = fold(sum(0, &packet[..header]));
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet
}

fn edited(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut packet = packet(b"hello");
    packet[at..at + bytes.len()].copy_from_slice(bytes);
    sealed(packet)
}

#[test]
fn checksums_are_those_of_a_packet_from_the_wire() {
    // Computed by hand (RFC 1071): 4500+0021+0000+4000+4011+0000+0a00+0001+0a00+0002 = d935... folded and inverted.
    let packet = encode(address("10.0.0.1:68"), address("10.0.0.2:67"), b"hello");
    let words = [0x4500u32, 33, 0, 0x4000, 0x4011, 0x0a00, 1, 0x0a00, 2];
    let total: u32 = words.iter().sum();
    let by_hand = !((total & 0xffff) + (total >> 16)) as u16;
    assert_eq!(packet[10..12], by_hand.to_be_bytes());
    let words = [0x0a00u32, 1, 0x0a00, 2, 17, 13, 68, 67, 13, 0x6865, 0x6c6c, 0x6f00];
    let total: u32 = words.iter().sum();
    let by_hand = !((total & 0xffff) + (total >> 16)) as u16;
    assert_eq!(packet[26..28], by_hand.to_be_bytes());
    assert_eq!(packet.len(), 33);
}

#[test]
fn a_checksum_of_zero_is_sent_as_ones() {
    // The payload word that makes the sum ffff: its checksum would mean "none".
    let without = packet(&[0, 0]);
    let made = u16::from_be_bytes([without[26], without[27]]);
    let packet = packet(&made.to_be_bytes());
    assert_eq!(packet[26..28], [0xff, 0xff]);
    assert!(parse(&packet, Checksum::Verify).is_ok());
}

#[test]
fn padding_and_ip_options_are_skipped() {
    let plain = packet(b"hello");
    let mut padded = plain.clone();
    padded.extend_from_slice(&[0xee; 13]);
    let mut with_options = plain.clone();
    with_options[0] = 0x46;
    with_options[3] += 4;
    with_options.splice(20..20, [0x94, 4, 0, 0]);
    for packet in [plain, padded, sealed(with_options)] {
        let datagram = parse(&packet, Checksum::Verify).unwrap();
        assert_eq!(datagram.payload, b"hello");
        assert_eq!(datagram.src, address("0.0.0.0:68"));
        assert_eq!(datagram.dst, address("255.255.255.255:67"));
    }
}

#[test]
fn the_udp_checksum_is_checked_unless_told_not_to() {
    let broken = edited(30, b"x");
    let none = edited(26, &[0, 0]);
    let partial = edited(26, &[0x12, 0x34]);
    for (packet, verify, trust) in [
        (&broken, Err(PacketError::UdpChecksum), Ok(())),
        (&partial, Err(PacketError::UdpChecksum), Ok(())),
        (&none, Ok(()), Ok(())),
    ] {
        assert_eq!(parse(packet, Checksum::Verify).map(|_| ()), verify);
        assert_eq!(parse(packet, Checksum::Trust).map(|_| ()), trust);
    }
}

#[test]
fn bad_packets_are_named() {
    let mut bad_sum = packet(b"hello");
    bad_sum[10] ^= 1;
    let mut cut = packet(b"hello");
    cut.truncate(30);
    for (bytes, error) in [
        (vec![], "packet has 0 bytes; expected 20"),
        (vec![0x45; 10], "packet has 10 bytes; expected 20"),
        (vec![0x4f; 30], "packet has 30 bytes; expected 60"),
        (vec![0x60; 40], "packet has IP version 6; expected 4"),
        (vec![0x44; 40], "IP header has a length of 4 words; expected 5 to 15"),
        (bad_sum, "IP header has a wrong checksum"),
        (cut, "packet has 30 bytes; expected 33"),
        (edited(2, &[0, 19]), "packet has 19 bytes; expected 28"),
        (edited(2, &[0, 27]), "packet has 27 bytes; expected 28"),
        (edited(6, &[0x20, 0]), "packet is a fragment, and fragments are not reassembled"),
        (edited(6, &[0, 1]), "packet is a fragment, and fragments are not reassembled"),
        (edited(9, &[6]), "packet has protocol 6; expected 17, UDP"),
        (edited(24, &[0, 7]), "UDP header has a length of 7 bytes; expected 8 to 13"),
        (edited(24, &[0, 14]), "UDP header has a length of 14 bytes; expected 8 to 13"),
    ] {
        assert_eq!(parse(&bytes, Checksum::Verify).unwrap_err().to_string(), error);
    }
}

#[test]
fn a_payload_too_large_is_cut() {
    let packet = packet(&vec![7; PAYLOAD_MAX + 1]);
    assert_eq!(packet.len(), 65_535);
    assert_eq!(parse(&packet, Checksum::Verify).unwrap().payload.len(), PAYLOAD_MAX);
}

proptest::proptest! {
    #[test]
    fn what_is_sent_is_received(
        src: u32, dst: u32, sport: u16, dport: u16,
        payload in proptest::collection::vec(0u8.., 0..600), padding in 0usize..20,
    ) {
        let src = SocketAddrV4::new(src.into(), sport);
        let dst = SocketAddrV4::new(dst.into(), dport);
        let mut packet = encode(src, dst, &payload);
        packet.resize(packet.len() + padding, 0xee);
        for checksum in [Checksum::Verify, Checksum::Trust] {
            let datagram = parse(&packet, checksum).unwrap();
            proptest::prop_assert_eq!((datagram.src, datagram.dst, datagram.payload), (src, dst, &payload[..]));
        }
    }

    #[test]
    fn one_flipped_bit_is_noticed(
        payload in proptest::collection::vec(0u8.., 0..64), at in 0usize..1000, bit in 0u8..8,
    ) {
        let mut packet = encode("10.0.0.1:67".parse().unwrap(), "10.0.0.2:68".parse().unwrap(), &payload);
        let at = at % packet.len();
        packet[at] ^= 1 << bit;
        // A checksum that becomes zero means "none": this is a gap of UDP itself.
        proptest::prop_assume!(packet[26..28] != [0, 0]);
        proptest::prop_assert!(parse(&packet, Checksum::Verify).is_err());
    }
}
