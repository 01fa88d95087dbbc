//! The image: finds or fetches its layers, verifies and mounts them, and reads its default settings.

pub mod defaults;
pub mod fetch;
pub mod find;
mod hasher;
pub mod init;
mod inside;
pub mod manifest;
pub mod mount;
pub mod mounted_root;
mod padded;
mod part;
mod partition;
mod refusal;
pub mod verify;

use std::path::Path;

use dayfly_formats::superblock::Kind;
use dayfly_sys::{Mount, MountFlags, SysError, TreePath};

use crate::context::Context;

const READ_ONLY: MountFlags =
    MountFlags { read_only: true, nodev: false, nosuid: false, noexec: false, noatime: false };

/// Mount options so that a disk with an image is never written to: without them, the kernel replays a journal even for
/// a read-only mount (ext4(5), xfs(5), btrfs(5)).
pub(super) fn untouched(fstype: &str) -> Vec<(String, Option<String>)> {
    match fstype {
        "ext3" | "ext4" => vec![("noload".to_owned(), None)],
        "xfs" => vec![("norecovery".to_owned(), None)],
        "btrfs" => vec![("rescue".to_owned(), Some("nologreplay".to_owned()))],
        _ => Vec::new(),
    }
}

/// Mounts a file system of an image, or one that holds an image.
fn mount_at(cx: &Context, device: &Path, kind: Kind, target: &TreePath) -> Result<(), SysError> {
    let fstype = kind.as_str();
    cx.sys.make_dir(target, 0o755)?;
    cx.sys.mount(&Mount::New {
        fstype: fstype.to_owned(),
        source: device.display().to_string(),
        target: target.clone(),
        options: untouched(fstype),
        flags: READ_ONLY,
    })
}
