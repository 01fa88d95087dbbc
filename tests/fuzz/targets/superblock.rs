//! Superblocks: any device is recognized or not.
//!
//! The first byte of the input chooses where on an empty device the rest lies, so that the fuzzer reaches what is kept
//! 64 KiB inside with short inputs.
#![no_main]

use dayfly_wire::superblock::{PROBE_LEN, image_len, kernel_needs, probe, squashfs_compression};
use dayfly_wire::{foreign, mbr};
use libfuzzer_sys::fuzz_target;

/// The start, ext and erofs, LVM2, swap's end of a page, md 1.2, ISO 9660, btrfs, ZFS.
const PLACES: [usize; 8] = [0, 1024, 512, 4086, 4096, 0x8000, 0x1_0000, 0x4000];

fuzz_target!(|input: &[u8]| {
    let Some((&place, bytes)) = input.split_first() else { return };
    let mut device = vec![0; PROBE_LEN];
    let at = PLACES[usize::from(place) % PLACES.len()];
    for (slot, byte) in device.iter_mut().skip(at).zip(bytes) {
        *slot = *byte;
    }
    for device in [bytes, &device[..(at + bytes.len()).min(PROBE_LEN)], &device] {
        if let Some(found) = probe(device) {
            assert!(!found.kind.as_str().is_empty());
            assert!(found.label.is_none_or(|label| !label.is_empty() && !label.contains('\0')));
            assert!(found.uuid.is_none_or(|uuid| !uuid.is_empty()));
        }
        image_len(device);
        squashfs_compression(device);
        kernel_needs(device);
        foreign::recognize(device);
        mbr::parse(device);
    }
});
