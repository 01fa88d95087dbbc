//! Debian as `docker export` writes it, in an ISO with the layout of live systems.

use std::{fs, path::Path, process::Command};

use anyhow::{Result, ensure};

use super::{Images, debian};
use crate::command::{call, run};

/// The label of the ISO.
pub const LIVE_LABEL: &str = "DAYFLY LIVE";
/// The image's path in it: Debian's live-boot looks there.
pub const IMAGE_IN_ISO: &str = "live/filesystem.squashfs";
/// A disk in the image's fstab that no node has.
pub const MISSING_UUID: &str = "3f1a9c52-7f0e-4c55-9d2c-6b0f4d0f7c11";
/// Files left over from the container, filled with zeros.
pub const LEFT: [&str; 2] = ["run/left", "tmp/left"];

/// Paths of the tree that a container does not have, or has with other contents.
const TAKEN_AWAY: [&str; 7] =
    ["dev", "etc/fstab", "etc/hostname", "etc/hosts", "etc/machine-id", "etc/mtab", "etc/resolv.conf"];
/// Paths that a container has: pseudo files in the syntax of mksquashfs(1), `true` for an empty one.
const PUT_THERE: [&str; 9] = [
    "/.dockerenv f 755 0 0 true",
    "/dev d 755 0 0",
    "/dev/console f 600 0 0 true",
    "/etc/hostname f 644 0 0 true",
    "/etc/hosts f 644 0 0 true",
    "/etc/resolv.conf s 777 0 0 ../run/systemd/resolve/stub-resolv.conf",
    "/run/systemd d 755 0 0",
    "/run/systemd/resolve d 755 0 0",
    "/run/systemd/resolve/stub-resolv.conf f 644 0 0 echo nameserver 127.0.0.53",
];

impl Images {
    pub(super) fn container(&self) -> Result<std::path::PathBuf> {
        let key = debian::SYSTEMD.key(&self.kernel).with(include_str!("container.rs"));
        self.cache.get("container.iso", key, |iso| {
            let tree = debian::SYSTEMD.tree(&self.cache, &self.kernel)?;
            let folder = tempfile::tempdir()?;
            let squashfs = folder.path().join("live.squashfs");
            exported(&tree, &squashfs)?;
            // A hybrid ISO, which is also a disk, as written to USB sticks.
            call(
                "image: an ISO",
                "xorriso",
                &[
                    "-as",
                    "mkisofs",
                    "-quiet",
                    "-rock",
                    "-volid",
                    LIVE_LABEL,
                    "-partition_offset",
                    "16",
                    "-output",
                    &iso.to_string_lossy(),
                    "-graft-points",
                    &format!("{IMAGE_IN_ISO}={}", squashfs.display()),
                ],
            )?;
            Ok(())
        })
    }
}

/// Compresses the tree without padding, to a length that is not a multiple of the sector size.
fn exported(tree: &Path, to: &Path) -> Result<()> {
    // One length in 512 is a multiple by chance; then another byte changes it.
    for bytes in 1..5 {
        let mut mksquashfs = Command::new("mksquashfs");
        mksquashfs.arg(tree).arg(to).args(["-noappend", "-no-progress", "-nopad"]);
        mksquashfs.args(["-comp", "zstd", "-Xcompression-level", "3"]);
        let left = LEFT.map(|file| format!("/{file} f 644 0 0 head -c {bytes} /dev/zero"));
        let fstab = format!("/etc/fstab f 644 0 0 printf '{}'", fstab());
        for file in PUT_THERE.into_iter().chain(left.iter().map(String::as_str)).chain([&*fstab]) {
            mksquashfs.args(["-p", file]);
        }
        mksquashfs.arg("-e").args(TAKEN_AWAY);
        run("image: Debian out of a container", &mut mksquashfs)?;
        if fs::metadata(to)?.len() % 512 != 0 {
            return Ok(());
        }
    }
    ensure!(false, "mksquashfs -nopad makes whole sectors");
    Ok(())
}

/// The fstab of the machine that the tree was copied from.
fn fstab() -> String {
    ["/ ext4 errors=remount-ro 0 1", "/srv/data ext4 defaults 0 2", "none swap sw 0 0"]
        .map(|rest| format!("UUID={MISSING_UUID} {rest}\\n"))
        .concat()
}
