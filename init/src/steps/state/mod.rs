//! The state disk.

mod create;
pub mod last_boot;

use std::time::Duration;

use dayfly_plan::settings::value::DeviceRef;
use dayfly_plan::{Class, Code, StateCreation, StateSearch};
use dayfly_sys::{Mount, MountFlags, SysError};

use crate::context::{Context, Done};
use crate::devices::{self, Device};
use crate::events::Level;
use crate::trees::STATE;
use crate::{Failure, Learned, StateDisk};

/// File systems that can store the state: they support owners, modes, xattrs and links.
pub const SUITABLE: [&str; 5] = ["ext4", "xfs", "btrfs", "f2fs", "ext3"];

/// The errors of mounting a write-protected device, errno(3): EACCES, EROFS.
const READ_ONLY: [i32; 2] = [13, 30];

/// Finds and mounts it. Without a requested disk, and if none is found, persistent paths are in memory.
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
                "no {} was found: persistent paths are in memory and are lost at the next boot",
                search.device
            ),
        );
        return Ok(Done::with(format!("no {}", search.device)));
    };
    let path = device.path.display().to_string();
    let tried = format!("mount the state disk {} ({path})", search.device);
    let fstype = device.superblock.as_ref().map_or("no recognised file system", |found| found.kind.as_str());
    let Some(superblock) = device.superblock.as_ref().filter(|_| SUITABLE.contains(&fstype)) else {
        let wrong = format!("it has {fstype}; the state disk can have {}", SUITABLE.join(", "));
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
        // A read-only disk still has the node's state, so mount it read-only.
        Err(error) if error.errno().is_some_and(|errno| READ_ONLY.contains(&errno)) => {
            cx.sys.mount(&mount(true)).map_err(|_| refused(&error))?;
            let failure = refused(&error).with_fix(
                "It is mounted read-only: earlier state is available, but nothing new is stored. Check the disk for write protection and for errors.",
            );
            cx.tolerate(&failure);
        }
        Err(error) => return Err(refused(&error)),
    }
    let learned = Learned::State(StateDisk { device: path.clone(), is_wanted: search.wanted });
    Ok(Done::with(format!("{fstype} on {path}")).and(learned))
}

/// Waits for the state disk for its full time before a new one is created, because it may appear late.
fn find_or_make(
    cx: &Context,
    wanted: &DeviceRef,
    wait: Duration,
    creation: &StateCreation,
) -> Result<Device, Failure> {
    match devices::wait_for(cx, wanted, wait) {
        Ok(device) if device.superblock.is_some() => Ok(device),
        Err(failure) if failure.code.class() == Class::Permanent => Err(failure),
        // It did not appear, or /dev/NAME is blank.
        Ok(_) | Err(_) => create::make(cx, wanted, creation),
    }
}
