//! Disks and partitions by name, label or UUID, without udev.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dayfly_plan::Code;
use dayfly_plan::settings::value::DeviceRef;
use dayfly_sys::{Sys, Uevents};
use dayfly_wire::superblock::{self, Kind, Superblock};
use dayfly_wire::uevent;

use crate::Failure;
use crate::context::Context;

/// How long nobody looks at the disks while the kernel says nothing new of them: a stick that comes without a word, or a
/// message that was lost, is found all the same.
const SILENCE: Duration = Duration::from_secs(2);

/// A disk or partition.
#[derive(Debug, Clone)]
pub struct Device {
    /// `/dev/NAME`.
    pub path: PathBuf,
    /// What is on it, where that is known.
    pub superblock: Option<Superblock>,
    /// The bytes of the image on it, where it is one.
    pub image_len: Option<u64>,
}

impl Device {
    /// Reads the start of a device. An unreadable one (an empty drive, a tray without a disc) has nothing on it.
    pub fn read<S: Sys>(cx: &Context<S>, path: PathBuf) -> Self {
        let head = cx.sys.read_at(&path, 0, superblock::PROBE_LEN).unwrap_or_default();
        Self { path, superblock: superblock::probe(&head), image_len: superblock::image_len(&head) }
    }
}

/// Waits for a disk, at most for `wait`.
pub fn wait_for<S: Sys>(cx: &Context<S>, wanted: &DeviceRef, wait: Duration) -> Result<Device, Failure> {
    let until = cx.sys.now() + wait;
    // Before the first look, so that nothing appears between the two unseen.
    let mut news = cx.sys.uevents();
    loop {
        if let Some(device) = find(cx, wanted)? {
            return Ok(device);
        }
        if cx.sys.now() >= until {
            let there: Vec<String> = describe_all(cx);
            let seen = if there.is_empty() { "no disk at all".to_owned() } else { there.join(", ") };
            let wrong = format!(
                "it did not appear within {} s; what is there: {seen}{}",
                wait.as_secs(),
                cx.modules.troubles()
            );
            return Err(Failure::new(Code::DevicesNotFound, format!("find {wanted}"), wrong));
        }
        await_disk(cx, &mut news, until.saturating_sub(cx.sys.now()).min(SILENCE));
    }
}

/// Until the kernel says something of a disk.
fn await_disk<S: Sys>(cx: &Context<S>, news: &mut dayfly_sys::Result<Box<dyn Uevents>>, limit: Duration) {
    let until = cx.sys.now() + limit;
    while let Some(left) = until.checked_sub(cx.sys.now()).filter(|left| !left.is_zero()) {
        let Ok(news) = news else {
            // No subscription: looking now and then has to do.
            return cx.sys.sleep(left.min(Duration::from_millis(100)));
        };
        match news.next(left) {
            Ok(Some(message)) => {
                let of_disk = |event: uevent::Uevent| event.get("SUBSYSTEM") == Some("block");
                if uevent::parse(&message).is_some_and(of_disk) {
                    return;
                }
            }
            // Nothing more, or messages were lost: time to look.
            Ok(None) | Err(_) => return,
        }
    }
}

/// Looks once. Two disks of the same name are refused: which one is meant is not ours to guess.
pub fn find<S: Sys>(cx: &Context<S>, wanted: &DeviceRef) -> Result<Option<Device>, Failure> {
    if let DeviceRef::Path(path) = wanted {
        // Where udev runs, disks have symlinks: /dev/mapper/…, /dev/disk/by-id/….
        let Ok(path) = cx.sys.resolve(Path::new("/"), Path::new(path)) else { return Ok(None) };
        let is_block = matches!(cx.sys.inspect(&path), Ok(Some(dayfly_sys::FileKind::Block)));
        return Ok(is_block.then(|| Device::read(cx, path)));
    }
    let mut found = Vec::new();
    for name in block_devices(cx) {
        if let Some(device) = matches(cx, &name, wanted) {
            found.push(device);
        }
    }
    if found.len() > 1 {
        let names: Vec<String> = found.iter().map(|device| device.path.display().to_string()).collect();
        let wrong = format!("{} disks have that name: {}", found.len(), names.join(", "));
        return Err(Failure::new(Code::DevicesNotFound, format!("find {wanted}"), wrong)
            .with_fix(
                "Give each disk a name of its own (e2label, sgdisk --change-name), or name the one by UUID=.",
            )
            .hopeless());
    }
    Ok(found.pop())
}

fn matches<S: Sys>(cx: &Context<S>, name: &str, wanted: &DeviceRef) -> Option<Device> {
    let device = Device::read(cx, PathBuf::from(format!("/dev/{name}")));
    let field = |key: &str| {
        let text = cx.sys.read(Path::new(&format!("/sys/class/block/{name}/uevent"))).ok()?;
        let fields = uevent::parse_file(&String::from_utf8_lossy(&text));
        fields.into_iter().find_map(|(name, value)| (name == key).then_some(value))
    };
    let superblock = device.superblock.as_ref();
    let is_it = match wanted {
        DeviceRef::Path(_) => false,
        DeviceRef::Label(label) => superblock.is_some_and(|found| has_label(found, label)),
        DeviceRef::Uuid(uuid) => superblock
            .and_then(|found| found.uuid.as_ref())
            .is_some_and(|found| found.eq_ignore_ascii_case(uuid)),
        DeviceRef::PartLabel(label) => field("PARTNAME").as_ref() == Some(label),
        DeviceRef::PartUuid(uuid) => {
            // The kernel names it since 6.14; before, the disk's table has it.
            let found = field("PARTUUID").or_else(|| part_uuid(cx, name));
            found.is_some_and(|found| found.eq_ignore_ascii_case(uuid))
        }
    };
    is_it.then_some(device)
}

/// Whether a file system has this label. Most tools write one of FAT in capitals only.
fn has_label(found: &Superblock, wanted: &str) -> bool {
    found.label.as_ref().is_some_and(|label| {
        label == wanted || found.kind == Kind::Vfat && label.eq_ignore_ascii_case(wanted)
    })
}

/// A partition's UUID by its disk's GPT.
fn part_uuid<S: Sys>(cx: &Context<S>, name: &str) -> Option<String> {
    let text = |file: &str| {
        let bytes = cx.sys.read(Path::new(&format!("/sys/class/block/{name}/{file}"))).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    let number: u32 = text("partition")?.parse().ok()?;
    let digits = name.len() - name.bytes().rev().take_while(u8::is_ascii_digit).count();
    let stem = name.get(..digits)?;
    // nvme0n1p2 and mmcblk0p2 have a p before the number, sda2 has not.
    let disk = match stem.strip_suffix('p') {
        Some(disk) if disk.ends_with(|c: char| c.is_ascii_digit()) => disk,
        _ => stem,
    };
    let head = cx.sys.read_at(Path::new(&format!("/dev/{disk}")), 0, 64 << 10).ok()?;
    let table = dayfly_wire::gpt::parse(&head, 512).ok()?;
    table.into_iter().find(|part| part.number == number).map(|part| part.uuid)
}

/// Disks and partitions by name, without what is never one.
pub fn block_devices<S: Sys>(cx: &Context<S>) -> Vec<String> {
    // Before any driver is loaded the folder may be missing: then there is no disk.
    let entries = cx.sys.list(Path::new("/sys/class/block")).unwrap_or_default();
    let no_disks = ["loop", "ram", "zram", "fd"];
    entries
        .into_iter()
        .map(|entry| entry.name)
        .filter(|name| !no_disks.iter().any(|kind| name.starts_with(kind)))
        .collect()
}

fn describe_all<S: Sys>(cx: &Context<S>) -> Vec<String> {
    block_devices(cx)
        .into_iter()
        .map(|name| {
            let found = Device::read(cx, PathBuf::from(format!("/dev/{name}"))).superblock;
            match found.map(|found| (found.kind.as_str(), found.label)) {
                Some((kind, Some(label))) => format!("{name} ({kind}, LABEL={label})"),
                Some((kind, None)) => format!("{name} ({kind})"),
                None => name,
            }
        })
        .collect()
}
