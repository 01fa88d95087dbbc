//! Whether containers can keep their layers on this node.

use std::path::Path;

use dayfly_plan::{Code, paths};
use dayfly_sys::Sys;

use crate::Failure;
use crate::context::Context;

/// File systems that cannot be the upper layer of an overlay, or lose what a node keeps.
const UNSUITABLE: [&str; 10] =
    ["overlay", "nfs", "nfs4", "9p", "cifs", "squashfs", "erofs", "vfat", "iso9660", "ramfs"];
const DATA: &str = "/var/lib/kubelet";

/// Refuses a /var on which no container would start.
pub fn check<S: Sys>(cx: &Context<S>) -> Result<(), Failure> {
    // Where it cannot be read, the kubelet says the rest.
    let Ok(mounts) = cx.sys.read(Path::new("/proc/mounts")) else { return Ok(()) };
    match file_system(&String::from_utf8_lossy(&mounts), &format!("{}{DATA}", paths::ROOT)) {
        Some(kind) if UNSUITABLE.contains(&kind) => {
            let wrong = format!("{DATA} lies on {kind}");
            Err(Failure::new(Code::KubernetesStorage, "find a place for containers", wrong))
        }
        _ => Ok(()),
    }
}

/// The type of the file system that a path is on: of the mount with the longest path, the last one of several
/// (proc_pid_mounts(5)).
fn file_system<'a>(mounts: &'a str, path: &str) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(target), Some(kind)) = (fields.next(), fields.next()) else { continue };
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        let holds = target == "/" || path.strip_prefix(target).is_some_and(below);
        if holds && best.is_none_or(|(len, _)| target.len() >= len) {
            best = Some((target.len(), kind));
        }
    }
    best.map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_counts() {
        let mounts = "rootfs / rootfs rw 0 0\noverlay /sysroot overlay rw 0 0\n/dev/vdb /sysroot/var ext4 rw 0 0\n\
                      tmpfs /sysroot/variant tmpfs rw 0 0\ntmpfs /sysroot/opt tmpfs rw 0 0\noverlay /sysroot/opt overlay rw 0 0\n";
        for (path, kind) in [
            ("/sysroot/var/lib/kubelet", "ext4"),
            ("/sysroot/srv/x", "overlay"),
            ("/sysroot/opt/x", "overlay"),
            ("/other", "rootfs"),
        ] {
            assert_eq!(file_system(mounts, path), Some(kind), "{path}");
        }
        assert_eq!((file_system("", "/x"), file_system("broken", "/x")), (None, None));
    }
}
