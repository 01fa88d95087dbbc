//! Disks and partitions by name, label or UUID, without udev.

mod candidate;
mod sysfs;

use std::path::{Path, PathBuf};
use std::time::Duration;

use dayfly_formats::superblock::{self, Kind, Superblock};
use dayfly_formats::uevent;
use dayfly_plan::Code;
use dayfly_plan::settings::value::DeviceRef;
use dayfly_sys::{SysError, Uevents, own};

use crate::Failure;
use crate::context::Context;

/// How long nobody looks at the disks while the kernel says nothing new of them: a stick that comes without a word, or a
/// message that was lost, is found all the same.
const SILENCE: Duration = Duration::from_secs(2);
/// Disks that appear while one is waited for come in groups, and a disk comes before its partitions: so long the kernel must say
/// nothing of a disk before the one that was found counts.
const QUIET: Duration = Duration::from_millis(100);
/// The longest wait for that.
const SETTLED: Duration = Duration::from_secs(1);

/// A disk or partition.
#[derive(Debug, Clone)]
pub struct Device {
    /// `/dev/NAME`.
    pub path: PathBuf,
    /// What is on it, where that is known.
    pub superblock: Option<Superblock>,
    /// The bytes of the image on it, where it is one.
    pub image_len: Option<u64>,
    /// How many devices its file system goes over.
    btrfs_devices: u64,
}

impl Device {
    /// Reads the start of a device. An unreadable one (an empty drive, a tray without a disc) has nothing on it.
    pub fn read(cx: &Context, path: PathBuf) -> Self {
        let head = cx.sys.read_at(&own(&path), 0, superblock::PROBE_LEN).unwrap_or_default();
        Self {
            path,
            superblock: superblock::probe(&head),
            image_len: superblock::image_len(&head),
            btrfs_devices: superblock::btrfs_devices(&head).unwrap_or(1),
        }
    }

    /// Its name below /dev.
    fn name(&self) -> String {
        self.path.strip_prefix("/dev").unwrap_or(&self.path).display().to_string()
    }
}

/// One look at all devices.
struct Look {
    /// Those that answer to the name and may be used.
    found: Vec<Device>,
    /// Those that answer to it and must not be used, with the reason.
    refused: Vec<String>,
}

impl Look {
    fn at(cx: &Context, wanted: &DeviceRef) -> Self {
        let mut look = Self { found: Vec::new(), refused: Vec::new() };
        for device in answering(cx, wanted) {
            match candidate::objection(cx, &device, wanted) {
                Some(why) => look.refused.push(format!("{} {why}", device.path.display())),
                None => look.found.push(device),
            }
        }
        look.found = candidate::once_each(cx, look.found);
        look
    }

    /// The one. Two are refused: which of them is meant is not ours to guess.
    fn the_one(mut self, wanted: &DeviceRef) -> Result<Option<Device>, Failure> {
        if self.found.len() < 2 {
            return Ok(self.found.pop());
        }
        let names: Vec<String> = self.found.iter().map(|device| device.path.display().to_string()).collect();
        let wrong = format!("{} disks have that name: {}", names.len(), names.join(", "));
        Err(Failure::new(Code::DevicesAmbiguous, format!("find {wanted}"), wrong))
    }

    /// Why there is none, if one answered.
    fn refusal(&self, wanted: &DeviceRef) -> Option<Failure> {
        let wrong = self.refused.join("; ");
        (!wrong.is_empty()).then(|| Failure::new(Code::DevicesMember, format!("find {wanted}"), wrong))
    }
}

/// Waits for a disk, at most for `wait`. One that is there already costs no wait at all.
pub fn wait_for(cx: &Context, wanted: &DeviceRef, wait: Duration) -> Result<Device, Failure> {
    let until = cx.sys.now() + wait;
    // Before the first look, so that nothing appears between the two unseen.
    let mut news = cx.sys.uevents();
    let mut has_waited = false;
    loop {
        let mut look = Look::at(cx, wanted);
        if look.found.len() > usize::from(!has_waited) {
            settle(cx, &mut news);
            look = Look::at(cx, wanted);
        }
        let refusal = look.refusal(wanted);
        if let Some(device) = look.the_one(wanted)? {
            return Ok(device);
        }
        if cx.sys.now() >= until {
            // It may have been on its way to become something larger until now.
            return Err(refusal.unwrap_or_else(|| not_found(cx, wanted, wait)));
        }
        await_disk(cx, &mut news, until.saturating_sub(cx.sys.now()).min(SILENCE));
        has_waited = true;
    }
}

fn not_found(cx: &Context, wanted: &DeviceRef, wait: Duration) -> Failure {
    let there: Vec<String> = describe_all(cx);
    let seen = if there.is_empty() { "no disk at all".to_owned() } else { there.join(", ") };
    let wrong = format!(
        "it did not appear within {} s; what is there: {seen}{}",
        wait.as_secs(),
        cx.modules.troubles()
    );
    Failure::new(Code::DevicesNotFound, format!("find {wanted}"), wrong)
}

/// Until the kernel says nothing of a disk any more.
fn settle(cx: &Context, news: &mut dayfly_sys::Result<Box<dyn Uevents>>) {
    let until = cx.sys.now() + SETTLED;
    while cx.sys.now() < until {
        let begin = cx.sys.now();
        await_disk(cx, news, QUIET);
        if cx.sys.now().saturating_sub(begin) >= QUIET {
            return;
        }
    }
}

/// Until the kernel says something of a disk.
fn await_disk(cx: &Context, news: &mut dayfly_sys::Result<Box<dyn Uevents>>, limit: Duration) {
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

/// Looks once.
pub fn find(cx: &Context, wanted: &DeviceRef) -> Result<Option<Device>, Failure> {
    let look = Look::at(cx, wanted);
    let refusal = look.refusal(wanted);
    match (look.the_one(wanted)?, refusal) {
        (None, Some(failure)) => Err(failure),
        (device, _) => Ok(device),
    }
}

/// Every device that has the name.
fn answering(cx: &Context, wanted: &DeviceRef) -> Vec<Device> {
    if let DeviceRef::Path(path) = wanted {
        // Where udev runs, disks have symlinks: /dev/mapper/…, /dev/disk/by-id/….
        let Ok(path) = cx.sys.resolve(&own(path)) else { return Vec::new() };
        let is_block = matches!(cx.sys.inspect(&path), Ok(Some(dayfly_sys::FileKind::Block)));
        return is_block.then(|| Device::read(cx, path.outside())).into_iter().collect();
    }
    block_devices(cx).into_iter().filter_map(|name| matches(cx, &name, wanted)).collect()
}

fn matches(cx: &Context, name: &str, wanted: &DeviceRef) -> Option<Device> {
    let device = Device::read(cx, Path::new("/dev").join(name));
    let superblock = device.superblock.as_ref();
    let is_it = match wanted {
        DeviceRef::Path(_) => false,
        DeviceRef::Label(label) => superblock.is_some_and(|found| has_label(found, label)),
        DeviceRef::Uuid(uuid) => superblock
            .and_then(|found| found.uuid.as_ref())
            .is_some_and(|found| found.eq_ignore_ascii_case(uuid)),
        DeviceRef::PartLabel(label) => sysfs::field(cx, name, "PARTNAME").as_ref() == Some(label),
        DeviceRef::PartUuid(uuid) => {
            sysfs::part_uuid(cx, name).is_some_and(|found| found.eq_ignore_ascii_case(uuid))
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

/// Loads what mounting a file system needs; what is missing shows at the mount.
pub fn load_modules(cx: &Context, kind: Kind) -> Result<(), Failure> {
    kind.modules().iter().try_for_each(|module| cx.modules.load(module).map(drop))
}

/// Why a file system was not mounted. Where the kernel does not know it, the module has a name that is often another one.
pub fn refused(code: Code, tried: impl Into<String>, kind: Kind, error: &SysError) -> Failure {
    /// fsopen(2), mount(2): the file system is not configured in the kernel.
    const ENODEV: i32 = 19;
    let failure = Failure::from_sys(code, tried, error);
    match (error.errno(), kind.modules()) {
        (Some(ENODEV), [module, ..]) => failure
            .with_fix(format!(
                "Put the module {module} into the initramfs: `dayfly initramfs --add-module {module}`; or boot a kernel that has it built in."
            ))
            ,
        _ => failure,
    }
}

/// Disks and partitions by name, without what is never one.
pub fn block_devices(cx: &Context) -> Vec<String> {
    // Before any driver is loaded the folder may be missing: then there is no disk.
    let entries = cx.sys.list(&own("/sys/class/block")).unwrap_or_default();
    let no_disks = ["loop", "ram", "zram", "fd"];
    entries
        .into_iter()
        // The kernel writes ! for the / of names like cciss/c0d0.
        .map(|entry| entry.name.replace('!', "/"))
        .filter(|name| !no_disks.iter().any(|kind| name.starts_with(kind)))
        .collect()
}

fn describe_all(cx: &Context) -> Vec<String> {
    block_devices(cx)
        .into_iter()
        .map(|name| {
            let found = Device::read(cx, PathBuf::from(format!("/dev/{name}"))).superblock;
            match found.map(|found| (found.kind.as_str(), found.label)) {
                // Whoever made the disk wrote it: nothing in it reaches a terminal as it is.
                Some((kind, Some(label))) => format!("{name} ({kind}, LABEL={})", label.escape_debug()),
                Some((kind, None)) => format!("{name} ({kind})"),
                None => name,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tells;

    #[test]
    fn the_page_tells_when_disks_have_settled() {
        tells("how-to/state-disk.md", &format!("nothing of disks for {:.1} s (at most", QUIET.as_secs_f64()));
        tells("how-to/state-disk.md", &format!("  {} s) and looks again", SETTLED.as_secs()));
    }
}
