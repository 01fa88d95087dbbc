//! The Debian trees of the test images: mmdebstrap installs a list of packages, then the additions follow.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use super::{
    addition::{self, Addition},
    installed, kubernetes,
};
use crate::{
    cache::{Cache, Key},
    command::run,
    kernel::Kernel,
};

/// Debian 12.
const BOOKWORM: &str = "bookworm";
/// Debian 13.
const TRIXIE: &str = "trixie";
/// A working Debian with no packages beyond the requested ones; mmdebstrap(1).
const MINBASE: &str = "minbase";
/// The packages' files, unpacked and not configured: parts for trees of other layouts.
const EXTRACT: &str = "extract";
/// Documentation that the images leave out.
const EXCLUDED: [&str; 5] = ["doc", "info", "locale", "man", "zoneinfo"];

const SYSTEMD_PACKAGES: &str = include_str!("../../recipe/packages.systemd");
const OPENRC_PACKAGES: &str = include_str!("../../recipe/packages.openrc");
const SERVER_PACKAGES: &str = include_str!("../../recipe/packages.server");
const IFUPDOWN_PACKAGES: &str = include_str!("../../recipe/packages.ifupdown");
const KUBERNETES_PACKAGES: &str = include_str!("../../recipe/packages.kubernetes");
const INSTALLED_PACKAGES: &str = include_str!("../../recipe/packages.installed");
const KERNEL_PACKAGES: &str = include_str!("../../recipe/packages.kernel");
const SHAPE_PACKAGES: &str = include_str!("../../recipe/packages.shapes");

/// The inputs of a tree.
pub(super) struct Recipe {
    /// Its name in the cache.
    pub name: &'static str,
    /// The release of Debian.
    suite: &'static str,
    /// The variant, in mmdebstrap's terms.
    variant: &'static str,
    /// Lists of Debian packages.
    pub packages: &'static [&'static str],
    /// The additions, in this order.
    pub additions: &'static [&'static Addition],
}

/// The small one with systemd, which most scenarios boot.
pub(super) static SYSTEMD: Recipe = Recipe {
    name: "debian",
    suite: BOOKWORM,
    variant: MINBASE,
    packages: &[SYSTEMD_PACKAGES],
    additions: &[
        &addition::NODE,
        &addition::AGENT,
        &addition::SYSTEMD,
        &addition::FAKE_KUBELET,
        &addition::MODULES,
    ],
};

/// With systemd and the programs of a server: sshd, git, cron, systemd-networkd; and files that must persist.
pub(super) static SYSTEMD_SERVER: Recipe = Recipe {
    name: "server",
    suite: BOOKWORM,
    variant: MINBASE,
    packages: &[SYSTEMD_PACKAGES, SERVER_PACKAGES],
    additions: &[
        &addition::NODE,
        &addition::AGENT,
        &addition::SYSTEMD,
        &addition::SYSTEMD_SERVER,
        &addition::KEEPSAKES,
        &addition::MODULES,
    ],
};

/// The same with Debian's OpenRC below Debian's sysvinit.
pub(super) static OPENRC_SERVER: Recipe = Recipe {
    name: "openrc",
    suite: BOOKWORM,
    variant: MINBASE,
    packages: &[OPENRC_PACKAGES, IFUPDOWN_PACKAGES, SERVER_PACKAGES],
    additions: &[
        &addition::NODE,
        &addition::AGENT,
        &addition::OPENRC,
        &addition::KEEPSAKES,
        &addition::MODULES,
    ],
};

/// With systemd, and ifupdown and dhclient instead of systemd-networkd.
pub(super) static IFUPDOWN: Recipe = Recipe {
    name: "ifupdown",
    suite: BOOKWORM,
    variant: MINBASE,
    packages: &[SYSTEMD_PACKAGES, IFUPDOWN_PACKAGES],
    additions: &[&addition::NODE, &addition::AGENT, &addition::SYSTEMD, &addition::MODULES],
};

/// With systemd, containerd and a real kubelet.
pub(super) static KUBERNETES: Recipe = Recipe {
    name: "kubernetes",
    suite: BOOKWORM,
    variant: MINBASE,
    packages: &[SYSTEMD_PACKAGES, KUBERNETES_PACKAGES],
    additions: &[
        &addition::NODE,
        &addition::AGENT,
        &addition::SYSTEMD,
        &kubernetes::KUBERNETES,
        &addition::MODULES,
    ],
};

/// Debian with systemd as an installer leaves it on a disk.
pub(super) static INSTALLED: Recipe = Recipe {
    name: "installed",
    suite: BOOKWORM,
    variant: MINBASE,
    packages: &[SYSTEMD_PACKAGES, INSTALLED_PACKAGES],
    additions: &[
        &addition::NODE,
        &addition::AGENT,
        &addition::SYSTEMD,
        &addition::KEEPSAKES,
        &addition::MODULES,
        &installed::INSTALLED,
    ],
};

/// Debian 13 with systemd, and its own kernel.
pub(super) static TRIXIE_SYSTEMD: Recipe = Recipe {
    name: "debian13",
    suite: TRIXIE,
    variant: MINBASE,
    packages: &[SYSTEMD_PACKAGES, KERNEL_PACKAGES],
    additions: &[&addition::NODE, &addition::AGENT, &addition::SYSTEMD, &addition::OWN_KERNEL],
};

/// Parts for trees with the layout of other distributions: busybox, OpenRC and what they need.
pub(super) static PARTS: Recipe =
    Recipe { name: "parts", suite: BOOKWORM, variant: EXTRACT, packages: &[SHAPE_PACKAGES], additions: &[] };

impl Recipe {
    /// The key of all inputs of the tree.
    pub(super) fn key(&self, kernel: &Kernel) -> Key {
        let code = self.base_key().with(include_str!("debian.rs")).with(include_str!("addition.rs"));
        let inputs = self.additions.iter().flat_map(|addition| addition.inputs);
        inputs.fold(code, Key::with).with(&kernel.version)
    }

    fn base_key(&self) -> Key {
        let lists = self.packages.iter().chain(&EXCLUDED);
        let key = lists.fold(Key::new().with(self.suite), Key::with);
        // Images that were cached before variants existed keep their names.
        if self.variant == MINBASE { key } else { key.with(self.variant) }
    }

    /// The finished tree, a folder in the cache.
    pub(super) fn tree(&self, cache: &Cache, kernel: &Kernel) -> Result<PathBuf> {
        let base =
            cache.get(&format!("{}-base.tar", self.name), self.base_key(), |tar| self.bootstrap(tar))?;
        cache.get(&format!("{}-tree", self.name), self.key(kernel), |tree| {
            unpack(&base, tree)?;
            self.additions.iter().try_for_each(|addition| (addition.apply)(tree, kernel))
        })
    }

    fn bootstrap(&self, tar: &Path) -> Result<()> {
        let mut mmdebstrap = Command::new("mmdebstrap");
        mmdebstrap.arg(format!("--variant={}", self.variant)).args([
            "--format=tar",
            "--aptopt=Acquire::Languages \"none\"",
            "--aptopt=Acquire::Retries \"3\"",
        ]);
        for dir in EXCLUDED {
            mmdebstrap.arg(format!("--dpkgopt=path-exclude=/usr/share/{dir}/*"));
        }
        let packages: Vec<&str> = self.packages.iter().flat_map(|list| list.split_whitespace()).collect();
        mmdebstrap.arg(format!("--include={}", packages.join(",")));
        let what = format!(
            "image: bootstrap Debian {} ({}) with mmdebstrap (a minute or two)",
            self.suite, self.name
        );
        run(&what, mmdebstrap.arg(self.suite).arg(tar))?;
        Ok(())
    }
}

fn unpack(tar: &Path, tree: &Path) -> Result<()> {
    fs::create_dir_all(tree)?;
    fs::set_permissions(tree, fs::Permissions::from_mode(0o755))?;
    let mut unpack = Command::new("tar");
    // File capabilities are xattrs.
    unpack.args(["--xattrs", "--xattrs-include=*", "-xpf"]).arg(tar).arg("-C").arg(tree);
    run("image: unpack Debian", &mut unpack)?;
    Ok(())
}
