//! GUID partition tables, as they are and with corrected checksums, which a fuzzer would never guess.
#![no_main]

use dayfly_formats::gpt::parse;
use libfuzzer_sys::fuzz_target;

/// CRC-32 as in zlib and the UEFI specification.
fn crc(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit))
}

fn number(disk: &[u8], at: usize) -> usize {
    u32::from_le_bytes(disk[at..at + 4].try_into().expect("four bytes")) as usize
}

/// Corrects both checksums for sectors of 512 bytes, if the table is within the bytes.
fn seal(disk: &mut [u8]) {
    if disk.len() < 1024 {
        return;
    }
    let start = number(disk, 512 + 72).saturating_mul(512);
    let length = number(disk, 512 + 80).saturating_mul(number(disk, 512 + 84));
    if let Some(entries) = disk.get(start..start.saturating_add(length)) {
        let sum = crc(entries);
        disk[512 + 88..512 + 92].copy_from_slice(&sum.to_le_bytes());
    }
    let size = number(disk, 512 + 12);
    if (92..=512).contains(&size) {
        disk[512 + 16..512 + 20].fill(0);
        let sum = crc(&disk[512..512 + size]);
        disk[512 + 16..512 + 20].copy_from_slice(&sum.to_le_bytes());
    }
}

fuzz_target!(|disk: &[u8]| {
    let mut sealed = disk.to_vec();
    seal(&mut sealed);
    for (disk, sector) in [(disk, 512), (&sealed, 512), (disk, 4096), (disk, 0), (disk, u32::MAX)] {
        match parse(disk, sector) {
            Ok(partitions) => {
                assert!(partitions.iter().all(|partition| partition.number > 0));
                assert!(partitions.is_sorted_by_key(|partition| partition.number));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
