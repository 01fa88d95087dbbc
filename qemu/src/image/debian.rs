//! The Debian 12 tree of the test images: mmdebstrap's minbase with systemd, the host kernel's modules, the marker service.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::ROOT_PASSWORD;
use crate::{
    cache::{Cache, Key},
    command::{call, run},
    kernel::Kernel,
};

const SUITE: &str = "bookworm";
const PACKAGES: &str = include_str!("../../recipe/packages");
const MODULES: &str = include_str!("../../recipe/modules");
const REPORT: &str = include_str!("../../recipe/dayfly-test");
const SERVICE: &str = include_str!("../../recipe/dayfly-test.service");
const KUBELET: &str = include_str!("../../recipe/kubelet");
const ISSUE: &str = include_str!("../../recipe/issue");
/// What a node in a test must not do behind its back.
const DISABLED: [&str; 5] = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
];
/// Documentation that the image does without.
const EXCLUDED: [&str; 5] = ["doc", "info", "locale", "man", "zoneinfo"];

/// The key of everything the tree is made of.
pub(super) fn key(kernel: &Kernel) -> Key {
    base_key()
        .with(include_str!("debian.rs"))
        .with(MODULES)
        .with(REPORT)
        .with(SERVICE)
        .with(KUBELET)
        .with(ISSUE)
        .with(&kernel.version)
}

fn base_key() -> Key {
    EXCLUDED.iter().fold(Key::new().with(SUITE).with(PACKAGES), Key::with)
}

/// The finished tree, a folder in the cache.
pub(super) fn tree(cache: &Cache, kernel: &Kernel) -> Result<PathBuf> {
    let base = cache.get("debian-base.tar", base_key(), bootstrap)?;
    cache.get("debian-tree", key(kernel), |tree| {
        fs::create_dir_all(tree)?;
        fs::set_permissions(tree, fs::Permissions::from_mode(0o755))?;
        run("image: unpack Debian", Command::new("tar").arg("-xpf").arg(&base).arg("-C").arg(tree))?;
        customise(tree)?;
        copy_modules(tree, kernel)
    })
}

fn bootstrap(tar: &Path) -> Result<()> {
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap.args([
        "--variant=minbase",
        "--format=tar",
        "--aptopt=Acquire::Languages \"none\"",
        "--aptopt=Acquire::Retries \"3\"",
    ]);
    for dir in EXCLUDED {
        mmdebstrap.arg(format!("--dpkgopt=path-exclude=/usr/share/{dir}/*"));
    }
    mmdebstrap.arg(format!("--include={}", PACKAGES.split_whitespace().collect::<Vec<_>>().join(",")));
    run("image: bootstrap Debian 12 with mmdebstrap (about a minute)", mmdebstrap.arg(SUITE).arg(tar))?;
    Ok(())
}

fn customise(tree: &Path) -> Result<()> {
    install(tree, "usr/lib/dayfly-test/dayfly-test", REPORT, 0o755)?;
    install(tree, "usr/bin/kubelet", KUBELET, 0o755)?;
    install(tree, "etc/systemd/system/dayfly-test.service", SERVICE, 0o644)?;
    install(tree, "etc/issue", ISSUE, 0o644)?;
    install(tree, "etc/fstab", "", 0o644)?;
    // Whoever boots the image gives the node its name and its id.
    install(tree, "etc/hostname", "image-default\n", 0o644)?;
    install(tree, "etc/machine-id", "", 0o444)?;
    let wants = tree.join("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants)?;
    symlink("/etc/systemd/system/dayfly-test.service", wants.join("dayfly-test.service"))?;
    for unit in DISABLED {
        symlink("/dev/null", tree.join("etc/systemd/system").join(unit))
            .with_context(|| format!("cannot mask {unit}"))?;
    }
    let hash = call(
        "image: hash the test password",
        "openssl",
        &["passwd", "-6", "-salt", "dayfly", ROOT_PASSWORD],
    )?;
    let shadow = tree.join("etc/shadow");
    let text = fs::read_to_string(&shadow)?;
    let lines = text.lines().map(|line| match line.strip_prefix("root:") {
        Some(rest) => format!("root:{}:{}\n", hash.trim(), rest.split_once(':').map_or("", |(_, rest)| rest)),
        None => format!("{line}\n"),
    });
    fs::write(&shadow, lines.collect::<String>())?;
    for dir in ["var/cache/apt", "var/lib/apt/lists", "var/cache/debconf"] {
        if tree.join(dir).exists() {
            fs::remove_dir_all(tree.join(dir))?;
            fs::create_dir_all(tree.join(dir))?;
        }
    }
    Ok(())
}

fn install(tree: &Path, path: &str, text: &str, mode: u32) -> Result<()> {
    let target = tree.join(path);
    if let Some(dir) = target.parent() {
        fs::create_dir_all(dir)?;
    }
    if target.symlink_metadata().is_ok() {
        fs::remove_file(&target)?;
    }
    fs::write(&target, text).with_context(|| format!("cannot write {path} into the image"))?;
    Ok(fs::set_permissions(&target, fs::Permissions::from_mode(mode))?)
}

/// Copies what recipe/modules lists, and what that depends on, then lets depmod write the indexes.
fn copy_modules(tree: &Path, kernel: &Kernel) -> Result<()> {
    let target = tree.join("usr/lib/modules").join(&kernel.version);
    let dep = fs::read_to_string(kernel.modules.join("modules.dep"))
        .context("cannot read modules.dep of the host's kernel")?;
    for module in closure(&dep, MODULES) {
        let to = target.join(module);
        if let Some(dir) = to.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::copy(kernel.modules.join(module), to)
            .with_context(|| format!("cannot copy the module {module}"))?;
    }
    for index in ["modules.builtin", "modules.builtin.modinfo", "modules.order"] {
        fs::copy(kernel.modules.join(index), target.join(index))
            .with_context(|| format!("cannot copy {index}"))?;
    }
    call("image: depmod", "/sbin/depmod", &["-b", &tree.to_string_lossy(), &kernel.version])?;
    Ok(())
}

/// The modules below the folders (or files) that `wanted` lists, with all they depend on: paths relative to the modules folder.
pub(crate) fn closure<'a>(modules_dep: &'a str, wanted: &str) -> BTreeSet<&'a str> {
    let needs: BTreeMap<&str, &str> = modules_dep.lines().filter_map(|line| line.split_once(':')).collect();
    let wanted: Vec<String> = wanted
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| format!("kernel/{line}"))
        .collect();
    let is_wanted = |module: &str| {
        wanted.iter().any(|path| {
            module.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    // modules.dep lists the whole closure of a module, not only its direct needs (man 5 modules.dep).
    needs
        .iter()
        .filter(|(module, _)| is_wanted(module))
        .flat_map(|(module, needs)| needs.split_whitespace().chain([*module]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closure_takes_folders_files_and_what_they_need() {
        let dep = "kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/lib/crc16.ko\nkernel/fs/jbd2/jbd2.ko:\n\
                   kernel/lib/crc16.ko:\nkernel/fs/ext4x/other.ko:\nkernel/drivers/tun.ko:\nkernel/drivers/tap.ko:\n";
        let found: Vec<&str> = closure(dep, "# comment\nfs/ext4\ndrivers/tun.ko\n").into_iter().collect();
        assert_eq!(
            found,
            [
                "kernel/drivers/tun.ko",
                "kernel/fs/ext4/ext4.ko",
                "kernel/fs/jbd2/jbd2.ko",
                "kernel/lib/crc16.ko"
            ]
        );
    }
}
