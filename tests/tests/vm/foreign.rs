//! The init in an initramfs of another tool, with depmod's files instead of Dayfly's index, such as a dracut image.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use dayfly_qemu::{command::run, image::Image, vm::Nic};
use tempfile::TempDir;

use crate::{
    Scenario,
    lab::{Lab, Site, boot, fails, kernel, step},
    same,
};

pub const SCENARIOS: &[Scenario] = &[
    ("foreign_initramfs", foreign_initramfs),
    ("foreign_initramfs_compressed", foreign_initramfs_compressed),
];

fn foreign_initramfs(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Small)?;
    let foreign = Foreign::unpack(lab)?;
    let initramfs = foreign.pack()?;
    let vm = boot(lab.bare_node(&initramfs)?.nic(Nic::user()).cmdline(&site.parameters()))?;
    let report = vm.boot_json()?;
    same!(step(&report, "drivers")?["outcome"], "done");
    ensure!(vm.check("cat /proc/modules")?.contains("virtio_net "), "virtio_net is not loaded");
    Ok(())
}

/// Debian 12's kernel has no CONFIG_MODULE_DECOMPRESS.
fn foreign_initramfs_compressed(lab: &Lab) -> Result<()> {
    let foreign = Foreign::unpack(lab)?;
    let net = foreign.modules()?.join("kernel/drivers/net/virtio_net.ko");
    run("foreign: compress virtio_net", Command::new("xz").arg("--check=crc32").arg(&net))?;
    let initramfs = foreign.pack()?;
    let node = lab.bare_node(&initramfs)?.nic(Nic::user());
    let console = fails(
        node.cmdline("root=live:http://10.0.2.2:1/os.squashfs ip=dhcp rd.retry=5 panic=2"),
        "net.no-link",
    )?;
    let told = console
        .lines()
        .find(|line| line.contains("virtio_net") && line.contains("compressed with xz"))
        .context("no line names the module and its compression")?;
    for words in
        ["virtio_net.ko.xz", "CONFIG_MODULE_DECOMPRESS", "build the initramfs with uncompressed modules"]
    {
        ensure!(told.contains(words), "{words:?} is not in: {told}");
    }
    Ok(())
}

/// Dayfly's initramfs, unpacked, without the files that only `dayfly initramfs` writes.
struct Foreign {
    folder: TempDir,
}

impl Foreign {
    fn unpack(lab: &Lab) -> Result<Self> {
        let ours = lab.own_initramfs(&["--compress", "none"])?;
        let foreign = Self { folder: tempfile::tempdir()? };
        let tree = foreign.tree();
        fs::create_dir(&tree)?;
        // Only root can make device nodes; the kernel's built-in rootfs has /dev/console.
        let script = "cd \"$1\" && cpio --extract --make-directories --quiet --nonmatching 'dev/*' <\"$2\"";
        run("foreign: unpack", Command::new("sh").args(["-c", script, "sh"]).arg(&tree).arg(&ours))?;
        fs::remove_file(tree.join("lib/dayfly/modules.index")).context("the initramfs has no index")?;
        Ok(foreign)
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    fn modules(&self) -> Result<PathBuf> {
        Ok(self.tree().join("lib/modules").join(&kernel()?.version))
    }

    /// Writes the lists of the existing modules, as dracut does, and packs the tree.
    fn pack(&self) -> Result<PathBuf> {
        let kernel = kernel()?;
        for list in ["modules.builtin", "modules.builtin.modinfo", "modules.order"] {
            fs::copy(kernel.modules.join(list), self.modules()?.join(list))
                .with_context(|| format!("cannot copy {list}"))?;
        }
        run("foreign: depmod", Command::new("/sbin/depmod").arg("-b").arg(self.tree()).arg(&kernel.version))?;
        for list in ["modules.dep", "modules.alias", "modules.softdep"] {
            ensure!(is_filled(&self.modules()?.join(list)), "depmod wrote no {list}");
        }
        let initramfs = self.folder.path().join("foreign.img");
        let script = "cd \"$1\" && find . | cpio --create --format newc --quiet >\"$2\"";
        run("foreign: pack", Command::new("sh").args(["-c", script, "sh"]).arg(self.tree()).arg(&initramfs))?;
        Ok(initramfs)
    }
}

fn is_filled(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0)
}
