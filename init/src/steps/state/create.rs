//! Creates the state disk on a blank disk. A disk that is not blank is never changed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dayfly_formats::blank;
use dayfly_plan::settings::value::DeviceRef;
use dayfly_plan::{Code, StateCreation};
use dayfly_sys::own;

use crate::Failure;
use crate::context::Context;
use crate::devices::{self, Device};
use crate::events::Level;
use crate::trees::IMAGE;

/// Time limit for mkfs. It writes little: the kernel initialises the large tables later in the background.
const LIMIT: Duration = Duration::from_secs(240);
/// The minimum size of a state disk.
const LEAST: u64 = 64 << 20;

/// Finds the blank disk and makes the file system.
pub fn make(cx: &Context, wanted: &DeviceRef, creation: &StateCreation) -> Result<Device, Failure> {
    let tried = format!("create {wanted} on a blank disk");
    let refuse = |wrong: String| Failure::new(Code::StateCreate, &tried, wrong);
    let label = match wanted {
        DeviceRef::Label(label) => label.as_str(),
        DeviceRef::Path(_) => "state",
        other => {
            return Err(refuse(format!(
                "the state disk can be created with a LABEL= or on a /dev/NAME, not with {other}"
            )));
        }
    };
    let named = creation.disk.as_ref().or(match wanted {
        DeviceRef::Path(_) => Some(wanted),
        _ => None,
    });
    let disk = match named {
        Some(named) => {
            let name = match named {
                DeviceRef::Path(path) => path.trim_start_matches("/dev/").to_owned(),
                other => return Err(refuse(format!("a blank disk has no {other}: use /dev/NAME"))),
            };
            inspect(cx, &name).map_err(|why| refuse(format!("{named} {why}")))?;
            name
        }
        None => the_only_one(cx).map_err(refuse)?,
    };
    let path = PathBuf::from("/dev").join(&disk);
    let shown = path.display().to_string();
    cx.note(Level::Warning, format!("{shown} is blank: creating {} on it as {wanted}", creation.fstype));
    // mkfs may need the kernel's driver for its checks. If the module is missing, the mount fails and reports it.
    cx.modules.load(&creation.fstype)?;
    let program = format!("mkfs.{}", creation.fstype);
    let flag = if creation.fstype == "f2fs" { "-l" } else { "-L" };
    let run = cx
        .sys
        .run_in(IMAGE, &program, &["-q", flag, label, &shown], LIMIT.min(cx.left()))
        .map_err(|error| Failure::from_sys(Code::StateCreate, &tried, &error))?;
    if run.status != 0 {
        return Err(refuse(format!("{program} {shown} ended with {}: {}", run.status, run.text)));
    }
    let device = Device::read(cx, path);
    let made = device.superblock.as_ref().map(|found| found.kind.as_str());
    if made == Some(creation.fstype.as_str()) {
        Ok(device)
    } else {
        Err(refuse(format!("{program} succeeded, but {shown} contains {made:?}")))
    }
}

/// Returns the only blank disk.
fn the_only_one(cx: &Context) -> Result<String, String> {
    let mut blank = Vec::new();
    let mut others = Vec::new();
    for name in devices::block_devices(cx) {
        match inspect(cx, &name) {
            Ok(()) => blank.push(name),
            Err(why) => others.push(format!("{name} {why}")),
        }
    }
    match blank.as_slice() {
        [one] => Ok(one.clone()),
        [] if others.is_empty() => Err("there are no disks".to_owned()),
        [] => Err(format!("no disk is blank: {}", others.join("; "))),
        several => {
            Err(format!("{} disks are blank: {}; which one is meant?", several.len(), several.join(", ")))
        }
    }
}

/// Checks that the disk is suitable. The error follows the disk's name in a sentence.
fn inspect(cx: &Context, name: &str) -> Result<(), String> {
    let sys = own("/sys/class/block").join(name);
    let text = |file: &str| {
        let bytes = cx.sys.read(&sys.join(file)).map_err(|error| format!("cannot be read: {error}"))?;
        Ok::<_, String>(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    // Virtual devices consist of other disks that are in use.
    if ["dm-", "md", "nbd", "sr", "drbd", "rbd"].iter().any(|kind| name.starts_with(kind)) {
        return Err("is a virtual device".to_owned());
    }
    let entries = cx.sys.list(&sys).map_err(|error| format!("cannot be read: {error}"))?;
    if entries.iter().any(|entry| entry.name == "partition") {
        return Err("is a partition".to_owned());
    }
    if entries.iter().any(|entry| entry.name.starts_with(name)) {
        return Err("has partitions".to_owned());
    }
    if text("ro")? != "0" {
        return Err("is read-only".to_owned());
    }
    if text("removable")? != "0" {
        return Err("is removable".to_owned());
    }
    for (folder, relation) in [("holders", "is used by"), ("slaves", "consists of")] {
        let others = cx.sys.list(&sys.join(folder)).unwrap_or_default();
        if let Some(other) = others.first() {
            return Err(format!("{relation} {}", other.name));
        }
    }
    let sectors: u64 = text("size")?.parse().map_err(|_| "has no size".to_owned())?;
    is_blank(cx, &Path::new("/dev").join(name), sectors * 512)
}

/// Whether the disk is blank. How much is read is limited: see [`blank`].
fn is_blank(cx: &Context, path: &Path, len: u64) -> Result<(), String> {
    if len < LEAST {
        return Err(format!("has {} MiB only", len >> 20));
    }
    // The kernel must not use it: as a mounted file system, swap or a RAID member.
    cx.sys.check_unused(&own(path)).map_err(|error| format!("is in use: {error}"))?;
    let mut seed = [0; 8];
    cx.sys.random(&mut seed);
    blank::check(len, u64::from_le_bytes(seed), |offset, count| cx.sys.read_at(&own(path), offset, count))
        .map_err(|why| why.to_string())
}
