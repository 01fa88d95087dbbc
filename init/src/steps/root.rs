//! The OS's root: the image below, a tmpfs above.

use std::path::{Path, PathBuf};

use dayfly_plan::{Code, paths};
use dayfly_sys::{Mount, MountFlags, Sys, SysError};

use crate::Failure;
use crate::context::{Context, Done};

/// Mounts it at its place before the switch.
pub fn mount<S: Sys>(cx: &Context<S>, size: Option<u64>) -> Result<Done, Failure> {
    overlay(cx, size).map_err(|error| {
        Failure::from_sys(Code::RootOverlay, "make the root from image and tmpfs", &error)
    })?;
    Ok(Done::with(match size {
        Some(bytes) => format!("tmpfs of {} MiB above the image", bytes >> 20),
        None => "tmpfs of half the memory above the image".to_owned(),
    }))
}

fn overlay<S: Sys>(cx: &Context<S>, size: Option<u64>) -> Result<(), SysError> {
    let writable = PathBuf::from(paths::WRITABLE);
    let mut options = vec![("mode".to_owned(), Some("0755".to_owned()))];
    if let Some(bytes) = size {
        options.push(("size".to_owned(), Some(bytes.to_string())));
    }
    cx.sys.make_dir(&writable, 0o755)?;
    cx.sys.mount(&Mount::New {
        fstype: "tmpfs".to_owned(),
        source: "tmpfs".to_owned(),
        target: writable.clone(),
        options,
        flags: MountFlags::default(),
    })?;
    cx.sys.make_dir(Path::new(paths::ROOT), 0o755)?;
    over(cx, Path::new(paths::LOWER), &writable, Path::new(paths::ROOT), 0o755)
}

/// Mounts an overlay of `lower` and folders in `writable`.
pub fn over<S: Sys>(
    cx: &Context<S>,
    lower: &Path,
    writable: &Path,
    target: &Path,
    mode: u32,
) -> Result<(), SysError> {
    let (upper, work) = (writable.join("u"), writable.join("w"));
    // The merged folder takes its mode from the upper one.
    cx.sys.make_dir(&upper, mode)?;
    cx.sys.make_dir(&work, 0o700)?;
    cx.sys.mount(&Mount::Overlay { lower: vec![lower.to_owned()], upper, work, target: target.to_owned() })
}
