//! Names for the structures on a disk that is not blank.

use crate::superblock;

/// A known structure.
pub(super) struct Found {
    /// The offset of its block in the bytes.
    pub at: usize,
    /// What it is, with an article.
    pub what: String,
}

const BLOCK: usize = 512;

/// Name, offset of the signature in its block of 512 bytes, signature. All signatures have at least four bytes, so
/// random data does not match.
const MARKS: &[(&str, usize, &[u8])] = &[
    ("a GUID partition table", 0, b"EFI PART"),
    ("a superblock of xfs", 0, b"XFSB"),
    ("a superblock of btrfs", 0x40, b"_BHRfS_M"),
    ("a header of LUKS", 0, b"LUKS\xba\xbe"),
    ("the second header of LUKS2", 0, b"SKUL\xba\xbe"),
    ("a physical volume of LVM2", 0, b"LABELONE"),
    ("metadata of LVM2", 4, b" LVM2 x[5A%r0N*>"),
    ("a boot sector of NTFS", 3, b"NTFS    "),
    ("a boot sector of exFAT", 3, b"EXFAT   "),
    ("a boot sector of ReFS", 3, b"ReFS\0\0\0\0"),
    ("BitLocker", 3, b"-FVE-FS-"),
    ("BitLocker", 0, b"-FVE-FS-"),
    ("a superblock of f2fs", 0, &[0x10, 0x20, 0xF5, 0xF2]),
    ("a squashfs", 0, b"hsqs"),
    ("an erofs", 0, &[0xE2, 0xE1, 0xF5, 0xE0]),
    ("swap", 502, b"SWAPSPACE2"),
    ("a superblock of jfs", 0, b"JFS1"),
    ("a superblock of reiserfs", 52, b"ReIsEr"),
    ("a superblock of reiser4", 0, b"ReIsEr4"),
    ("a volume descriptor of ISO 9660", 1, b"CD001"),
    ("a volume descriptor of UDF", 1, b"BEA01"),
    (
        "a superblock of bcache or bcachefs",
        24,
        b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81",
    ),
    ("a superblock of bcachefs", 24, b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"),
    ("a label of Ceph's BlueStore", 0, b"bluestore block device"),
    ("a superblock of md (Linux RAID)", 0, &[0xFC, 0x4E, 0x2B, 0xA9]),
    ("a superblock of md (Linux RAID)", 0, &[0xA9, 0x2B, 0x4E, 0xFC]),
    ("an anchor of a DDF RAID", 0, &[0xDE, 0x11, 0xDE, 0x11]),
    ("metadata of an Intel RAID", 0, b"Intel Raid ISM Cfg Sig. "),
    ("metadata of a Promise RAID", 0, b"Promise Technology, Inc."),
    ("an uberblock of ZFS", 0, &[0x0C, 0xB1, 0xBA, 0, 0, 0, 0, 0]),
    ("an uberblock of ZFS", 0, &[0, 0, 0, 0, 0, 0xBA, 0xB1, 0x0C]),
    ("a volume of VMFS", 0, &[0x0D, 0xD0, 0x01, 0xC0]),
    ("a VMFS", 0, &[0x5E, 0xF1, 0xAB, 0x2F]),
    ("metadata of DRBD", 60, &[0x83, 0x74, 0x02, 0x6B]),
    ("metadata of DRBD", 60, &[0x83, 0x74, 0x02, 0x6C]),
    ("metadata of DRBD", 60, &[0x83, 0x74, 0x02, 0x6D]),
    ("a superblock of OCFS2", 0, b"OCFSV2"),
    ("a superblock of GFS2", 0, &[0x01, 0x16, 0x19, 0x70, 0, 0, 0, 1]),
    ("a device of Stratis", 4, b"!Stra0tis\x86\xff\x02^\x41rh"),
    ("a volume of VDO", 0, b"dmvdo001"),
    ("a superblock of APFS", 32, b"NXSB"),
];

/// The first known structure in the bytes at an offset of a disk of `len` bytes.
pub(super) fn find(len: u64, offset: u64, bytes: &[u8]) -> Option<Found> {
    if offset == 0
        && let Some(found) = superblock::probe(bytes)
    {
        let at = bytes.iter().position(|byte| *byte != 0).unwrap_or_default();
        let label =
            found.label.map_or_else(String::new, |label| format!(" with the label {}", label.escape_debug()));
        return Some(Found { at, what: format!("{}{label}", found.kind.as_str()) });
    }
    let blocks = || bytes.chunks(BLOCK).enumerate().filter(|(_, block)| block.iter().any(|byte| *byte != 0));
    let known = blocks().find_map(|(number, block)| {
        let mark =
            MARKS.iter().find(|(_, at, mark)| block.get(*at..).is_some_and(|rest| rest.starts_with(mark)));
        let what = mark
            .map(|(what, _, _)| (*what).to_owned())
            .or_else(|| ext(block))
            .or_else(|| boot_sector(block))?;
        Some(Found { at: number * BLOCK, what })
    });
    known.or_else(|| {
        // Signatures at the end of a RAID member that are too short to be recognized at other offsets.
        superblock::member_places(len).into_iter().find_map(|place| {
            let at = usize::try_from(place.offset.checked_sub(offset)?).ok()?;
            let what = superblock::member_at(len, place.offset, bytes.get(at..)?)?;
            Some(Found { at, what: format!("{what}'s metadata") })
        })
    })
}

/// A copy of ext's superblock. The signature has only two bytes, so other fields must be plausible, too.
fn ext(block: &[u8]) -> Option<String> {
    let word = |at: usize| block.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    let is_it = block.get(0x38..)?.starts_with(&[0x53, 0xEF])
        && word(0)? > 0
        && word(4)? > 0
        // The logarithm of the block size, and the revision.
        && word(0x18)? <= 6
        && word(0x4C)? <= 1;
    is_it.then(|| {
        let label = block.get(0x78..0x88).unwrap_or_default();
        let label: Vec<u8> = label.iter().copied().take_while(|byte| *byte != 0).collect();
        let label = String::from_utf8_lossy(&label).escape_debug().to_string();
        let label = if label.is_empty() { label } else { format!(" with the label {label}") };
        format!("a superblock of ext2, ext3 or ext4{label}")
    })
}

fn boot_sector(block: &[u8]) -> Option<String> {
    (block.get(510..)? == [0x55, 0xAA]).then(|| "a boot sector or partition table".to_owned())
}
