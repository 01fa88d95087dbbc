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

/// How often the disks are checked even if the kernel sends no uevent. This finds a disk without a uevent, or one whose
/// uevent was lost.
const SILENCE: Duration = Duration::from_secs(2);
/// While the boot waits for a disk, disks appear in groups, and a disk appears before its partitions. A found disk
/// counts only after the kernel sent no disk uevent for this time.
const QUIET: Duration = Duration::from_millis(100);
/// The longest wait for [`QUIET`].
const SETTLED: Duration = Duration::from_secs(1);

/// A disk or partition.
#[derive(Debug, Clone)]
pub struct Device {
    /// `/dev/NAME`.
    pub path: PathBuf,
    /// The recognised contents, if any.
    pub superblock: Option<Superblock>,
    /// The length of the image on it, if it contains one.
    pub image_len: Option<u64>,
    /// The number of devices of its btrfs.
    btrfs_devices: u64,
}

impl Device {
    /// Reads the start of a device. A device that cannot be read (for example a drive without a disc) counts as empty.
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

/// The result of one search over all devices.
struct Look {
    /// Devices that match the name and may be used.
    found: Vec<Device>,
    /// Why devices that match the name must not be used.
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

    /// The only match. Two matches are an error, because the boot cannot know which one is meant.
    fn the_one(mut self, wanted: &DeviceRef) -> Result<Option<Device>, Failure> {
        if self.found.len() < 2 {
            return Ok(self.found.pop());
        }
        let names: Vec<String> = self.found.iter().map(|device| device.path.display().to_string()).collect();
        let wrong = format!("{} disks match that name: {}", names.len(), names.join(", "));
        Err(Failure::new(Code::DevicesAmbiguous, format!("find {wanted}"), wrong))
    }

    /// The error if devices matched the name but none may be used.
    fn refusal(&self, wanted: &DeviceRef) -> Option<Failure> {
        let wrong = self.refused.join("; ");
        (!wrong.is_empty()).then(|| Failure::new(Code::DevicesMember, format!("find {wanted}"), wrong))
    }
}

/// Waits for a disk, for `wait` at most. Returns at once if the disk is there already.
pub fn wait_for(cx: &Context, wanted: &DeviceRef, wait: Duration) -> Result<Device, Failure> {
    let until = cx.sys.now() + wait;
    // Subscribe before the first search, so that no device is missed between the two.
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
            // It may have been refused until now only because the kernel was still assembling a larger device from it.
            return Err(refusal.unwrap_or_else(|| not_found(cx, wanted, wait)));
        }
        await_disk(cx, &mut news, until.saturating_sub(cx.sys.now()).min(SILENCE));
        has_waited = true;
    }
}

fn not_found(cx: &Context, wanted: &DeviceRef, wait: Duration) -> Failure {
    let there: Vec<String> = describe_all(cx);
    let seen = if there.is_empty() { "no disks".to_owned() } else { there.join(", ") };
    let wrong =
        format!("it did not appear within {} s; available: {seen}{}", wait.as_secs(), cx.modules.troubles());
    Failure::new(Code::DevicesNotFound, format!("find {wanted}"), wrong)
}

/// Waits until the kernel sends no more disk uevents.
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

/// Waits until the kernel sends a disk uevent.
fn await_disk(cx: &Context, news: &mut dayfly_sys::Result<Box<dyn Uevents>>, limit: Duration) {
    let until = cx.sys.now() + limit;
    while let Some(left) = until.checked_sub(cx.sys.now()).filter(|left| !left.is_zero()) {
        let Ok(news) = news else {
            // Without a subscription, poll.
            return cx.sys.sleep(left.min(Duration::from_millis(100)));
        };
        match news.next(left) {
            Ok(Some(message)) => {
                let of_disk = |event: uevent::Uevent| event.get("SUBSYSTEM") == Some("block");
                if uevent::parse(&message).is_some_and(of_disk) {
                    return;
                }
            }
            // No more messages, or some were lost: search again.
            Ok(None) | Err(_) => return,
        }
    }
}

/// Searches once.
pub fn find(cx: &Context, wanted: &DeviceRef) -> Result<Option<Device>, Failure> {
    let look = Look::at(cx, wanted);
    let refusal = look.refusal(wanted);
    match (look.the_one(wanted)?, refusal) {
        (None, Some(failure)) => Err(failure),
        (device, _) => Ok(device),
    }
}

/// All devices that match the name.
fn answering(cx: &Context, wanted: &DeviceRef) -> Vec<Device> {
    if let DeviceRef::Path(path) = wanted {
        // If udev runs, disks also have symlinks: /dev/mapper/…, /dev/disk/by-id/….
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

/// Whether a file system has this label. Most tools write FAT labels in upper case only.
fn has_label(found: &Superblock, wanted: &str) -> bool {
    found.label.as_ref().is_some_and(|label| {
        label == wanted || found.kind == Kind::Vfat && label.eq_ignore_ascii_case(wanted)
    })
}

/// Loads the modules for a file system. If one is missing, the mount fails and reports it.
pub fn load_modules(cx: &Context, kind: Kind) -> Result<(), Failure> {
    kind.modules().iter().try_for_each(|module| cx.modules.load(module).map(drop))
}

/// The error for a file system that could not be mounted. If the kernel does not know the file system, the fix names
/// the module, whose name often differs.
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

/// The names of disks and partitions, without device types that never hold an OS or state.
pub fn block_devices(cx: &Context) -> Vec<String> {
    // The directory may not exist before the first driver is loaded: then there are no disks.
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
                // The label comes from the disk, so control characters in it must not reach the terminal.
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
