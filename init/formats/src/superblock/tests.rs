//! Malicious and borderline devices. The oracle tests make real ones with the mkfs tools.

use super::*;

/// A device with some bytes at some offsets.
fn device(len: usize, fields: &[(usize, &[u8])]) -> Vec<u8> {
    let mut device = vec![0; len];
    for (offset, bytes) in fields {
        device[*offset..offset + bytes.len()].copy_from_slice(bytes);
    }
    device
}

fn fat_boot() -> Vec<(usize, &'static [u8])> {
    vec![
        (11, &[0, 2, 4, 4, 0, 2, 0, 2]), // 512 bytes, 4 per cluster, 4 reserved, 2 FATs, 512 root entries
        (21, &[0xF8, 16, 0]),
        (38, &[0x29, 0x34, 0x12, 0xCD, 0xAB]),
        (43, b"NO NAME    FAT16   "),
        (510, &[0x55, 0xAA]),
    ]
}

#[test]
fn every_signature_without_its_fields_is_no_crash() {
    let marks: &[(usize, &[u8])] = &[
        (0, b"XFSB"),
        (0, b"hsqs"),
        (0, b"LUKS\xba\xbe\0\x02"),
        (512, b"LABELONE................LVM2 001"),
        (4096, &[0xFC, 0x4E, 0x2B, 0xA9, 1, 0, 0, 0]),
        (16384, &[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 24, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]),
        (1024, &[0x10, 0x20, 0xF5, 0xF2]),
        (1024, &[0xE2, 0xE1, 0xF5, 0xE0]),
        (1024 + 0x38, &[0x53, 0xEF]),
        (0x10040, b"_BHRfS_M"),
        (3, b"EXFAT   "),
        (3, b"NTFS    "),
        (0x8000, b"\x01CD001"),
        (4086, b"SWAPSPACE2"),
        (510, &[0x55, 0xAA]),
    ];
    for (offset, mark) in marks {
        // Cut directly after the signature, and at some offsets after it.
        for extra in [0, 1, 16, 100, 3000] {
            let cut = device(offset + mark.len() + extra, &[(*offset, mark)]);
            let found = probe(&cut);
            assert!(found.as_ref().is_none_or(|f| f.label.is_none()), "{mark:?} {found:?}");
            assert!(image_len(&cut).is_none_or(|len| len == 0));
        }
    }
    let ones = vec![0xFF; PROBE_LEN];
    assert_eq!(probe(&ones), None);
    assert_eq!(probe(&[]), None);
    assert_eq!(probe(&vec![0; PROBE_LEN]), None);
}

#[test]
fn a_partition_table_is_no_fat() {
    let mut mbr = device(512, &[(446, &[0x80, 1, 1, 0, 0x83]), (510, &[0x55, 0xAA])]);
    assert_eq!(probe(&mbr), None);
    // Boot code that starts like a FAT boot sector.
    mbr[0..3].copy_from_slice(&[0xEB, 0x58, 0x90]);
    assert_eq!(probe(&mbr), None);
}

#[test]
fn the_fat_label_of_the_root_folder_wins() {
    let root = (4 + 2 * 16) * 512;
    let mut fields = fat_boot();
    assert_eq!(
        probe(&device(PROBE_LEN, &fields)),
        Some(Superblock { kind: Kind::Vfat, label: None, uuid: Some("ABCD-1234".into()) })
    );
    fields.push((root, b"\xe5LDLABEL   \x08"));
    fields.push((root + 32, b"AB\0C\0D\0E\0F\0\x0F")); // part of a long name
    fields.push((root + 64, b"FOLDER     \x10"));
    fields.push((root + 96, b"STATE      \x08"));
    let found = probe(&device(PROBE_LEN, &fields)).expect("it is FAT");
    assert_eq!(found.label.as_deref(), Some("STATE"));
}

#[test]
fn a_container_hides_the_file_system_under_it() {
    let both = device(
        PROBE_LEN,
        &[
            (0, b"LUKS\xba\xbe\0\x01"),
            (168, b"11111111-2222-3333-4444-555555555555"),
            (1024 + 0x38, &[0x53, 0xEF]),
        ],
    );
    let found = probe(&both).expect("LUKS");
    assert_eq!(
        (found.kind.as_str(), found.uuid.as_deref()),
        ("crypto_LUKS", Some("11111111-2222-3333-4444-555555555555"))
    );
    assert!(!found.kind.is_file_system());
}

#[test]
fn members_are_recognized() {
    let raid = device(
        8192,
        &[(4096, &[0xFC, 0x4E, 0x2B, 0xA9, 1, 0, 0, 0]), (4096 + 16, &[0x11; 16]), (4096 + 32, b"host:0")],
    );
    assert_eq!(
        probe(&raid),
        Some(Superblock {
            kind: Kind::RaidMember,
            label: Some("host:0".into()),
            uuid: Some("11111111-1111-1111-1111-111111111111".into())
        })
    );
    let lvm = device(
        4096,
        &[
            (512, b"LABELONE"),
            (532, &[32, 0, 0, 0]),
            (536, b"LVM2 001"),
            (544, b"abcdefGHIJklmnOPQRstuvWXYZ012345"),
        ],
    );
    assert_eq!(
        probe(&lvm),
        Some(Superblock {
            kind: Kind::Lvm2,
            label: None,
            uuid: Some("abcdef-GHIJ-klmn-OPQR-stuv-WXYZ-012345".into())
        })
    );
    let mut zfs: Vec<u8> = vec![1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    zfs.extend_from_slice(b"\0\0\0\x24\0\0\0\x20\0\0\0\x04name\0\0\0\x09\0\0\0\x01\0\0\0\x04tank\0\0\0\0");
    zfs.extend_from_slice(
        b"\0\0\0\x28\0\0\0\x20\0\0\0\x09pool_guid\0\0\0\0\0\0\x08\0\0\0\x01\0\0\0\0\0\0\x30\x39\0\0\0\0",
    );
    let zfs = device(PROBE_LEN, &[(16384, &zfs)]);
    assert_eq!(
        probe(&zfs),
        Some(Superblock { kind: Kind::ZfsMember, label: Some("tank".into()), uuid: Some("12345".into()) })
    );
}

#[test]
fn image_lengths_are_read() {
    let image = device(96, &[(0, b"hsqs"), (20, &[1]), (28, &[4]), (40, &[1, 2, 0, 0, 1])]);
    assert_eq!(image_len(&image), Some(0x1_0000_0201));
    let old = device(96, &[(0, b"hsqs"), (28, &[3])]);
    assert_eq!((probe(&old), image_len(&old)), (None, None));
    let erofs = |bits| device(4096, &[(1024, &[0xE2, 0xE1, 0xF5, 0xE0]), (1036, &[bits]), (1060, &[3])]);
    assert_eq!(image_len(&erofs(12)), Some(3 * 4096));
    assert_eq!(image_len(&erofs(63)), None);
}

/// The fields of images that decide the kernel requirements. The oracle tests use images of mkfs.erofs.
#[test]
fn what_a_kernel_needs_is_named() {
    const NEWER: (&str, &str) = ("a newer kernel may have it", "none");
    const FS: &str = "CONFIG_EROFS_FS";
    const ZIP: &str = "CONFIG_EROFS_FS_ZIP";
    const LZMA: (&str, &str) = ("CONFIG_EROFS_FS_ZIP_LZMA", "5.16");
    const DEFLATE: (&str, &str) = ("CONFIG_EROFS_FS_ZIP_DEFLATE", "6.6");
    const ZSTD: (&str, &str) = ("CONFIG_EROFS_FS_ZIP_ZSTD", "6.10");
    let needs = |image: &[u8]| -> Vec<(&str, &str)> {
        kernel_needs(image).iter().map(|need| (need.option, need.since)).collect()
    };
    let squashfs = |id: u8| device(96, &[(0, b"hsqs"), (20, &[id]), (28, &[4])]);
    for (id, expected) in [
        (1, ("CONFIG_SQUASHFS_ZLIB", "2.6.29")),
        (2, ("an out-of-tree patch: no mainline kernel ever supported lzma for squashfs", "none")),
        (3, ("CONFIG_SQUASHFS_LZO", "2.6.36")),
        (4, ("CONFIG_SQUASHFS_XZ", "2.6.38")),
        (5, ("CONFIG_SQUASHFS_LZ4", "3.19")),
        (6, ("CONFIG_SQUASHFS_ZSTD", "4.14")),
        (0, NEWER),
        (7, NEWER),
    ] {
        assert_eq!(needs(&squashfs(id)), [expected], "squashfs, compression {id}");
    }

    let erofs = |bits: u8, features: u32, compressions: u16| {
        let (features, compressions) = (features.to_le_bytes(), compressions.to_le_bytes());
        let fields: &[(usize, &[u8])] =
            &[(1024, &[0xE2, 0xE1, 0xF5, 0xE0]), (1036, &[bits]), (1104, &features), (1108, &compressions)];
        device(4096, fields)
    };
    for (bits, features, compressions, expected) in [
        (12, 0, 0, &[][..]),
        (12, 0x1, 0, &[(ZIP, "5.4")]),
        (12, 0x2, 0, &[(ZIP, "5.13")]),
        (12, 0x4, 0, &[(FS, "5.15")]),
        (12, 0x8, 0, &[(FS, "5.16")]),
        (12, 0x10, 0, &[(ZIP, "5.17")]),
        (12, 0x20, 0, &[(ZIP, "6.1")]),
        (12, 0x40, 0, &[(FS, "6.4")]),
        (12, 0x80, 0, &[(FS, "6.15")]),
        (12, 0x100, 0, &[(ZIP, "6.17")]),
        (12, 0x200, 0, &[NEWER]),
        (12, 0x8000_0000, 0, &[NEWER]),
        // Several at once, the oldest first.
        (12, 0x200 | 0x20 | 0x1, 0, &[(ZIP, "5.4"), (ZIP, "6.1"), NEWER]),
        // Without the table the field is the window size, and without compression it is unused.
        (12, 0x1, 0xffff, &[(ZIP, "5.4")]),
        (12, 0, 0xffff, &[]),
        // lz4 does not need an extra option.
        (12, 0x2, 0x1, &[(ZIP, "5.13")]),
        (12, 0x2, 0x2, &[(ZIP, "5.13"), LZMA]),
        (12, 0x2, 0x4, &[(ZIP, "5.13"), DEFLATE]),
        (12, 0x2, 0x8, &[(ZIP, "5.13"), ZSTD]),
        (12, 0x2, 0xf, &[(ZIP, "5.13"), LZMA, DEFLATE, ZSTD]),
        (12, 0x2, 0x10, &[(ZIP, "5.13"), NEWER]),
        // One line for all unknown features.
        (12, 0x202, 0x8000, &[(ZIP, "5.13"), NEWER]),
        (9, 0, 0, &[(FS, "6.4")]),
        (11, 0x1, 0, &[(FS, "6.8"), (ZIP, "5.4")]),
        (16, 0, 0, &[]),
    ] {
        let image = erofs(bits, features, compressions);
        assert_eq!(needs(&image), expected, "{bits} {features:#x} {compressions:#x}");
        // Cut before the features: no requirement is invented.
        assert!(needs(&image[..1104]).iter().all(|(_, since)| *since == "6.4"), "{bits}");
    }
    assert_eq!(needs(&[]), []);
    assert_eq!(needs(&vec![0xFF; 4096]), []);
}

#[test]
fn what_takes_a_whole_device_hides_what_its_beginning_looks_like() {
    const EXT: (usize, &[u8]) = (1024 + 0x38, &[0x53, 0xEF]);
    let marks: &[(&str, usize, &[u8])] = &[
        ("bcache", 4120, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"),
        ("stratis", 516, b"!Stra0tis\x86\xff\x02^\x41rh"),
        ("ceph_bluestore", 0, b"bluestore block device"),
        ("LVM1_member", 0, b"HM\x01\0"),
        ("vdo", 0, b"dmvdo001"),
    ];
    for (name, at, mark) in marks {
        let found = probe(&device(PROBE_LEN, &[EXT, (*at, mark)])).expect(name);
        assert_eq!((found.kind.as_str(), found.kind.is_file_system()), (*name, false));
    }
}

#[test]
fn a_member_is_known_by_its_end() {
    // Not a multiple of 64 KiB.
    const LEN: usize = (1 << 20) + 0x9000;
    let via = {
        let mut bytes = [0_u8; 51];
        bytes[..2].copy_from_slice(&[0x55, 0xAA]);
        bytes[2] = 1;
        bytes[50] = 0x55_u8.wrapping_add(0xAA).wrapping_add(1);
        bytes
    };
    // The name, the distance from the end, the signature.
    let marks: &[(&str, usize, &[u8])] = &[
        ("linux_raid_member", 0x1_9000, &[0xFC, 0x4E, 0x2B, 0xA9]),
        ("linux_raid_member", 0x1_9000, &[0xA9, 0x2B, 0x4E, 0xFC]),
        ("linux_raid_member", 0x2000, &[0xFC, 0x4E, 0x2B, 0xA9]),
        ("ddf_raid_member", 512, &[0xDE, 0x11, 0xDE, 0x11]),
        ("isw_raid_member", 1024, b"Intel Raid ISM Cfg Sig. 1.1.00"),
        ("lsi_mega_raid_member", 512, b"$XIDE$"),
        ("via_raid_member", 512, &via),
        ("nvidia_raid_member", 1024, b"NVIDIA  "),
        ("promise_fasttrack_raid_member", 63 * 512, b"Promise Technology, Inc."),
        ("drbd", 0x1000 - 60, &[0x83, 0x74, 0x02, 0x6D]),
    ];
    let member = |bytes: &[u8]| {
        member_of(bytes.len() as u64, |offset, len| {
            let from = usize::try_from(offset).expect("small");
            Ok::<_, ()>(bytes[from..bytes.len().min(from + len)].to_vec())
        })
        .expect("it can be read")
    };
    for (name, before, mark) in marks {
        let mut bytes = vec![0; LEN];
        assert_eq!(member(&bytes), None);
        bytes[LEN - before..LEN - before + mark.len()].copy_from_slice(mark);
        assert_eq!(member(&bytes), Some(*name), "{before}");
        // At any other offset it is data.
        bytes.rotate_left(512);
        assert_eq!(member(&bytes), None, "{name}, moved");
    }
    // Two bytes alone are not a signature.
    let boot = device(LEN, &[(LEN - 512, &[0x55, 0xAA, 2])]);
    assert_eq!(member(&boot), None);
    for len in [0, 1, 511, 4096, u64::MAX] {
        assert!(member_places(len).iter().all(|place| place.offset < len), "{len}");
    }
}
