//! Initramfs images that Debian's own dracut builds with Dayfly's module, each by the dracut and for the kernel of its release.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    cache::{Cache, Key},
    command::run,
    kernel::Kernel,
    product::Product,
};

const RECIPE: &str = include_str!("../recipe/dracut");
/// Documentation that the trees leave out.
const EXCLUDED: [&str; 3] = ["doc", "locale", "man"];
/// The drivers that a virtual machine needs; a host-only initramfs would have those of the host.
const DRIVERS: &str = "virtio_net virtio_pci virtio_blk";

/// One of the initramfs images that the tests boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dracut {
    /// Debian 12's dracut 059, with the host's kernel: generic, with systemd.
    Debian12,
    /// Debian 13's dracut (106 or newer), with its own kernel: generic, with systemd, with dracut's own netboot modules (livenet,
    /// dmsquash-live, systemd-networkd) beside Dayfly's. A kernel parameter of Dayfly's module makes dracut prefer it.
    Debian13BesideLivenet,
    /// The same dracut and kernel: host-only and without systemd, so that dracut's own init is process 1; it gives the node a name.
    Debian13HostOnly,
}

/// A finished initramfs and its kernel.
#[derive(Debug, Clone)]
pub struct Built {
    /// The initramfs.
    pub initramfs: PathBuf,
    /// The bzImage.
    pub kernel: PathBuf,
}

impl Dracut {
    fn name(self) -> &'static str {
        match self {
            Self::Debian12 => "dracut-12",
            Self::Debian13BesideLivenet => "dracut-13-livenet",
            Self::Debian13HostOnly => "dracut-13-hostonly",
        }
    }

    /// The Debian release and the packages beside its base system.
    fn release(self) -> (&'static str, &'static str) {
        match self {
            Self::Debian12 => ("bookworm", "systemd,systemd-sysv,udev,kmod,dracut-core,zstd"),
            Self::Debian13BesideLivenet | Self::Debian13HostOnly => (
                "trixie",
                "systemd,systemd-sysv,udev,kmod,dracut-core,zstd,linux-image-amd64,dracut-network,dracut-live,curl,iproute2",
            ),
        }
    }

    fn tree_key(self) -> Key {
        let (suite, packages) = self.release();
        EXCLUDED.iter().fold(Key::new().with(suite).with(packages), Key::with)
    }

    /// The Debian tree in which the initramfs is built, a folder that must not be changed.
    pub fn tree(self) -> Result<PathBuf> {
        let (suite, packages) = self.release();
        Cache::open()?
            .get(&format!("dracut-{suite}"), self.tree_key(), |tree| bootstrap(suite, packages, tree))
    }

    fn arguments(self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Self::Debian12 => &["--no-hostonly", "--add", "dayfly"],
            Self::Debian13BesideLivenet => {
                &["--no-hostonly", "--add", "livenet dmsquash-live dayfly", "--kernel-cmdline", "rd.dayfly=1"]
            }
            Self::Debian13HostOnly => &[
                "--hostonly",
                "--add",
                "dayfly",
                "--omit",
                "systemd systemd-initrd dracut-systemd",
                "--add-drivers",
                DRIVERS,
                "--kernel-cmdline",
                "dayfly.hostname=baked-in",
            ],
        };
        [&["--zstd"], own].concat()
    }

    /// Builds the initramfs around `init`. dracut runs for about a minute if the module or the release has changed. Building the release
    /// takes another minute, once.
    pub fn build(self, product: &Product, init: &Path) -> Result<Built> {
        let cache = Cache::open()?;
        let (suite, tree, key) = (self.release().0, self.tree()?, self.tree_key());
        let kernel = if suite == "bookworm" {
            Kernel::of_host()?
        } else {
            Kernel::find(&tree.join("boot"), &tree.join("lib/modules"), None)?
        };
        let module = product.root().join("dracut-module");
        let key = self.arguments().iter().fold(key.with(RECIPE).with(&kernel.version), Key::with);
        let key =
            sources(&module)?.iter().try_fold(key, |key, file| anyhow::Ok(key.with(fs::read(file)?)))?;
        let base = cache.get(&format!("{}.img", self.name()), key, |output| {
            let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
            let mut dracut = Command::new("unshare");
            dracut.args(["--mount", "--pid", "--fork", "--kill-child"]);
            dracut.arg(product.root().join("qemu/recipe/dracut"));
            dracut.args([&*tree, scratch.path(), &*module.join("install")]);
            dracut.arg(&kernel.version).arg(output).args(self.arguments());
            run(&format!("{}: run dracut (about a minute)", self.name()), &mut dracut).map(drop)
        })?;
        let initramfs = product.folder("initramfs")?.join(format!("{}.img", self.name()));
        add_init(&base, init, &initramfs)?;
        Ok(Built { initramfs, kernel: kernel.image })
    }
}

fn bootstrap(suite: &str, packages: &str, tree: &Path) -> Result<()> {
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap.args([
        "--variant=minbase",
        "--format=directory",
        "--aptopt=Acquire::Languages \"none\"",
        "--aptopt=Acquire::Retries \"3\"",
    ]);
    for dir in EXCLUDED {
        mmdebstrap.arg(format!("--dpkgopt=path-exclude=/usr/share/{dir}/*"));
    }
    mmdebstrap.arg(format!("--include={packages}"));
    run(
        &format!("dracut: bootstrap Debian's {suite} with mmdebstrap (about a minute)"),
        mmdebstrap.arg(suite).arg(tree),
    )?;
    Ok(())
}

/// The source files of the module.
fn sources(module: &Path) -> Result<Vec<PathBuf>> {
    let folder = module.join("90dayfly");
    let mut files = vec![module.join("install")];
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

/// Appends a second archive: the kernel unpacks both, and the later file replaces the earlier one
/// (Documentation/driver-api/early-userspace/buffer-format.rst).
fn add_init(base: &Path, init: &Path, output: &Path) -> Result<()> {
    let tree = tempfile::tempdir().context("cannot make a temporary folder")?;
    let folder = tree.path().join("usr/lib/dayfly");
    fs::create_dir_all(&folder)?;
    fs::copy(init, folder.join("init")).with_context(|| format!("cannot copy {}", init.display()))?;
    fs::set_permissions(folder.join("init"), fs::Permissions::from_mode(0o755))?;
    // An archive that is not compressed starts at a multiple of four bytes.
    let script = "cp \"$2\" \"$3\"; truncate -s %4 \"$3\"; cd \"$1\"; find usr -type f | cpio --create --format newc --quiet >>\"$3\"";
    let mut append = Command::new("sh");
    append.args(["-euc", script, "sh"]).args([tree.path(), base, output]);
    run("dracut: put the init behind the initramfs", &mut append).map(drop)
}
