//! The switch to the new root, and the end of the machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, Mode, fstat, fstatfs, mkdir, rmdir, stat, statfs};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, mount_move, unmount};
use rustix::process::{chdir, chroot, pivot_root};
use rustix::system::{RebootCommand, reboot};

use super::Tried;
use super::changes::is_memory;
use super::mounts::{apply, is_mount_point};
use super::removal;
use crate::pid1::power::end_within;
use crate::{Cause, Mount, MountFlags, Power, Result, SysError, Tree, own};

/// The mounts that are moved into the OS.
const MOVED: [&str; 4] = ["proc", "sys", "dev", "run"];

/// The temporary mount point of the old root in the new one.
const OLD: &str = "old";

pub(super) fn leave_root(old: Tree) -> Result<()> {
    // pivot_root(2) refuses mounts that share their events.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .tried("make the mounts private below", "/")?;
    // Mount it over the old root, because there may be no directory for it. From `/`, only `..` leads to the covering
    // mount.
    apply(&Mount::New {
        fstype: "tmpfs".to_owned(),
        source: "root".to_owned(),
        target: own("/"),
        options: vec![("mode".to_owned(), Some("0755".to_owned()))],
        flags: MountFlags::default(),
    })?;
    chdir("/..").tried("enter", "/..")?;
    let device = |path| stat(path).map(|stat| stat.st_dev);
    if device(".").tried("inspect", "/..")? == device("/").tried("inspect", "/")? {
        let words = "it is not the mount that was made there";
        return Err(SysError::new("enter", "/..", Cause::Unsupported, words));
    }
    let pivoted = mkdir(OLD, Mode::from_raw_mode(0o755)).and_then(|()| pivot_root(".", OLD));
    if let Err(errno) = pivoted {
        // The boot continues in the old root to report this failure. The covering mount is not visible there, so it
        // does no harm if it stays.
        let _ = unmount(".", UnmountFlags::DETACH);
        return chdir("/").and(Err(errno)).tried("change the root to", "a root in memory");
    }
    chdir("/").tried("enter", "/")?;
    let left = Path::new("/").join(OLD);
    for name in MOVED {
        let (source, target) = (left.join(name), Path::new("/").join(name));
        if is_mount_point(&source) {
            mkdir(&target, Mode::from_raw_mode(0o755)).tried("create the directory", target.display())?;
            apply(&Mount::Move { source: own(source), target: own(target) })?;
        }
    }
    std::fs::create_dir_all(old.root()).tried("create the directory", old.root())?;
    apply(&Mount::Move { source: own(&left), target: own(old.root()) })?;
    rmdir(&left).tried("remove", left.display())
}

pub(super) fn switch_root(root: Tree) -> Result<()> {
    let root = Path::new(root.root());
    let shown = root.display().to_string();
    let old = removal::open_dir(CWD, "/").tried("open", "/")?;
    let old_device = fstat(&old).tried("inspect", "/")?.st_dev;
    let new_device = stat(root).tried("inspect", &shown)?.st_dev;
    if new_device == old_device {
        let words = "it is on the initramfs itself, which is deleted after the switch; mount the new root there first";
        return Err(SysError::new("switch root to", shown, Cause::Errno(libc::EINVAL), words));
    }
    if !is_mount_point(root) {
        let flags = MountFlags::default();
        apply(&Mount::Bind { source: own(root), target: own(root), recursive: true, flags })?;
    }
    // Delete only the kernel's own rootfs. Another tmpfs as the root may be a layer of the new root.
    let emptied = is_rootfs()? && fstatfs(&old).is_ok_and(|fs| is_memory(fs.f_type as u64));

    for name in MOVED {
        let from = Path::new("/").join(name);
        if !is_mount_point(&from) {
            continue;
        }
        apply(&Mount::Move { source: own(from), target: own(room(&root.join(name))?) })?;
    }
    chdir(root).tried("enter", &shown)?;
    mount_move(".", "/").tried("move to / the mount", &shown)?;
    chroot(".").tried("change the root to", &shown)?;
    chdir("/").tried("enter", "/")?;
    // This comes last, so that the initramfs is available to report a failed switch. The open directory still refers to
    // it below the new root.
    if emptied {
        // This only frees memory, so errors are ignored.
        let _ = removal::empty(&old);
    }
    Ok(())
}

/// Makes sure that a mount point exists in the new root. A symlink at its path is removed, because it would lead to
/// another place, even to the old root.
fn room(to: &Path) -> Result<PathBuf> {
    if std::fs::symlink_metadata(to).is_ok_and(|found| found.is_symlink()) {
        std::fs::remove_file(to).tried("replace by a directory", to.display())?;
    }
    match mkdir(to, Mode::from_raw_mode(0o755)) {
        // In a read-only root without the directory, the move fails and reports it.
        Ok(()) | Err(rustix::io::Errno::EXIST | rustix::io::Errno::ROFS) => Ok(to.to_owned()),
        Err(errno) => Err(errno).tried("create the directory", to.display()),
    }
}

/// True in an initramfs, that is, if `/` is the kernel's rootfs. If /proc is not available, any root in memory counts.
pub(crate) fn is_initramfs() -> bool {
    is_rootfs().unwrap_or_else(|_| statfs("/").is_ok_and(|fs| is_memory(fs.f_type as u64)))
}

/// True if `/` is the rootfs into which the kernel unpacked the initramfs (proc_pid_mountinfo(5)).
fn is_rootfs() -> Result<bool> {
    let text = super::files::read(&own("/proc/self/mountinfo"))?;
    Ok(names_rootfs(&String::from_utf8_lossy(&text)))
}

fn names_rootfs(mountinfo: &str) -> bool {
    mountinfo.lines().any(|line| {
        let mounted_on = line.split(' ').nth(4);
        let fstype = line.split_once(" - ").and_then(|(_, rest)| rest.split(' ').next());
        mounted_on == Some("/") && fstype == Some("rootfs")
    })
}

/// Time limit for sync(2). Every file on a disk was flushed when it was written; this is for the remaining metadata.
const SYNC: Duration = Duration::from_secs(10);

pub(super) fn power(power: Power) -> SysError {
    // A disk that does not answer blocks sync(2) for ever. So sync only if the end of the machine is scheduled.
    if end_within(power, SYNC) {
        rustix::fs::sync();
    }
    let operation = match power {
        Power::Reboot => "reboot",
        Power::PowerOff => "power off",
        Power::Halt => "halt",
    };
    match reboot_now(power) {
        Err(errno) => SysError::from_io(operation, "the machine", &errno.into()),
        Ok(()) => {
            SysError::new(operation, "the machine", Cause::Unsupported, "the kernel returned from reboot(2)")
        }
    }
}

/// Calls only reboot(2), so that a signal handler can use it.
pub(crate) fn reboot_now(power: Power) -> rustix::io::Result<()> {
    reboot(match power {
        Power::Reboot => RebootCommand::Restart,
        Power::PowerOff => RebootCommand::PowerOff,
        Power::Halt => RebootCommand::Halt,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kernels_rootfs_is_emptied() {
        for (text, expected) in [
            ("1 1 0:2 / / rw - rootfs none rw,size=1k\n22 1 0:5 / /proc rw - proc proc rw\n", true),
            ("1 1 0:2 / / rw shared:1 - rootfs rootfs rw\n", true),
            ("30 1 0:25 / / rw - tmpfs tmpfs rw\n", false),
            ("30 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n", false),
            ("31 1 0:2 / /mnt rw - rootfs none rw\n", false),
            ("", false),
        ] {
            assert_eq!(names_rootfs(text), expected, "{text}");
        }
    }
}
