//! Recognizes members of RAIDs and replicated devices by the metadata at the end of a device. The beginning of a member
//! may look like a separate file system. A write to it would make the member differ from the other copies.
//!
//! Sources: drivers/md, the DDF specification 2.0, DRBD's drbd_meta_data.h, OpenZFS's vdev_impl.h, and for firmware
//! RAIDs the offsets that libblkid and dmraid use.

use super::bytes::{array, at, byte, has, le16, le32};
use crate::blank::Place;

const SECTOR: u64 = 512;

/// The signature of one type of member.
struct Mark {
    /// blkid's name.
    name: &'static str,
    /// Its offset for a length of the device. `None` if the device is too short.
    place: fn(u64) -> Option<u64>,
    /// Whether these bytes at the offset match.
    is_it: fn(&[u8]) -> bool,
}

/// The number of bytes that are read at the offset of a signature.
const LOOK: usize = 512;

/// The offset of a number of sectors before the end.
fn back(len: u64, sectors: u64) -> Option<u64> {
    (len / SECTOR).checked_sub(sectors).map(|sector| sector * SECTOR)
}

const MARKS: &[Mark] = &[
    // md_p.h, MD_NEW_SIZE_SECTORS: the last but one complete 64 KiB block, in the byte order of the machine that
    // created it.
    Mark { name: "linux_raid_member", place: |len| (len & !0xFFFF).checked_sub(0x1_0000), is_it: is_md },
    // super_1_load(): at least eight sectors before the end, at a multiple of 4 KiB.
    Mark {
        name: "linux_raid_member",
        place: |len| Some(((len / SECTOR).checked_sub(16)? & !7) * SECTOR),
        is_it: is_md,
    },
    Mark { name: "ddf_raid_member", place: |len| back(len, 1), is_it: is_ddf },
    Mark { name: "ddf_raid_member", place: |len| back(len, 257), is_it: is_ddf },
    Mark { name: "isw_raid_member", place: |len| back(len, 2), is_it: is_isw },
    // With sectors of 4 KiB.
    Mark { name: "isw_raid_member", place: |len| back(len, 16), is_it: is_isw },
    Mark { name: "lsi_mega_raid_member", place: |len| back(len, 1), is_it: |b| has(b, 0, b"$XIDE$") },
    Mark { name: "via_raid_member", place: |len| back(len, 1), is_it: is_via },
    Mark { name: "silicon_medley_raid_member", place: |len| back(len, 1), is_it: is_silicon },
    Mark { name: "nvidia_raid_member", place: |len| back(len, 2), is_it: |b| has(b, 0, b"NVIDIA") },
    Mark {
        name: "adaptec_raid_member",
        place: |len| back(len, 1),
        is_it: |b| has(b, 0, &0x37FC_4D1E_u32.to_be_bytes()),
    },
    Mark { name: "jmicron_raid_member", place: |len| back(len, 1), is_it: is_jmicron },
    Mark { name: "hpt45x_raid_member", place: |len| back(len, 11), is_it: is_hpt45x },
    Mark { name: "drbd", place: |len| (len & !0xFFF).checked_sub(4096), is_it: is_drbd },
    Mark { name: "zfs_member", place: |len| zfs_label(len, 2), is_it: is_zfs },
    Mark { name: "zfs_member", place: |len| zfs_label(len, 1), is_it: is_zfs },
];

/// Possible offsets of the signature of Promise's FastTrak, in sectors before the end, from libblkid.
const PROMISE: [u64; 13] = [63, 255, 256, 16, 399, 591, 675, 735, 911, 974, 991, 951, 3087];

/// The locations at the end of a device of `len` bytes that [`member_at`] checks.
pub fn member_places(len: u64) -> Vec<Place> {
    let marks = MARKS.iter().filter_map(|mark| (mark.place)(len));
    let promise = PROMISE.iter().filter_map(|sectors| back(len, *sectors));
    let mut offsets: Vec<u64> = marks.chain(promise).collect();
    offsets.sort_unstable();
    offsets.dedup();
    offsets.into_iter().map(|offset| Place { offset, len: LOOK }).collect()
}

/// Checks the bytes at one of the [`member_places`] of a device of `len` bytes. Returns blkid's name of the member
/// type.
pub fn member_at(len: u64, offset: u64, bytes: &[u8]) -> Option<&'static str> {
    let marked = MARKS
        .iter()
        .filter(|mark| (mark.place)(len) == Some(offset))
        .find(|mark| (mark.is_it)(bytes))
        .map(|mark| mark.name);
    let promise = || {
        (has(bytes, 0, b"Promise Technology, Inc.")
            && PROMISE.iter().any(|sectors| back(len, *sectors) == Some(offset)))
        .then_some("promise_fasttrack_raid_member")
    };
    marked.or_else(promise)
}

/// Checks whether a device of `len` bytes is a member, and of what. `read` returns the requested number of bytes at an
/// offset.
pub fn member_of<E>(
    len: u64,
    mut read: impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
) -> Result<Option<&'static str>, E> {
    for place in member_places(len) {
        if let Some(name) = member_at(len, place.offset, &read(place.offset, place.len)?) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn is_md(bytes: &[u8]) -> bool {
    has(bytes, 0, &0xA92B_4EFC_u32.to_le_bytes()) || has(bytes, 0, &0xA92B_4EFC_u32.to_be_bytes())
}

fn is_ddf(bytes: &[u8]) -> bool {
    has(bytes, 0, &0xDE11_DE11_u32.to_be_bytes()) || has(bytes, 0, &0xDE11_DE11_u32.to_le_bytes())
}

fn is_isw(bytes: &[u8]) -> bool {
    has(bytes, 0, b"Intel Raid ISM Cfg Sig. ")
}

/// The signature has only two bytes, so the checksum of the fields is also checked.
fn is_via(bytes: &[u8]) -> bool {
    let sum = at(bytes, 0, 50).map(|fields| fields.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)));
    has(bytes, 0, &[0x55, 0xAA])
        && byte(bytes, 2).is_some_and(|version| version <= 2)
        && sum == byte(bytes, 50)
}

fn is_silicon(bytes: &[u8]) -> bool {
    le32(bytes, 0x60) == Some(0x2F00_0000)
}

/// The checksum over all words must be 0 or 1.
fn is_jmicron(bytes: &[u8]) -> bool {
    let words = at(bytes, 0, 128).into_iter().flat_map(|all| all.chunks_exact(2));
    let sum = words.filter_map(|word| le16(word, 0)).fold(0_u16, u16::wrapping_add);
    has(bytes, 0, b"JM") && sum <= 1
}

fn is_hpt45x(bytes: &[u8]) -> bool {
    matches!(le32(bytes, 0), Some(0x5A78_16F3 | 0x5A78_16FD))
}

/// Versions 8.3, 8.4 in both its states, and 9.
fn is_drbd(bytes: &[u8]) -> bool {
    matches!(array(bytes, 60).map(u32::from_be_bytes), Some(0x8374_026B..=0x8374_026D))
}

/// The third and fourth label are at the end. The name-value list of a label begins 16 KiB into it.
fn zfs_label(len: u64, from_end: u64) -> Option<u64> {
    const LABEL: u64 = 256 * 1024;
    Some((len & !(LABEL - 1)).checked_sub(from_end.checked_mul(LABEL)?)?.saturating_add(16 * 1024))
}

fn is_zfs(bytes: &[u8]) -> bool {
    has(bytes, 0, &[1]) && has(bytes, 2, &[0; 6]) && has(bytes, 12, &[0, 0]) && le32(bytes, 12) != Some(0)
}
