//! Finds the root partition in the image of a whole disk.

use dayfly_formats::superblock::{self, Kind};
use dayfly_formats::{gpt, mbr};
use dayfly_plan::Code;
use dayfly_sys::Backing;

use crate::Failure;
use crate::context::Context;

/// The type of a root partition for this machine (UAPI.2 Discoverable Partitions Specification).
const ROOT_TYPE: &str = if cfg!(target_arch = "x86_64") {
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
} else if cfg!(target_arch = "aarch64") {
    "b921b045-1df0-41c3-af44-4c6f280d3fae"
} else {
    "72ec70a6-cf74-40e6-bd49-4bda08e8f224"
};
/// The types of /home, /srv, /var and the extended boot partition (same specification). They are never the root,
/// whatever their file system.
const OTHER_TYPES: [&str; 4] = [
    "933ac7e1-2eb4-4f13-b844-0e14e2aef915",
    "3b8f8425-20e0-4f3b-907f-1a25a76f98e8",
    "4d21b016-b534-45c2-a9fb-5c16e091fd2d",
    "bc13c2ff-59e6-4262-a352-b275fd6f7172",
];
const SECTOR: u64 = 512;
/// The most partitions that are checked; more than an OS image has.
const MOST: usize = 32;

#[derive(Debug, Clone)]
struct Slice {
    number: u32,
    offset: u64,
    len: u64,
    is_root: bool,
    is_other: bool,
    kind: Option<Kind>,
}

/// Finds the partition by its type, or else the only one with a Linux file system. `None` if there is no partition
/// table.
pub fn of_root(
    cx: &Context,
    backing: &Backing,
    head: &[u8],
    tried: &str,
) -> Result<Option<(Backing, u64)>, Failure> {
    // Partitions of a real disk have devices of their own, and partitions are not nested.
    if matches!(backing, Backing::Part { .. }) {
        return Ok(None);
    }
    let Some(mut slices) = table(head) else { return Ok(None) };
    let path = backing.path();
    for slice in &mut slices {
        let head = cx.sys.read_at(&path, slice.offset, superblock::PROBE_LEN);
        let head = head.map_err(|error| Failure::from_sys(Code::ImageFormat, tried, &error))?;
        slice.kind = superblock::probe(&head).map(|found| found.kind);
    }
    let roots: Vec<&Slice> = slices.iter().filter(|slice| slice.is_root).collect();
    let linux: Vec<&Slice> =
        slices.iter().filter(|slice| !slice.is_other && slice.kind.is_some_and(is_of_linux)).collect();
    match (roots.as_slice(), linux.as_slice()) {
        ([one], _) | ([], [one]) => {
            let part = Backing::Part { of: Box::new(backing.clone()), offset: one.offset, len: one.len };
            Ok(Some((part, one.len)))
        }
        _ => Err(refuse(&slices, tried)),
    }
}

fn table(head: &[u8]) -> Option<Vec<Slice>> {
    for sector in [512_u32, 4096] {
        if let Ok(table) = gpt::parse(head, sector) {
            let bytes = |sectors: u64| sectors.saturating_mul(u64::from(sector));
            let slices = table.into_iter().take(MOST).map(|part| Slice {
                number: part.number,
                offset: bytes(part.first_lba),
                len: bytes(part.last_lba.saturating_sub(part.first_lba).saturating_add(1)),
                is_root: part.type_uuid == ROOT_TYPE,
                is_other: OTHER_TYPES.contains(&part.type_uuid.as_str()),
                kind: None,
            });
            return Some(slices.collect());
        }
    }
    let table = mbr::parse(head)?;
    let slices = table.into_iter().map(|part| Slice {
        number: part.number,
        offset: part.first_lba.saturating_mul(SECTOR),
        len: part.sectors.saturating_mul(SECTOR),
        is_root: false,
        is_other: false,
        kind: None,
    });
    Some(slices.collect())
}

fn is_of_linux(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Ext2
            | Kind::Ext3
            | Kind::Ext4
            | Kind::Xfs
            | Kind::Btrfs
            | Kind::F2fs
            | Kind::Squashfs
            | Kind::Erofs
    )
}

fn refuse(slices: &[Slice], tried: &str) -> Failure {
    let texts: Vec<String> = slices
        .iter()
        .map(|slice| {
            let kind = slice.kind.map_or("no recognised file system", Kind::as_str);
            format!(
                "{} ({kind}, {} sectors from {})",
                slice.number,
                slice.len / SECTOR,
                slice.offset / SECTOR
            )
        })
        .collect();
    let wrong =
        format!("it is the image of a whole disk, and its root partition is not clear: {}", texts.join(", "));
    Failure::new(Code::ImageFormat, tried, wrong)
        .with_fix("Extract the root partition: `dd if=IMAGE of=root.img bs=512 skip=FIRST count=SECTORS`, or set the root type on that partition: `sgdisk -t N:8304 IMAGE`.")
}
