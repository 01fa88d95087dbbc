//! IPv4 and UDP packets: a packet that passes the checks also passes without them, and can be written and read again.
#![no_main]

use dayfly_formats::udp4::{Checksum, encode, parse};
use libfuzzer_sys::fuzz_target;

/// Corrects the header's checksum, which a fuzzer rarely guesses.
fn seal(packet: &mut [u8]) {
    let length = packet.first().map_or(0, |first| usize::from(first & 15) * 4);
    if length < 20 || packet.len() < length {
        return;
    }
    packet[10..12].copy_from_slice(&[0, 0]);
    let mut sum: u32 =
        packet[..length].chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    packet[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

fuzz_target!(|packet: &[u8]| {
    let mut sealed = packet.to_vec();
    seal(&mut sealed);
    for packet in [packet, &sealed] {
        let trusted = parse(packet, Checksum::Trust);
        if let Ok(verified) = parse(packet, Checksum::Verify) {
            assert_eq!(trusted, Ok(verified));
        }
        if let Ok(datagram) = trusted {
            let again = encode(datagram.src, datagram.dst, datagram.payload);
            assert_eq!(parse(&again, Checksum::Verify), Ok(datagram));
        }
    }
});
