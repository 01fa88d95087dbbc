//! Additions to a bare Debian tree; a recipe lists those that it needs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use anyhow::{Context, Result};

use super::ROOT_PASSWORD;
use crate::{command::call, kernel::Kernel};

/// Something that is added to a tree.
pub(super) struct Addition {
    /// All texts that it writes or reads, for the cache's key.
    pub inputs: &'static [&'static str],
    /// Adds it to the tree; `kernel` is the one that will boot the tree.
    pub apply: fn(tree: &Path, kernel: &Kernel) -> Result<()>,
}

const ISSUE: &str = include_str!("../../recipe/issue");
const REPORT: &str = include_str!("../../recipe/agent");
const MANIFEST: &str = include_str!("../../recipe/manifest");
const AGENT_SERVICE: &str = include_str!("../../recipe/agent.service");
const AGENT_OPENRC: &str = include_str!("../../recipe/agent.openrc");
const HOST_KEY: &str = include_str!("../../recipe/host-key");
const HOST_KEY_SERVICE: &str = include_str!("../../recipe/host-key.service");
const HOST_KEY_OPENRC: &str = include_str!("../../recipe/host-key.openrc");
const KUBELET: &str = include_str!("../../recipe/kubelet");
const KEEP: &str = include_str!("../../recipe/keepsakes");
const MODULE_LIST: &str = include_str!("../../recipe/modules");

/// Units that would change a node during a test.
const MASKED: [&str; 5] = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
];

/// No name, no id, no file systems of its own: the boot gives them. A password for root.
pub(super) static NODE: Addition = Addition {
    inputs: &[ISSUE, ROOT_PASSWORD],
    apply: |tree, _| {
        write(tree, "etc/issue", ISSUE, 0o644)?;
        write(tree, "etc/fstab", "", 0o644)?;
        write(tree, "etc/hostname", "image-default\n", 0o644)?;
        write(tree, "etc/machine-id", "", 0o444)?;
        set_root_password(tree)?;
        for dir in ["var/cache/apt", "var/lib/apt/lists", "var/cache/debconf"] {
            if tree.join(dir).exists() {
                fs::remove_dir_all(tree.join(dir))?;
                fs::create_dir_all(tree.join(dir))?;
            }
        }
        Ok(())
    },
};

/// The guest's side of the harness; a service manager has to start it.
pub(super) static AGENT: Addition = Addition {
    inputs: &[REPORT, MANIFEST],
    apply: |tree, _| {
        write(tree, "usr/lib/dayfly-test/dayfly-test", REPORT, 0o755)?;
        write(tree, "usr/lib/dayfly-test/manifest", MANIFEST, 0o755)
    },
};

/// systemd starts the agent, and nothing that a test does not expect.
pub(super) static SYSTEMD: Addition = Addition {
    inputs: &[AGENT_SERVICE],
    apply: |tree, _| {
        unit(tree, "dayfly-test.service", AGENT_SERVICE)?;
        for unit in MASKED {
            symlink("/dev/null", tree.join("etc/systemd/system").join(unit))
                .with_context(|| format!("cannot mask {unit}"))?;
        }
        Ok(())
    },
};

/// sshd makes its host key at boot, and systemd-networkd runs.
pub(super) static SYSTEMD_SERVER: Addition = Addition {
    inputs: &[HOST_KEY, HOST_KEY_SERVICE],
    apply: |tree, _| {
        no_host_keys(tree)?;
        write(tree, "usr/lib/dayfly-test/host-key", HOST_KEY, 0o755)?;
        unit(tree, "host-key.service", HOST_KEY_SERVICE)?;
        let enable = ["systemctl", "enable", "systemd-networkd.service"];
        let root = tree.to_string_lossy();
        call("image: enable systemd-networkd", "chroot", &[&[&*root], &enable[..]].concat())?;
        Ok(())
    },
};

/// OpenRC starts the agent and a login on the serial console; sshd makes its host key at boot.
pub(super) static OPENRC: Addition = Addition {
    inputs: &[AGENT_OPENRC, HOST_KEY, HOST_KEY_OPENRC],
    apply: |tree, _| {
        service(tree, "dayfly-test", AGENT_OPENRC)?;
        no_host_keys(tree)?;
        write(tree, "usr/lib/dayfly-test/host-key", HOST_KEY, 0o755)?;
        service(tree, "host-key", HOST_KEY_OPENRC)?;
        let inittab = fs::read_to_string(tree.join("etc/inittab")).context("cannot read inittab")?;
        let serial = "S0:2345:respawn:/sbin/agetty --local-line 115200 ttyS0 vt100\n";
        write(tree, "etc/inittab", &format!("{inittab}{serial}"), 0o644)?;
        // Without it, sysvinit makes this very link at each boot, with a warning.
        Ok(symlink("/proc/mounts", tree.join("etc/mtab"))?)
    },
};

/// A stand-in for the kubelet that only reports that it was started.
pub(super) static FAKE_KUBELET: Addition =
    Addition { inputs: &[KUBELET], apply: |tree, _| write(tree, "usr/bin/kubelet", KUBELET, 0o755) };

/// Files in every persistent path that a wrong copy most easily spoils.
pub(super) static KEEPSAKES: Addition = Addition {
    inputs: &[KEEP],
    apply: |tree, _| {
        call("image: keepsakes", "bash", &["-c", KEEP, "keepsakes", &tree.to_string_lossy()])?;
        Ok(())
    },
};

/// The kernel modules of recipe/modules, with all they depend on, and depmod's indexes.
pub(super) static MODULES: Addition = Addition {
    inputs: &[MODULE_LIST],
    apply: |tree, kernel| {
        let target = tree.join("usr/lib/modules").join(&kernel.version);
        let dep = fs::read_to_string(kernel.modules.join("modules.dep"))
            .context("cannot read modules.dep of the host's kernel")?;
        for module in closure(&dep, MODULE_LIST) {
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
    },
};

/// The parts of the tree's own kernel that a virtual machine needs: the bzImage in /boot, and the modules of recipe/modules.
pub(super) static OWN_KERNEL: Addition = Addition {
    inputs: &[MODULE_LIST],
    apply: |tree, _| {
        let kernel = Kernel::find(&tree.join("boot"), &tree.join("usr/lib/modules"), None)?;
        let dep = fs::read_to_string(kernel.modules.join("modules.dep"))
            .context("the tree's kernel has no modules.dep")?;
        // Debian 13 compresses modules.
        let wanted = MODULE_LIST.replace(".ko\n", ".ko.xz\n");
        let kept = closure(&dep, &wanted);
        for module in dep.lines().filter_map(|line| line.split_once(':')).map(|(module, _)| module) {
            if !kept.contains(module) {
                fs::remove_file(kernel.modules.join(module))
                    .with_context(|| format!("cannot remove the module {module}"))?;
            }
        }
        call("image: depmod", "/sbin/depmod", &["-b", &tree.to_string_lossy(), &kernel.version])?;
        for name in ["initrd.img", "System.map"] {
            let file = tree.join("boot").join(format!("{name}-{}", kernel.version));
            fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
        Ok(())
    },
};

/// Writes a file into a tree, and replaces what is there.
pub(super) fn write(tree: &Path, path: &str, text: &str, mode: u32) -> Result<()> {
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

/// A systemd unit that multi-user.target wants.
pub(super) fn unit(tree: &Path, name: &str, text: &str) -> Result<()> {
    let units = tree.join("etc/systemd/system");
    write(&units, name, text, 0o644)?;
    let wants = units.join("multi-user.target.wants");
    fs::create_dir_all(&wants)?;
    Ok(symlink(Path::new("/etc/systemd/system").join(name), wants.join(name))?)
}

/// An OpenRC service of the runlevel `default`.
fn service(tree: &Path, name: &str, text: &str) -> Result<()> {
    write(tree, &format!("etc/init.d/{name}"), text, 0o755)?;
    Ok(symlink(Path::new("/etc/init.d").join(name), tree.join("etc/runlevels/default").join(name))?)
}

/// Removes the keys that Debian's openssh-server made when it was installed: every node of the image would have the same.
fn no_host_keys(tree: &Path) -> Result<()> {
    for entry in fs::read_dir(tree.join("etc/ssh"))? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ssh_host_")) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn set_root_password(tree: &Path) -> Result<()> {
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
    Ok(fs::write(&shadow, lines.collect::<String>())?)
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
