//! Properties of the checked places. `tests/tests/superblock_oracle.rs` compares with real tools.

use std::convert::Infallible;

use super::*;

const LENGTHS: [u64; 12] = [
    0,
    1,
    4096,
    64 << 20,
    (64 << 20) + 512,
    500_107_862_016,
    1 << 40,
    (4 << 40) - 512,
    18 << 40,
    1 << 50,
    1 << 62,
    u64::MAX,
];

#[test]
fn a_look_is_bounded_and_inside_the_disk() {
    for len in LENGTHS {
        let places = places(len, 7);
        let bytes: u64 = places.iter().map(|place| place.len as u64).sum();
        assert!(bytes <= MOST_BYTES, "{len}: {bytes} bytes");
        assert!(places.len() <= MOST_READS, "{len}: {} reads", places.len());
        assert!(places.iter().all(|place| place.len > 0 && place.len <= 1 << 20), "{len}");
        let end = |place: &Place| place.offset + place.len as u64;
        assert!(places.iter().all(|place| end(place) <= len), "{len}: beyond the end");
        assert!(places.is_sorted_by(|a, b| end(a) <= b.offset), "{len}: read twice, or not in order");
    }
}

#[test]
fn every_byte_of_a_small_disk_is_seen() {
    let seen: u64 = places(16 << 20, 1).iter().map(|place| place.len as u64).sum();
    assert_eq!(seen, 16 << 20);
}

/// A disk that is empty except for some bytes at some offsets.
fn look(len: u64, fields: &[(u64, &[u8])]) -> Result<(), NotBlank<Infallible>> {
    check(len, 7, |offset, count| {
        let mut bytes = vec![0; count];
        for (at, field) in fields {
            for (index, byte) in field.iter().enumerate() {
                let at = at + index as u64;
                if let Some(slot) =
                    at.checked_sub(offset).and_then(|at| bytes.get_mut(usize::try_from(at).unwrap()))
                {
                    *slot = *byte;
                }
            }
        }
        Ok(bytes)
    })
}

/// Plausible fields of a superblock of ext.
const EXT: [u8; 0x80] = {
    let mut sb = [0; 0x80];
    sb[0] = 16;
    sb[4] = 64;
    sb[0x18] = 2;
    sb[0x38] = 0x53;
    sb[0x39] = 0xEF;
    sb[0x78] = b'd';
    sb[0x79] = 0x1B;
    sb
};

#[test]
fn what_lies_anywhere_that_is_known_is_seen_and_named() {
    const DISK: u64 = 500_107_862_016;
    let (mib, gib) = (1_u64 << 20, 1_u64 << 30);
    let table: &[(u64, &[u8], &str)] = &[
        // ext: groups 1, 3, 5, 7, 9, 25 of 1, 2 and 4 KiB blocks; a bigalloc group; sparse_super2's last group.
        (8 * mib + 1024, &EXT, "a superblock of ext2, ext3 or ext4 with the label d\\u{1b}"),
        (3 * 32 * mib, &EXT, "a superblock of ext"),
        (25 * 128 * mib, &EXT, "a superblock of ext"),
        (2401 * 128 * mib, &EXT, "a superblock of ext"),
        (2 * gib, &EXT, "a superblock of ext"),
        (3726 * 128 * mib, &EXT, "a superblock of ext"),
        (65528 << 16, &EXT, "a superblock of ext"),
        // xfs: four groups, by 4 KiB blocks; seven groups.
        (DISK / 4 / 4096 * 4096, b"XFSB", "a superblock of xfs"),
        ((DISK / 4096).div_ceil(7) * 4096, b"XFSB", "a superblock of xfs"),
        (64 * mib + 0x40, b"_BHRfS_M", "a superblock of btrfs"),
        (256 * gib + 0x40, b"_BHRfS_M", "a superblock of btrfs"),
        (DISK - 512, b"EFI PART", "a GUID partition table"),
        (4 * mib, b"SKUL\xba\xbe", "the second header of LUKS2"),
        (DISK / 65536 * 65536 - 65536, &[0xFC, 0x4E, 0x2B, 0xA9], "a superblock of md"),
        (DISK - 512, b"$XIDE$", "lsi_mega_raid_member's metadata"),
        (DISK - 1024, b"Intel Raid ISM Cfg Sig. ", "metadata of an Intel RAID"),
        (10 * gib, b"bluestore block device", "a label of Ceph's BlueStore"),
        (0x0210_0000, b"-FVE-FS-", "BitLocker"),
    ];
    for (at, bytes, name) in table {
        let found = look(DISK, &[(*at, bytes)]).expect_err(name).to_string();
        assert!(found.starts_with(&format!("has {name}")), "{at}: {found}");
        let block = at & !511;
        assert!(found.ends_with(&format!("on it, at byte {block}")), "{at}: {found}");
    }
    assert_eq!(look(DISK, &[]), Ok(()));
    let data = look(DISK, &[(DISK - 1, &[7])]).expect_err("data").to_string();
    assert_eq!(data, format!("has data on it, at byte {}: 07", DISK - 1));
}

#[test]
fn what_is_not_certain_is_not_blank() {
    let broken = check(
        64 << 20,
        7,
        |offset, len| {
            if offset == 0 { Ok(vec![0; len]) } else { Err("Input/output error") }
        },
    );
    let said = broken.expect_err("an error").to_string();
    assert_eq!(said, "cannot be read at byte 1048576, so its contents are unknown: Input/output error");
    let short = check(64 << 20, 7, |_, len| Ok::<_, Infallible>(vec![0; len.min(4096)]));
    let said = short.expect_err("too short").to_string();
    assert_eq!(said, "ends at byte 4096, before its reported size");
}

/// Each seed gives other places, and the same seed gives the same places.
#[test]
fn a_part_of_the_samples_is_chance() {
    assert_eq!(places(1 << 40, 7), places(1 << 40, 7));
    assert_ne!(places(1 << 40, 7), places(1 << 40, 8));
}
