//! Checks whether containers can store their layers on this node.

use std::path::Path;

use dayfly_formats::{fstab::entries, superblock};
use dayfly_plan::Code;
use dayfly_sys::{SysError, own};

use crate::Failure;
use crate::context::Context;
use crate::steps::root::fstab;
use crate::trees::OS;

/// File systems that cannot be the upper layer of a container's overlay, or that lose their files at a reboot.
const UNSUITABLE: [&str; 14] = [
    "overlay", "aufs", "nfs", "nfs4", "9p", "cifs", "smb3", "squashfs", "erofs", "vfat", "exfat", "iso9660",
    "ramfs", "rootfs",
];
const TRIED: &str = "check the storage for containers";

/// Refuses directories of the OS in which no container could start.
pub fn check(cx: &Context, folders: &[&str]) -> Result<(), Failure> {
    let refuse = |error: SysError| Failure::from_sys(Code::KubernetesStorage, TRIED, &error);
    let mounts = cx.sys.read(&own("/proc/mounts")).map_err(refuse)?;
    let mounts = String::from_utf8_lossy(&mounts);
    for folder in folders {
        let place = cx.sys.resolve(&OS.at(folder)).map_err(refuse)?;
        // If /proc/mounts does not tell, the kubelet reports any problem.
        let Some(mount) = mount_of(&mounts, &place.to_string()) else { continue };
        if UNSUITABLE.contains(&mount.kind) || mount.kind.starts_with("fuse") {
            let text = fstab::read(cx).map_err(refuse)?;
            let is_above = |place: &str| place != "/" && Path::new(folder).starts_with(place);
            let later = if entries(&text).any(|line| is_above(&line.place)) {
                "; the OS mounts its file system from /etc/fstab only later, see the log for the reason"
            } else {
                ""
            };
            let wrong =
                format!("{folder} is on {}, which cannot hold the overlays of containers{later}", mount.kind);
            return Err(Failure::new(Code::KubernetesStorage, TRIED, wrong));
        }
        if mount.options.split(',').any(|option| option == "ro") {
            let wrong = format!("{folder} is on {}, which is mounted read-only", mount.source);
            return Err(Failure::new(Code::KubernetesStorage, TRIED, wrong).with_fix(
                "Look for the file system's errors in the log above; a state disk must be writable.",
            ));
        }
        if mount.kind == "xfs" {
            let start = cx.sys.read_at(&own(mount.source), 0, 512).map_err(refuse)?;
            if superblock::xfs_has_ftype(&start) == Some(false) {
                let wrong =
                    format!("{folder} is on the xfs of {}, which was created with ftype=0", mount.source);
                return Err(Failure::new(Code::KubernetesStorage, TRIED, wrong)
                    .with_fix("Create the file system again with ftype=1, the default of mkfs.xfs; ftype cannot be changed later."));
            }
        }
    }
    Ok(())
}

/// A line of /proc/mounts.
#[derive(Debug, PartialEq, Eq)]
struct MountLine<'a> {
    source: &'a str,
    kind: &'a str,
    options: &'a str,
}

/// The mount that contains a path: the one with the longest path, and the last one if there are several
/// (proc_pid_mounts(5)).
fn mount_of<'a>(mounts: &'a str, path: &str) -> Option<MountLine<'a>> {
    let mut best: Option<(usize, MountLine<'a>)> = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ');
        let (Some(source), Some(target), Some(kind), Some(options)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        let holds = target == "/" || path.strip_prefix(target).is_some_and(below);
        if holds && best.as_ref().is_none_or(|(len, _)| target.len() >= *len) {
            best = Some((target.len(), MountLine { source, kind, options }));
        }
    }
    best.map(|(_, mount)| mount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_counts() {
        let mounts = "rootfs / rootfs rw 0 0\noverlay /sysroot overlay rw 0 0\n/dev/vdb /sysroot/var ext4 ro,relatime 0 0\n\
                      tmpfs /sysroot/variant tmpfs rw 0 0\ntmpfs /sysroot/opt tmpfs rw 0 0\noverlay /sysroot/opt overlay rw 0 0\n";
        for (path, source, kind, options) in [
            ("/sysroot/var/lib/kubelet", "/dev/vdb", "ext4", "ro,relatime"),
            ("/sysroot/srv/x", "overlay", "overlay", "rw"),
            ("/sysroot/opt/x", "overlay", "overlay", "rw"),
            ("/other", "rootfs", "rootfs", "rw"),
        ] {
            assert_eq!(mount_of(mounts, path), Some(MountLine { source, kind, options }), "{path}");
        }
        assert_eq!((mount_of("", "/x"), mount_of("broken", "/x")), (None, None));
    }
}
