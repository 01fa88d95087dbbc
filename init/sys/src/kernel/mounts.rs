//! Changes the mount table.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
use rustix::io::Errno;
use rustix::mount::{
    MountAttrFlags, MountFlags as OldFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    UnmountFlags, mount_bind, mount_bind_recursive, mount_change, mount_move, mount_remount, move_mount,
    open_tree, unmount,
};

use super::context::Context;
use super::walk::{self, Last, Missing, Spot};
use super::{Tried, labels};
use crate::{Mount, MountFlags, Result, TreePath, Writable};

pub(crate) fn apply(mount: &Mount) -> Result<()> {
    match mount {
        Mount::New { fstype, source, target, options, flags } => new(fstype, source, target, options, *flags),
        Mount::Overlay { lower, writable, target } => {
            let lower = lower.iter().map(layer).collect::<Result<Vec<_>>>()?;
            let escaped: Vec<String> = lower.iter().map(|dir| escape(dir)).collect();
            let mut options = vec![("lowerdir".to_owned(), Some(escaped.join(":")))];
            if let Some(Writable { upper, work }) = writable {
                let (topmost, upper) = (lower.first().map(Path::new).and_then(labels::of), layer(upper)?);
                // The merged directory has the label of the upper one.
                labels::put_path(Path::new(&upper), topmost.as_ref()).tried("label", &upper)?;
                options.push(("upperdir".to_owned(), Some(upper)));
                options.push(("workdir".to_owned(), Some(layer(work)?)));
            }
            let flags = MountFlags { read_only: writable.is_none(), ..MountFlags::default() };
            new("overlay", "overlay", target, &options, flags)
        }
        Mount::Bind { source, target, recursive, flags } => bind(source, target, *recursive, *flags),
        Mount::Move { source, target } => shift(source, target),
        Mount::Shared { target } => {
            mount_change(find(target)?.path(), MountPropagationFlags::SHARED | MountPropagationFlags::REC)
                .tried("share the mounts below", target)
        }
        Mount::ReadOnly { target } => freeze(target),
        Mount::Unmount { target, lazy } => take_away(target, *lazy),
    }
}

/// Finds the source or target of a mount; follows the symlinks that the tree's rule allows.
fn find(path: &TreePath) -> Result<Spot> {
    walk::find(path, Last::Followed, Missing::Fails)
}

fn handle(spot: &Spot, path: &TreePath) -> Result<OwnedFd> {
    spot.handle().tried("open", path)
}

/// The path of a layer. overlayfs takes it as text and shows it in /proc/mounts. It contains no symlink that could
/// change, because layers are images, which are read-only, and the boot's own directories.
fn layer(path: &TreePath) -> Result<String> {
    Ok(walk::resolve(path)?.to_string())
}

/// True if the path is a mount point (statx(2), `STATX_ATTR_MOUNT_ROOT`; before Linux 5.8 by the device numbers).
pub(crate) fn is_mount_point(path: &Path) -> bool {
    let Ok(here) = statx(CWD, path, AtFlags::NO_AUTOMOUNT, StatxFlags::BASIC_STATS) else { return false };
    if here.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) {
        return here.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
    }
    let Ok(above) = statx(CWD, path.join(".."), AtFlags::NO_AUTOMOUNT, StatxFlags::BASIC_STATS) else {
        return false;
    };
    (here.stx_dev_major, here.stx_dev_minor) != (above.stx_dev_major, above.stx_dev_minor)
        || here.stx_ino == above.stx_ino
}

/// lowerdir is a list, so `:` and `\` in a path are escaped (overlayfs.rst, "Multiple lower layers").
fn escape(path: &str) -> String {
    path.replace('\\', "\\\\").replace(':', "\\:")
}

fn new(
    fstype: &str,
    source: &str,
    target: &TreePath,
    options: &[(String, Option<String>)],
    flags: MountFlags,
) -> Result<()> {
    let operation = format!("mount {fstype}");
    let subject = format!("{source} on {target}");
    let place = find(target)?;
    let Some(context) = Context::open(fstype, operation.clone(), subject.clone())? else {
        return new_by_mount2(fstype, source, &place.path(), options, flags)
            .and_then(|()| keep_private(&place))
            .tried(&operation, subject);
    };
    context.set_string("source", source)?;
    if flags.read_only {
        context.set_flag("ro")?;
    }
    for (key, value) in options {
        match value {
            Some(value) => context.set_string(key, value)?,
            None => context.set_flag(key)?,
        }
    }
    let mount = context.create(attributes(flags))?;
    if fstype == "tmpfs" {
        labels::put_top(&mount, labels::of(&place.path()).as_ref()).tried("label", &subject)?;
    }
    attach(&mount, &place).tried(&operation, subject)
}

/// Makes a mount private. In an initramfs with systemd all mounts are shared. A new mount below them, and a bind mount
/// of it, would be shared as well: a mount on one would also appear on the other.
fn keep_private(place: &Spot) -> std::result::Result<(), Errno> {
    mount_change(place.path(), MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
}

/// Uses mount(2) for kernels before 5.2, which have no message log and limit the options to one page.
fn new_by_mount2(
    fstype: &str,
    source: &str,
    target: &Path,
    options: &[(String, Option<String>)],
    flags: MountFlags,
) -> std::result::Result<(), Errno> {
    let words: Vec<String> = options
        .iter()
        .map(|(key, value)| value.as_ref().map_or_else(|| key.clone(), |value| format!("{key}={value}")))
        .collect();
    let data = std::ffi::CString::new(words.join(",")).map_err(|_| Errno::INVAL)?;
    rustix::mount::mount(source, target, fstype, old_flags(flags), &*data)
}

fn bind(source: &TreePath, target: &TreePath, recursive: bool, flags: MountFlags) -> Result<()> {
    let operation = if recursive { "bind the tree" } else { "bind" };
    let subject = format!("{source} on {target}");
    let (from, place) = (find(source)?, find(target)?);
    let mut how =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        how |= OpenTreeFlags::AT_RECURSIVE;
    }
    let tree: OwnedFd = match open_tree(handle(&from, source)?, "", how) {
        Err(Errno::NOSYS) => {
            return bind_by_mount2(&from, &place, recursive, flags).tried(operation, subject);
        }
        opened => opened.tried(operation, &subject)?,
    };
    if flags == MountFlags::default() {
        return attach(&tree, &place).tried(operation, subject);
    }
    // Set the flags before attaching, so that the tree is never visible as writable.
    match set_attributes(tree.as_fd(), attributes(flags), 0, recursive) {
        Ok(()) => attach(&tree, &place).tried(operation, subject),
        Err(Errno::NOSYS) => bind_by_mount2(&from, &place, recursive, flags).tried(operation, subject),
        Err(errno) => Err(errno).tried(&format!("set the flags of the {operation}"), subject),
    }
}

/// For kernels before 5.12, which lack `mount_setattr`: the flags are set after attaching, and do not apply to the
/// mounts below a recursive bind.
fn bind_by_mount2(
    source: &Spot,
    target: &Spot,
    recursive: bool,
    flags: MountFlags,
) -> std::result::Result<(), Errno> {
    if recursive {
        mount_bind_recursive(source.path(), target.path())?;
    } else {
        mount_bind(source.path(), target.path())?;
    }
    keep_private(target)?;
    if flags == MountFlags::default() {
        Ok(())
    } else {
        mount_remount(target.path(), OldFlags::BIND | old_flags(flags), "")
    }
}

fn shift(source: &TreePath, target: &TreePath) -> Result<()> {
    let subject = format!("{source} to {target}");
    let (from, to) = (find(source)?, find(target)?);
    let how = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    match move_mount(handle(&from, source)?, "", handle(&to, target)?, "", how) {
        Err(Errno::NOSYS) => mount_move(from.path(), to.path()),
        moved => moved,
    }
    .tried("move the mount", subject)
}

fn freeze(target: &TreePath) -> Result<()> {
    let place = find(target)?;
    let how = OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let frozen = match open_tree(handle(&place, target)?, "", how) {
        Ok(mount) => set_attributes(mount.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY, 0, true),
        Err(errno) => Err(errno),
    };
    match frozen {
        // Before Linux 5.12 the mounts below stay writable.
        Err(Errno::NOSYS) => mount_remount(place.path(), OldFlags::BIND | OldFlags::RDONLY, ""),
        done => done,
    }
    .tried("make the mount read-only", target)?;
    mount_remount(place.path(), OldFlags::RDONLY, "").tried("make the file system read-only", target)
}

fn take_away(target: &TreePath, lazy: bool) -> Result<()> {
    let place = find(target)?;
    match unmount(place.path(), UnmountFlags::NOFOLLOW) {
        Err(Errno::BUSY) if lazy => unmount(place.path(), UnmountFlags::NOFOLLOW | UnmountFlags::DETACH),
        done => done,
    }
    .tried("unmount", target)
}

/// Attaches a new mount at its mount point, using only descriptors.
fn attach(mount: &OwnedFd, place: &Spot) -> std::result::Result<(), Errno> {
    let how = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", place.handle()?, "", how)?;
    match set_attributes(mount.as_fd(), MountAttrFlags::empty(), libc::MS_PRIVATE, true) {
        Err(Errno::NOSYS) => keep_private(place),
        done => done,
    }
}

fn attributes(flags: MountFlags) -> MountAttrFlags {
    [
        (flags.read_only, MountAttrFlags::MOUNT_ATTR_RDONLY),
        (flags.nodev, MountAttrFlags::MOUNT_ATTR_NODEV),
        (flags.nosuid, MountAttrFlags::MOUNT_ATTR_NOSUID),
        (flags.noexec, MountAttrFlags::MOUNT_ATTR_NOEXEC),
        (flags.noatime, MountAttrFlags::MOUNT_ATTR_NOATIME),
    ]
    .into_iter()
    .filter(|(set, _)| *set)
    .fold(MountAttrFlags::empty(), |all, (_, flag)| all | flag)
}

fn old_flags(flags: MountFlags) -> OldFlags {
    [
        (flags.read_only, OldFlags::RDONLY),
        (flags.nodev, OldFlags::NODEV),
        (flags.nosuid, OldFlags::NOSUID),
        (flags.noexec, OldFlags::NOEXEC),
        (flags.noatime, OldFlags::NOATIME),
    ]
    .into_iter()
    .filter(|(set, _)| *set)
    .fold(OldFlags::empty(), |all, (_, flag)| all | flag)
}

/// [mount_setattr(2)](https://man7.org/linux/man-pages/man2/mount_setattr.2.html), which rustix does not have.
#[allow(unsafe_code)]
fn set_attributes(
    tree: BorrowedFd<'_>,
    attributes: MountAttrFlags,
    propagation: u64,
    recursive: bool,
) -> std::result::Result<(), Errno> {
    let change =
        libc::mount_attr { attr_set: u64::from(attributes.bits()), attr_clr: 0, propagation, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a NUL-terminated literal, `change` is a `struct mount_attr` that lives through the call, and
    // its true size is passed; the kernel writes to neither.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const change,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

/// errno of the libc call that just failed.
pub(super) fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_separators_in_a_layer_path_are_escaped() {
        for (path, expected) in
            [("/l/0", "/l/0"), ("/a:b", "/a\\:b"), ("/a\\b", "/a\\\\b"), ("/a\\:b", "/a\\\\\\:b")]
        {
            assert_eq!(escape(path), expected);
        }
    }

    #[test]
    fn each_flag_has_its_bit() {
        let all = MountFlags { read_only: true, nodev: true, nosuid: true, noexec: true, noatime: true };
        assert_eq!(attributes(MountFlags::default()).bits(), 0);
        assert_eq!(attributes(all).bits(), 0x1f);
        assert_eq!(
            u64::from(old_flags(all).bits()),
            libc::MS_RDONLY | libc::MS_NODEV | libc::MS_NOSUID | libc::MS_NOEXEC | libc::MS_NOATIME
        );
    }

    #[test]
    fn mount_points_are_told_from_folders() {
        assert!(is_mount_point(Path::new("/proc")));
        assert!(is_mount_point(Path::new("/")));
        assert!(!is_mount_point(Path::new("/proc/self")));
        assert!(!is_mount_point(Path::new("/nowhere")));
    }
}
