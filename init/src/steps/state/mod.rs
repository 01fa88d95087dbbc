//! The disk that keeps the state.

mod create;

use std::time::Duration;

use dayfly_plan::settings::value::DeviceRef;
use dayfly_plan::{Class, Code, StateCreation, StateSearch};
use dayfly_sys::{Mount, MountFlags, SysError};

use crate::context::{Context, Done};
use crate::devices::{self, Device};
use crate::events::Level;
use crate::trees::STATE;
use crate::{Failure, Learned, StateDisk};

/// File systems that can hold what persists: owners, modes, xattrs, links.
pub const SUITABLE: [&str; 5] = ["ext4", "xfs", "btrfs", "f2fs", "ext3"];

/// What a mount of a write-protected device ends with, errno(3): EACCES, EROFS.
const READ_ONLY: [i32; 2] = [13, 30];

/// Finds and mounts it. Where nobody asked for one and none is there, what should persist lies in memory.
pub fn open(cx: &Context, search: &StateSearch) -> Result<Done, Failure> {
    let found = match (search.wait, &search.create) {
        (Some(wait), Some(creation)) => Some(find_or_make(cx, &search.device, wait, creation)?),
        (Some(wait), None) => Some(devices::wait_for(cx, &search.device, wait)?),
        (None, _) => devices::find(cx, &search.device)?,
    };
    let Some(device) = found else {
        cx.note(
            Level::Warning,
            format!(
                "there is no {}: what should persist lies in memory and is gone at the next boot",
                search.device
            ),
        );
        return Ok(Done::with(format!("no {}", search.device)));
    };
    let path = device.path.display().to_string();
    let tried = format!("mount the state disk {} ({path})", search.device);
    let fstype = device.superblock.as_ref().map_or("nothing that is recognised", |found| found.kind.as_str());
    let Some(superblock) = device.superblock.as_ref().filter(|_| SUITABLE.contains(&fstype)) else {
        let wrong = format!("it has {fstype} on it; {} can keep a node's state", SUITABLE.join(", "));
        return Err(Failure::new(Code::StateMount, tried, wrong));
    };
    devices::load_modules(cx, superblock.kind)?;
    let mount = |read_only| Mount::New {
        fstype: fstype.to_owned(),
        source: path.clone(),
        target: STATE.place(),
        options: Vec::new(),
        flags: MountFlags { nodev: true, read_only, ..MountFlags::default() },
    };
    let refused = |error: &SysError| devices::refused(Code::StateMount, &tried, superblock.kind, error);
    cx.sys.make_dir(&STATE.place(), 0o755).map_err(|error| refused(&error))?;
    match cx.sys.mount(&mount(false)) {
        Ok(()) => {}
        // A disk that cannot be written can still be read: what was kept on it is the node's.
        Err(error) if error.errno().is_some_and(|errno| READ_ONLY.contains(&errno)) => {
            cx.sys.mount(&mount(true)).map_err(|_| refused(&error))?;
            let failure = refused(&error).with_fix(
                "It is mounted read-only: what was kept is there, and nothing new is. Look for a write lock, or for the disk's errors.",
            );
            cx.tolerate(&failure);
        }
        Err(error) => return Err(refused(&error)),
    }
    let learned = Learned::State(StateDisk { device: path.clone(), is_wanted: search.wanted });
    Ok(Done::with(format!("{fstype} on {path}")).and(learned))
}

/// A disk that is slow to appear is the state disk all the same: a second one is made only when it had its time.
fn find_or_make(
    cx: &Context,
    wanted: &DeviceRef,
    wait: Duration,
    creation: &StateCreation,
) -> Result<Device, Failure> {
    match devices::wait_for(cx, wanted, wait) {
        Ok(device) if device.superblock.is_some() => Ok(device),
        Err(failure) if failure.code.class() == Class::Permanent => Err(failure),
        // It did not appear; or /dev/NAME did, with nothing on it.
        Ok(_) | Err(_) => create::make(cx, wanted, creation),
    }
}
