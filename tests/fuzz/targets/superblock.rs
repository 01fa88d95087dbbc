//! Superblocks, the marks of members of RAID or LVM, and blank disks: every device is recognized or not, without a panic.
//!
//! The first byte of the input chooses where on an empty device the rest is, so that short inputs reach structures that
//! are 64 KiB inside.
#![no_main]

use std::convert::Infallible;

use dayfly_formats::blank::{check, judge, places};
use dayfly_formats::superblock::{
    PROBE_LEN, btrfs_devices, image_len, kernel_needs, member_of, probe, xfs_has_ftype,
};
use dayfly_formats::{foreign, mbr};
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
        kernel_needs(device);
        foreign::recognize(device);
        mbr::parse(device);
        btrfs_devices(device);
        xfs_has_ftype(device);
        mbr::part_uuid(device, u32::from(place));
        // The same bytes as the end of a disk, and in its middle.
        let len = device.len() as u64;
        let read = |offset: u64, count: usize| {
            let bytes = usize::try_from(offset).ok().and_then(|from| device.get(from..)).unwrap_or_default();
            Ok::<_, Infallible>(bytes.get(..count).unwrap_or(bytes).to_vec())
        };
        let member = member_of(len, read);
        assert!(member.is_ok_and(|name| name.is_none_or(|name| !name.is_empty())));
        // A device this short is read completely: it is blank if and only if all of it is zero.
        let is_zero = device.iter().all(|byte| *byte == 0);
        assert_eq!(check(len, u64::from(place), read).is_ok(), is_zero);
        assert_eq!(judge::<Infallible>(u64::MAX, 1 << 40, device).is_none(), is_zero);
    }
    if let Some(bytes) = bytes.first_chunk() {
        let len = u64::from_le_bytes(*bytes);
        assert!(
            places(len, u64::from(place))
                .iter()
                .all(|place| place.offset.saturating_add(place.len as u64) <= len)
        );
    }
});
