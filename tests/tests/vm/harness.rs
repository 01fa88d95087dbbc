//! The harness and the test image alone, booted by a bare busybox initramfs: if these fail, no other result counts.

use std::time::Duration;

use anyhow::Result;
use dayfly_qemu::{
    bare,
    image::Image,
    vm::{Builder, Drive, Ending},
};

use crate::{
    Scenario,
    lab::{BOOT, Lab, image_path, kernel},
    same,
};

pub const SCENARIOS: &[Scenario] = &[("harness_boots_squashfs", boots_squashfs)];
pub const RARE: &[Scenario] = &[("harness_boots_erofs", boots_erofs)];

fn boots_squashfs(lab: &Lab) -> Result<()> {
    boots(lab, Image::Debian)
}

fn boots_erofs(lab: &Lab) -> Result<()> {
    boots(lab, Image::DebianErofs)
}

fn boots(lab: &Lab, image: Image) -> Result<()> {
    let image = image_path(image)?;
    let builder = Builder::new(lab.name()).initrd(bare::initramfs(kernel()?)?).drive(Drive::read_only(image));
    let mut vm = builder.cmdline("quiet").smbios("type=1,serial=S123").log(lab.log()?).start()?;
    let ready = vm.wait_ready(BOOT)?;
    same!(ready.failed, "none", "failed units");
    same!(vm.check("systemctl is-system-running --wait")?, "running");
    same!(vm.check("cat /sys/class/dmi/id/product_serial")?, "S123");
    let echo = vm.run("echo out; echo err >&2; exit 3")?;
    same!((echo.status, echo.text.as_str()), (3, "out\nerr\n"));
    same!(
        vm.check("head -c 220000 /dev/zero | tr '\\0' x")?.len(),
        220_000,
        "the connection to the agent loses bytes"
    );
    vm.power_button()?;
    same!(vm.wait_end(Duration::from_secs(90))?, Ending::PowerOff);
    Ok(())
}
