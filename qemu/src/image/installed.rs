//! An ordinary installed Debian on a disk: partitions, fstab, kernel and the initramfs that Debian's initramfs-tools make for it.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{Images, addition, addition::Addition, debian, disk};
use crate::command::{call, run};

/// The UUID of the root's file system.
pub const ROOT_UUID: &str = "6f0d0c5e-3c1b-4d5a-9a55-0d8a3b6f7e11";
/// Where the init goes that `init=` names.
pub const DAYFLY_INIT: &str = "/usr/lib/dayfly/init";
/// The machine-id that the installer gave.
pub const MACHINE_ID: &str = "5b1d6c3a8f2e4c7d9a0b1c2d3e4f5a6b";

const ESP_UUID: &str = "DA1F-F1E5";
const MEBIBYTE: u64 = 1 << 20;
/// The size of the EFI system partition.
const ESP: u64 = 64 * MEBIBYTE;
/// Where the first partition begins, as every installer has it; as much is left at the end for the second GPT.
const MARGIN: u64 = MEBIBYTE;

/// What the installer of a distribution does: a name, an id, fstab, kernel and initramfs.
pub(super) static INSTALLED: Addition = Addition {
    inputs: &[ROOT_UUID, ESP_UUID, MACHINE_ID],
    apply: |tree, kernel| {
        addition::write(tree, "etc/hostname", "installed\n", 0o644)?;
        addition::write(tree, "etc/hosts", "127.0.0.1 localhost\n127.0.1.1 installed\n", 0o644)?;
        addition::write(tree, "etc/machine-id", &format!("{MACHINE_ID}\n"), 0o444)?;
        let fstab = format!(
            "# /etc/fstab: static file system information.\n\
             UUID={ROOT_UUID} / ext4 errors=remount-ro 0 1\n\
             UUID={ESP_UUID} /boot/efi vfat umask=0077 0 1\n"
        );
        addition::write(tree, "etc/fstab", &fstab, 0o644)?;
        fs::create_dir_all(tree.join("boot/efi"))?;
        for (name, from) in [("vmlinuz", &kernel.image), ("config", &kernel.config())] {
            let to = tree.join("boot").join(format!("{name}-{}", kernel.version));
            fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
        }
        let update = ["update-initramfs", "-c", "-k", &kernel.version];
        let root = tree.to_string_lossy();
        call("image: Debian's initramfs", "chroot", &[&[&*root], &update[..]].concat())?;
        Ok(())
    },
};

/// The parts of an installed system, all in the cache.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The root's file system, ext4.
    root: PathBuf,
    /// The EFI system partition's, FAT.
    esp: PathBuf,
    /// The kernel in its /boot.
    pub kernel: PathBuf,
    /// The initramfs in its /boot.
    pub initrd: PathBuf,
}

impl Images {
    /// The installed Debian; built when it is not in the cache.
    pub fn installed(&self) -> Result<Installed> {
        let recipe = &debian::INSTALLED;
        let tree = recipe.tree(&self.cache, &self.kernel)?;
        let key = || recipe.key(&self.kernel).with(include_str!("installed.rs"));
        let root =
            self.cache.get("installed.ext4", key(), |path| disk::ext4_of(path, &tree, &["-U", ROOT_UUID]))?;
        let esp = self.cache.get("esp.fat", key(), |path| {
            fs::File::create(path)?.set_len(ESP)?;
            let id = ESP_UUID.replace('-', "");
            call("disk: FAT", "/sbin/mkfs.vfat", &["-F", "32", "-i", &id, &path.to_string_lossy()])?;
            Ok(())
        })?;
        let boot = |name: &str| tree.join("boot").join(format!("{name}-{}", self.kernel.version));
        Ok(Installed { root, esp, kernel: boot("vmlinuz"), initrd: boot("initrd.img") })
    }
}

impl Installed {
    /// The root's file system on a disk, as the tools of e2fsprogs take it.
    pub fn root_on(disk: &Path) -> String {
        format!("{}?offset={MARGIN}", disk.display())
    }

    /// Makes a disk (GPT: the root, then the EFI system partition) at `path`, with `init` at [`DAYFLY_INIT`].
    pub fn disk(&self, path: &Path, init: &Path) -> Result<()> {
        let size = fs::metadata(&self.root)?.len();
        let disk = fs::File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
        disk.set_len(MARGIN + size + ESP + MARGIN)?;
        let shown = path.to_string_lossy();
        let (root, esp) = (size / MEBIBYTE, ESP / MEBIBYTE);
        let sgdisk = [
            "--new",
            &format!("1:{}M:+{root}M", MARGIN / MEBIBYTE),
            "--typecode=1:8300",
            "--new",
            &format!("2:0:+{esp}M"),
            "--typecode=2:ef00",
            &shown,
        ]
        .map(str::to_owned);
        let sgdisk: Vec<&str> = sgdisk.iter().map(String::as_str).collect();
        call("disk: partitions", "/sbin/sgdisk", &sgdisk)?;
        copy_sparse(&self.root, &disk, MARGIN)?;
        copy_sparse(&self.esp, &disk, MARGIN + size)?;
        // debugfs knows no -p: each folder by itself.
        let commands = format!(
            "mkdir {folder}\nwrite {} {DAYFLY_INIT}\nset_inode_field {DAYFLY_INIT} mode 0100755\n",
            init.display(),
            folder = Path::new(DAYFLY_INIT).parent().unwrap_or(Path::new("/")).display()
        );
        let script = tempfile::NamedTempFile::new()?;
        fs::write(script.path(), commands)?;
        let place = Self::root_on(path);
        run(
            "disk: the init",
            std::process::Command::new("/sbin/debugfs").arg("-w").arg("-f").arg(script.path()).arg(place),
        )?;
        Ok(())
    }
}

/// Copies a file into another at an offset; what is zero stays a hole.
fn copy_sparse(from: &Path, to: &fs::File, offset: u64) -> Result<()> {
    let from = fs::File::open(from)?;
    let (mut buffer, mut at) = (vec![0; MEBIBYTE as usize], 0);
    loop {
        let count = from.read_at(&mut buffer, at)?;
        if count == 0 {
            return Ok(());
        }
        if buffer[..count].iter().any(|&byte| byte != 0) {
            to.write_all_at(&buffer[..count], offset + at)?;
        }
        at += count as u64;
    }
}
