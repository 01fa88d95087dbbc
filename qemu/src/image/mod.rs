//! The test images and disks, built once and kept in the cache.

mod addition;
mod container;
mod debian;
mod disk;
mod installed;
mod k0s;
mod kubernetes;
mod shape;
mod small;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

pub(crate) use addition::closure;
pub use container::{IMAGE_IN_ISO, LEFT, LIVE_LABEL, MISSING_UUID};
use debian::Recipe;
pub use disk::{ext4, ext4_with, iso_with, vfat_with};
pub use installed::{DAYFLY_INIT, Installed, MACHINE_ID, ROOT_UUID};
pub use shape::NIXOS_INIT;

use crate::{
    cache::{Cache, Key, hash_note, sha256_file},
    command::{call, run},
    kernel::Kernel,
};

/// A label of the disk that keeps a node's state.
pub const STATE_LABEL: &str = "state";
/// The label of the disk that holds images.
pub const IMAGES_LABEL: &str = "images";
/// The image's path on the disk labelled [`IMAGES_LABEL`]; dracut's default for `root=live:LABEL=…`.
pub const IMAGE_ON_DISK: &str = "LiveOS/squashfs.img";
/// The settings in [`Image::WithSettings`]: one small tmpfs for each source of settings, which that source makes larger.
pub const IMAGE_SETTINGS: &str = r#"version = 1
[layout]
"/srv/image" = "tmpfs(1M)"
"/srv/initramfs" = "tmpfs(1M)"
"/srv/url" = "tmpfs(1M)"
"/srv/config" = "tmpfs(1M)"
"/srv/smbios" = "tmpfs(1M)"
"/srv/fw_cfg" = "tmpfs(1M)"
"/srv/cmdline" = "tmpfs(1M)"
"#;
/// The password of root in the Debian test image.
pub const ROOT_PASSWORD: &str = "dayfly";

/// One of the images the tests boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// Debian 12 with systemd as squashfs (zstd). Raw disks hold it too: its size is a multiple of 4096.
    Debian,
    /// The same tree as erofs (lz4hc).
    DebianErofs,
    /// Debian 12 with systemd and the programs of a server (sshd, git, cron, systemd-networkd), and files that a wrong copy spoils.
    Server,
    /// The same with OpenRC, and ifupdown and dhclient.
    OpenRc,
    /// Debian 12 with systemd, ifupdown and dhclient.
    Ifupdown,
    /// Debian 12 with systemd, containerd and a real kubelet, for which the Kubernetes parts are built; nothing of it is configured.
    Kubernetes,
    /// busybox and the agent, for tests of what happens before the OS runs.
    Small,
    /// The tree of [`Image::Debian`] with [`IMAGE_SETTINGS`].
    WithSettings,
    /// A few kilobytes of squashfs without any init.
    NoInit,
    /// The Debian squashfs, made 700 MB long by a hole: it boots like the other, but does not fit into 512 MiB of RAM.
    Big,
    /// An ext4 file system labelled `images` that holds [`Image::Small`] as `LiveOS/squashfs.img`.
    OnLabelledDisk,
    /// Debian 13 with systemd and its own kernel, [`Images::debian13_kernel`].
    Debian13,
    /// The layout of Alpine: busybox as process 1 starts OpenRC; apk's database in /lib; no files of systemd.
    ShapeAlpine,
    /// The layout of a bootc tree, made from [`Image::Debian13`]: /etc below /usr, the kernel beside its modules, the rest in /var.
    ShapeBootc,
    /// The layout of Fedora: all in /usr, SELinux labels, rpm's database in /usr with a link from /var. Process 1 is busybox.
    ShapeFedora,
    /// The layout of Gentoo: openrc-init as process 1, and Portage's database in /var.
    ShapeGentoo,
    /// The layout of NixOS: only a store, with a script in it that is the init.
    ShapeNixos,
    /// The tree of [`Image::Debian`] as a container leaves it, in a squashfs without padding in a hybrid ISO, which is also a disk.
    Container,
}

impl Image {
    /// All of them, with their names on the command line.
    pub const ALL: [(&str, Self); 18] = [
        ("debian.squashfs", Self::Debian),
        ("debian.erofs", Self::DebianErofs),
        ("server.squashfs", Self::Server),
        ("openrc.squashfs", Self::OpenRc),
        ("ifupdown.squashfs", Self::Ifupdown),
        ("kubernetes.squashfs", Self::Kubernetes),
        ("small.squashfs", Self::Small),
        ("with-settings.squashfs", Self::WithSettings),
        ("no-init.squashfs", Self::NoInit),
        ("big.squashfs", Self::Big),
        ("images.ext4", Self::OnLabelledDisk),
        ("container.iso", Self::Container),
        ("debian13.squashfs", Self::Debian13),
        ("alpine-shaped.squashfs", Self::ShapeAlpine),
        ("bootc-shaped.squashfs", Self::ShapeBootc),
        ("fedora-shaped.squashfs", Self::ShapeFedora),
        ("gentoo-shaped.squashfs", Self::ShapeGentoo),
        ("nixos-shaped.squashfs", Self::ShapeNixos),
    ];

    /// The image of this name.
    pub fn from_name(name: &str) -> Result<Self> {
        let Some((_, image)) = Self::ALL.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = Self::ALL.iter().map(|(known, _)| *known).collect();
            bail!("no test image has the name {name}; the names are {}", known.join(", "));
        };
        Ok(*image)
    }
}

/// Builds images on demand.
#[derive(Debug, Clone)]
pub struct Images {
    cache: Cache,
    kernel: Kernel,
}

impl Images {
    /// Images in the default cache, with the modules of the host's kernel.
    pub fn open() -> Result<Self> {
        Ok(Self { cache: Cache::open()?, kernel: Kernel::of_host()? })
    }

    /// The path of an image, built if it is not in the cache (Debian's takes about two minutes the first time).
    pub fn get(&self, image: Image) -> Result<PathBuf> {
        match image {
            Image::Debian => self.squashfs(&debian::SYSTEMD),
            Image::DebianErofs => self.erofs(&debian::SYSTEMD),
            Image::Server => self.quick_squashfs(&debian::SYSTEMD_SERVER),
            Image::OpenRc => self.quick_squashfs(&debian::OPENRC_SERVER),
            Image::Ifupdown => self.quick_squashfs(&debian::IFUPDOWN),
            Image::Kubernetes => self.squashfs(&debian::KUBERNETES),
            Image::Small => self.small(),
            Image::WithSettings => self.with_settings(),
            Image::NoInit => self.no_init(),
            Image::Big => self.big(),
            Image::OnLabelledDisk => self.labelled_disk(),
            Image::Container => self.container(),
            Image::Debian13 => self.quick_squashfs(&debian::TRIXIE_SYSTEMD),
            Image::ShapeAlpine => self.shaped("alpine"),
            Image::ShapeBootc => self.bootc(),
            Image::ShapeFedora => self.shaped("fedora"),
            Image::ShapeGentoo => self.shaped("gentoo"),
            Image::ShapeNixos => self.shaped("nixos"),
        }
    }

    /// The kernel of [`Image::Debian13`].
    pub fn debian13_kernel(&self) -> Result<Kernel> {
        let tree = debian::TRIXIE_SYSTEMD.tree(&self.cache, &self.kernel)?;
        Kernel::find(&tree.join("boot"), &tree.join("usr/lib/modules"), None)
    }

    /// The SHA-256 of a cached image, kept beside it.
    pub fn sha256(&self, path: &Path) -> Result<String> {
        let note = hash_note(path);
        if let Ok(text) = fs::read_to_string(&note) {
            return Ok(text);
        }
        let hash = sha256_file(path)?;
        fs::write(&note, &hash).with_context(|| format!("cannot store the hash in {}", note.display()))?;
        Ok(hash)
    }

    fn squashfs(&self, recipe: &Recipe) -> Result<PathBuf> {
        let key = recipe.key(&self.kernel).with("mksquashfs zstd 15 128k");
        self.cache.get(&format!("{}.squashfs", recipe.name), key, |path| {
            let mut mksquashfs = Command::new("mksquashfs");
            mksquashfs.arg(recipe.tree(&self.cache, &self.kernel)?).arg(path);
            mksquashfs.args([
                "-comp",
                "zstd",
                "-Xcompression-level",
                "15",
                "-b",
                "131072",
                "-noappend",
                "-no-progress",
            ]);
            run(&format!("image: compress the tree {} as squashfs", recipe.name), &mut mksquashfs)?;
            Ok(())
        })
    }

    /// For images whose size is not measured: a thirtieth of the time for a seventh more bytes.
    fn quick_squashfs(&self, recipe: &Recipe) -> Result<PathBuf> {
        self.cache.get(
            &format!("{}.squashfs", recipe.name),
            recipe.key(&self.kernel).with("zstd 3"),
            |path| squash_with(recipe.name, &recipe.tree(&self.cache, &self.kernel)?, path, &[]),
        )
    }

    fn erofs(&self, recipe: &Recipe) -> Result<PathBuf> {
        let key = recipe.key(&self.kernel).with("mkfs.erofs lz4hc");
        self.cache.get(&format!("{}.erofs", recipe.name), key, |path| {
            let mut mkfs = Command::new("mkfs.erofs");
            mkfs.args(["-zlz4hc", "-T0"]).arg(path).arg(recipe.tree(&self.cache, &self.kernel)?);
            run(&format!("image: compress the tree {} as erofs", recipe.name), &mut mkfs)?;
            Ok(())
        })
    }

    fn with_settings(&self) -> Result<PathBuf> {
        let key = debian::SYSTEMD.key(&self.kernel).with(IMAGE_SETTINGS).with("zstd 3");
        self.cache.get("with-settings.squashfs", key, |path| {
            let tree = debian::SYSTEMD.tree(&self.cache, &self.kernel)?;
            let folder = tempfile::tempdir()?;
            let settings = folder.path().join("settings.toml");
            fs::write(&settings, IMAGE_SETTINGS)?;
            let file = format!("/usr/lib/dayfly/settings.toml f 644 0 0 cat {}", settings.display());
            squash_with("debian with a settings file", &tree, path, &["/usr/lib/dayfly d 755 0 0", &file])
        })
    }

    fn no_init(&self) -> Result<PathBuf> {
        self.cache.get("no-init.squashfs", Key::new().with("2"), |path| {
            let tree = tempfile::tempdir()?;
            for dir in
                ["dev", "etc", "home", "opt", "proc", "run", "sys", "tmp", "usr/lib", "usr/local", "var"]
            {
                fs::create_dir_all(tree.path().join(dir))?;
            }
            fs::write(
                tree.path().join("usr/lib/os-release"),
                "NAME=\"An image without an init\"\nID=no-init\n",
            )?;
            fs::write(tree.path().join("etc/hostname"), "no-init\n")?;
            let (from, to) = (tree.path().to_string_lossy(), path.to_string_lossy());
            call(
                "image: an image without an init",
                "mksquashfs",
                &[&from, &to, "-noappend", "-no-progress", "-all-root", "-comp", "zstd"],
            )?;
            Ok(())
        })
    }

    fn big(&self) -> Result<PathBuf> {
        const BYTES: u64 = 700_000_000 / 4096 * 4096;
        let key = debian::SYSTEMD.key(&self.kernel).with("big").with(BYTES.to_string());
        self.cache.get("big.squashfs", key, |path| {
            fs::copy(self.get(Image::Debian)?, path)?;
            Ok(fs::OpenOptions::new().write(true).open(path)?.set_len(BYTES)?)
        })
    }

    fn labelled_disk(&self) -> Result<PathBuf> {
        let small = self.get(Image::Small)?;
        let key = Key::new().with(self.sha256(&small)?).with("ext4").with(IMAGE_ON_DISK);
        self.cache.get("images.ext4", key, |path| ext4_with(path, IMAGES_LABEL, &[(IMAGE_ON_DISK, &small)]))
    }
}

/// Compresses a tree, quickly, with added pseudo files (mksquashfs(1)), which need no copy of the tree. `what` is for progress.
fn squash_with(what: &str, tree: &Path, to: &Path, pseudo_files: &[&str]) -> Result<()> {
    let (from, to) = (tree.to_string_lossy(), to.to_string_lossy());
    let mut arguments =
        vec![&*from, &*to, "-noappend", "-no-progress", "-comp", "zstd", "-Xcompression-level", "3"];
    for file in pseudo_files {
        arguments.extend(["-p", file]);
    }
    call(&format!("image: the tree {what} as squashfs"), "mksquashfs", &arguments)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_or_listed() {
        for (name, image) in Image::ALL {
            assert_eq!(Image::from_name(name).unwrap(), image);
        }
        let error = Image::from_name("slackware").unwrap_err().to_string();
        assert!(error.contains("slackware") && error.contains("debian.squashfs, debian.erofs"), "{error}");
    }
}
