//! A bare initramfs of busybox and a script, which mounts the image on /dev/vda and switches to it: the control experiment.
//!
//! It shows that the harness and the test image work without Dayfly.

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
    image::closure,
    kernel::Kernel,
};

const INIT: &str = include_str!("../recipe/bare-init");
/// The modules that the script needs, as paths below the kernel folder. File systems request the CRC from the crypto API by name.
const MODULES: &str = "crypto/crc32c_generic.ko\ndrivers/virtio/virtio_pci.ko\ndrivers/block/virtio_blk.ko\nfs/squashfs\nfs/erofs\nfs/overlayfs\nfs/ext4\n\
                       drivers/block/loop.ko\n";
/// Debian's static busybox, of the package busybox-static.
pub(crate) const BUSYBOX: &str = "/bin/busybox";

/// The initramfs for a kernel, from the cache.
pub fn initramfs(kernel: &Kernel) -> Result<PathBuf> {
    let key = Key::new().with(INIT).with(MODULES).with(&kernel.version);
    Cache::open()?.get("bare.img", key, |path| {
        let tree = tempfile::tempdir()?;
        for dir in ["bin", "dev", "image", "modules", "new", "proc", "run", "sys", "upper"] {
            fs::create_dir(tree.path().join(dir))?;
        }
        fs::copy(BUSYBOX, tree.path().join("bin/busybox")).context("cannot copy busybox")?;
        let init = tree.path().join("init");
        fs::write(&init, INIT)?;
        fs::set_permissions(&init, fs::Permissions::from_mode(0o755))?;
        let dep =
            fs::read_to_string(kernel.modules.join("modules.dep")).context("cannot read modules.dep")?;
        for module in closure(&dep, MODULES) {
            let name = Path::new(module).file_name().context("modules.dep names a folder")?;
            fs::copy(kernel.modules.join(module), tree.path().join("modules").join(name))?;
        }
        let mut cpio = Command::new("sh");
        cpio.args(["-c", "cd \"$1\" && find . | cpio -o -H newc --quiet >\"$2\"", "sh"])
            .arg(tree.path())
            .arg(path);
        run("image: a bare initramfs", &mut cpio)?;
        Ok(())
    })
}
