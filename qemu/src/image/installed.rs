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
/// The init's path, which `init=` names.
pub const DAYFLY_INIT: &str = "/usr/lib/dayfly/init";
/// The machine-id that the installer gave.
pub const MACHINE_ID: &str = "5b1d6c3a8f2e4c7d9a0b1c2d3e4f5a6b";

const ESP_UUID: &str = "DA1F-F1E5";
/// The UUIDs of file systems on separate partitions: all digits but the last, which is the partition's.
const APART_UUID: &str = "0b6f5b0a-58c5-4a5e-8a53-1c1e2f7b9d0";
/// Partition types, in sgdisk(8)'s notation.
const LINUX: &str = "8300";
const EFI: &str = "ef00";
const MEBIBYTE: u64 = 1 << 20;
/// The size of the EFI system partition.
const ESP: u64 = 64 * MEBIBYTE;
/// Where the first partition begins, as with every installer; the same space is left at the end for the second GPT.
const MARGIN: u64 = MEBIBYTE;

/// The work of a distribution's installer: a name, an id, fstab, kernel and initramfs.
pub(super) static INSTALLED: Addition = Addition {
    inputs: &[ROOT_UUID, ESP_UUID, MACHINE_ID],
    apply: |tree, kernel| {
        addition::write(tree, "etc/hostname", "installed\n", 0o644)?;
        addition::write(tree, "etc/hosts", "127.0.0.1 localhost\n127.0.1.1 installed\n", 0o644)?;
        addition::write(tree, "etc/machine-id", &format!("{MACHINE_ID}\n"), 0o444)?;
        addition::write(tree, "etc/fstab", &fstab_text(), 0o644)?;
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
    /// The EFI system partition's file system, FAT.
    esp: PathBuf,
    /// The tree of the root.
    tree: PathBuf,
    /// The kernel in its /boot.
    pub kernel: PathBuf,
    /// The initramfs in its /boot.
    pub initrd: PathBuf,
}

impl Images {
    /// The installed Debian, built if it is not in the cache.
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
        let (kernel, initrd) = (boot("vmlinuz"), boot("initrd.img"));
        Ok(Installed { root, esp, tree, kernel, initrd })
    }
}

impl Installed {
    /// The root's file system on a disk, in the notation of e2fsprogs.
    pub fn root_on(disk: &Path) -> String {
        at(disk, MARGIN)
    }

    /// Makes a disk (GPT: the root, then the EFI system partition) at `path`, with `init` at [`DAYFLY_INIT`].
    pub fn disk(&self, path: &Path, init: &Path) -> Result<()> {
        partition(path, &[(self.root.clone(), LINUX), (self.esp.clone(), EFI)])?;
        put_init(&Self::root_on(path), DAYFLY_INIT, init)
    }

    /// The same with these folders on separate partitions, from the third on, each with a line in fstab with the given options.
    /// If `/usr` is separate, only its partition has the init.
    pub fn disk_apart(&self, path: &Path, init: &Path, apart: &[(&str, &str)]) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut fstab = fstab_text();
        let mut parts = vec![(self.root.clone(), LINUX), (self.esp.clone(), EFI)];
        for (number, (place, options)) in (3..).zip(apart) {
            let (uuid, part) = (format!("{APART_UUID}{number}"), folder.path().join(number.to_string()));
            disk::ext4_of(&part, &self.tree.join(place.trim_start_matches('/')), &["-U", &uuid])?;
            parts.push((part, LINUX));
            fstab.extend(["UUID=", &uuid, " ", place, " ext4 ", options, " 0 2\n"]);
        }
        let starts = partition(path, &parts)?;
        let (root, text) = (Self::root_on(path), folder.path().join("fstab"));
        fs::write(&text, fstab)?;
        debugfs("disk: fstab", &root, &format!("rm /etc/fstab\nwrite {} /etc/fstab\n", text.display()))?;
        match apart.iter().position(|(place, _)| *place == "/usr") {
            None => put_init(&root, DAYFLY_INIT, init),
            Some(index) => {
                let usr = starts.get(index + 2).context("no partition for /usr")?;
                let inside = DAYFLY_INIT.strip_prefix("/usr").context("the init is not below /usr")?;
                put_init(&at(path, *usr), inside, init)
            }
        }
    }
}

fn fstab_text() -> String {
    format!(
        "# /etc/fstab: static file system information.\n\
         UUID={ROOT_UUID} / ext4 errors=remount-ro 0 1\n\
         UUID={ESP_UUID} /boot/efi vfat umask=0077 0 1\n"
    )
}

/// A file system at an offset of a disk, in the notation of e2fsprogs.
fn at(disk: &Path, start: u64) -> String {
    format!("{}?offset={start}", disk.display())
}

/// Makes a disk with a GPT whose partitions hold copies of these file systems. Returns the start of each.
fn partition(path: &Path, parts: &[(PathBuf, &str)]) -> Result<Vec<u64>> {
    let sizes: Vec<u64> =
        parts.iter().map(|(part, _)| Ok(fs::metadata(part)?.len())).collect::<Result<_>>()?;
    let disk = fs::File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    disk.set_len(MARGIN + sizes.iter().sum::<u64>() + MARGIN)?;
    let (mut arguments, mut starts, mut start) = (Vec::new(), Vec::new(), MARGIN);
    for (index, (size, (_, kind))) in (1..).zip(sizes.iter().zip(parts)) {
        let (begin, length) = (start / MEBIBYTE, size / MEBIBYTE);
        arguments.extend(["--new".to_owned(), format!("{index}:{begin}M:+{length}M")]);
        arguments.push(format!("--typecode={index}:{kind}"));
        starts.push(start);
        start += size;
    }
    arguments.push(path.to_string_lossy().into_owned());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    call("disk: partitions", "/sbin/sgdisk", &arguments)?;
    for ((part, _), start) in parts.iter().zip(&starts) {
        copy_sparse(part, &disk, *start)?;
    }
    Ok(starts)
}

fn put_init(place: &str, path: &str, init: &Path) -> Result<()> {
    let folder = Path::new(path).parent().unwrap_or(Path::new("/")).display();
    // debugfs has no `mkdir -p`: make each folder by itself.
    let commands =
        format!("mkdir {folder}\nwrite {} {path}\nset_inode_field {path} mode 0100755\n", init.display());
    debugfs("disk: the init", place, &commands)
}

fn debugfs(what: &str, place: &str, commands: &str) -> Result<()> {
    let script = tempfile::NamedTempFile::new()?;
    fs::write(script.path(), commands)?;
    let mut debugfs = std::process::Command::new("/sbin/debugfs");
    run(what, debugfs.arg("-w").arg("-f").arg(script.path()).arg(place)).map(drop)
}

/// Copies a file into another at an offset; zeros stay holes.
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
