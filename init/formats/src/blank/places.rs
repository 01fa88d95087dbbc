//! The locations of superblocks, their copies and partition tables on a disk.

use crate::superblock;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// The size of one read.
const READ: u64 = MIB;
/// The beginning and the end are read completely. They contain every primary superblock (the last one to begin is
/// LUKS2's second header at 4 MiB), partition tables and GPT's copy, the copies of FAT, exFAT, NTFS, HFS+, nilfs2, UDF,
/// ZFS, bcachefs and LVM2, and all metadata that firmware RAIDs and md store at the end.
const EDGE: u64 = 8 * MIB + 64 * KIB;
/// Enough for a superblock at the start of a group, including the 1 KiB that ext leaves before it with blocks of that
/// size.
const COPY: u64 = 4 * KIB;
/// Samples at equal distances.
const SAMPLES: u64 = 256;
const SAMPLE: u64 = 64 * KIB;
/// Samples at random offsets: data at regular distances could fall between the regular samples.
const CHANCES: u64 = 128;
const CHANCE: u64 = 16 * KIB;

/// A piece of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its offset.
    pub offset: u64,
    /// Its length, at most 1 MiB.
    pub len: usize,
}

/// All pieces of a disk of `len` bytes that [`super::check`] reads, ordered by offset, without duplicates.
pub fn places(len: u64, seed: u64) -> Vec<Place> {
    let mut spans = vec![(0, EDGE), (len.saturating_sub(EDGE), EDGE)];
    ext(len, &mut spans);
    xfs(len, &mut spans);
    fat(len, &mut spans);
    fixed(len, &mut spans);
    spans.extend(superblock::member_places(len).into_iter().map(|place| (place.offset, place.len as u64)));
    samples(len, seed, &mut spans);
    merge(len, spans)
}

/// ext2, ext3 and ext4 store copies of the superblock at the start of block groups: of group 1 and of the powers of 3,
/// 5 and 7, or with sparse_super2 of the first and the last. A group has 8 blocks (or clusters) per byte of a block.
/// Group sizes are powers of two: 8 MiB (1 KiB blocks), 128 MiB (4 KiB), 2 GiB (bigalloc) and more. reiserfs, OCFS2,
/// HAMMER2 and btrfs (64 MiB, 256 GiB) also store data at such offsets.
fn ext(len: u64, spans: &mut Vec<(u64, u64)>) {
    for bits in 23..=38 {
        let group = 1_u64 << bits;
        for number in sparse(len >> bits) {
            spans.push((number.saturating_mul(group), COPY));
        }
        spans.push(((len.saturating_sub(1) >> bits) << bits, COPY));
    }
    // With blocks of 8 KiB and more, a group has at most 65528 blocks.
    for bits in 13..=16 {
        for number in [1, 3, 5, 7] {
            spans.push((number * (65528 << bits), COPY));
        }
    }
}

/// 1 and the powers of 3, 5 and 7 up to a limit.
fn sparse(most: u64) -> Vec<u64> {
    let mut numbers = vec![1];
    for base in [3_u64, 5, 7] {
        let mut power = base;
        while power <= most {
            numbers.push(power);
            power = power.saturating_mul(base);
        }
    }
    numbers
}

/// xfs divides a disk into allocation groups of equal size, each with a superblock: four on most disks, more on a RAID
/// or if the tool counts processors, 1 TiB each on very large disks. The exact offset depends on the block size and the
/// stripe size, so the usual numbers are searched in a window.
fn xfs(len: u64, spans: &mut Vec<(u64, u64)>) {
    let window = |at: u64, before: u64, len: u64| (at.saturating_sub(before) & !(4 * KIB - 1), len);
    spans.push(window(len / 4, MIB, 2 * MIB));
    for (number, of) in [(1, 2), (3, 4), (1, 8), (1, 16), (1, 32)] {
        spans.push(window((len / of).saturating_mul(number), 128 * KIB, 256 * KIB));
    }
    for count in 2..=256 {
        let blocks = (len / (4 * KIB)).div_ceil(count);
        spans.push((blocks.saturating_mul(4 * KIB), COPY));
    }
    for number in 1..=4 {
        spans.push(window(number * TIB, 64 * KIB, 64 * KIB));
    }
}

/// The second FAT, and the start of exFAT's cluster heap, which is marked as used there. Both offsets follow from the
/// disk size and the cluster size.
fn fat(len: u64, spans: &mut Vec<(u64, u64)>) {
    for bits in 9..=17 {
        let fat = (len >> bits).saturating_mul(4);
        spans.push((fat.saturating_sub(32 * KIB) & !511, 96 * KIB));
        // exFAT's heap, after a FAT that begins at 1 MiB, with the same alignment.
        let heap = fat.saturating_add(MIB).checked_next_multiple_of(MIB).unwrap_or(u64::MAX);
        spans.push((heap, COPY));
        spans.push((heap.saturating_add(MIB), COPY));
    }
}

/// Structures at fixed offsets.
fn fixed(len: u64, spans: &mut Vec<(u64, u64)>) {
    // Copies of the label of Ceph's BlueStore, which has five.
    spans.extend([10, 100, 1000].map(|number| (number * GIB, COPY)));
    // BitLocker's first metadata block, at its default offset.
    spans.push((0x0210_0000, 64 * KIB));
    // DRBD's old fixed metadata at the end.
    spans.push((len.saturating_sub(128 * MIB) & !(4 * KIB - 1), COPY));
    // Old versions of NTFS store a copy of its first records in the middle. The log of xfs is also there.
    spans.push(((len / 2) & !(4 * KIB - 1), 64 * KIB));
}

fn samples(len: u64, seed: u64, spans: &mut Vec<(u64, u64)>) {
    let step = len / SAMPLES;
    spans.extend((1..SAMPLES).map(|number| (number.saturating_mul(step) & !511, SAMPLE)));
    // SplitMix64, by Sebastiano Vigna: good enough for unpredictable offsets.
    let mut state = seed;
    for _ in 0..CHANCES {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = state;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^= value >> 31;
        spans.push((value.checked_rem(len).unwrap_or_default() & !511, CHANCE));
    }
}

/// Sorts the spans, joins adjacent ones, cuts them at the end of the disk, and splits them into pieces.
fn merge(len: u64, mut spans: Vec<(u64, u64)>) -> Vec<Place> {
    spans.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::with_capacity(spans.len());
    for (offset, size) in spans {
        let end = offset.saturating_add(size).min(len);
        match joined.last_mut() {
            Some((_, last)) if offset <= *last => *last = end.max(*last),
            _ if offset < end => joined.push((offset, end)),
            _ => {}
        }
    }
    let cut = |(from, end): (u64, u64)| {
        (0..(end - from).div_ceil(READ)).map(move |piece| {
            let offset = from + piece * READ;
            Place { offset, len: usize::try_from((end - offset).min(READ)).unwrap_or(0) }
        })
    };
    joined.into_iter().flat_map(cut).collect()
}
