//! Budgets that do not depend on how fast or busy the host is: bytes on the wire, pages in memory, instructions.

use std::fs;

use anyhow::{Context, Result, ensure};
use dayfly_qemu::image::Image;

use crate::{
    Scenario,
    lab::{Lab, Site, boot, image_path},
    same,
};

pub const SCENARIOS: &[Scenario] =
    &[("budgets_wire_and_ram", wire_and_ram), ("budgets_instructions", instructions)];

/// What a booted node may hold in memory besides the image, in KiB: the journal and what else lies in /run, /etc and /var, and up
/// to 2 MiB by which the image's last huge page is not full. Measured: 7724 KiB, twice. An initramfs that was not freed (6.7 MB)
/// goes over it, as a second copy of the image does.
const BESIDE_THE_IMAGE: u64 = 10 << 10;

/// Instructions from the first step to the hand-over, the kernel's for us (loading modules, mounting) among them. Measured: 265, 265
/// and 266 million, of which 240 million are the drivers; the budget is a tenth above.
const INSTRUCTIONS: f64 = 292e6;

fn wire_and_ram(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Debian)?;
    let bytes = fs::metadata(image_path(Image::Debian)?)?.len();
    let vm = boot(lab.node()?.cmdline(&site.parameters()))?;

    let requests = site.server.requests()?;
    same!(requests.len(), 1, "requests to the server: {requests:?}");
    let request = requests.first().context("no request")?;
    same!((request.method.as_str(), request.status, request.range.as_str()), ("GET", 200, "-"));
    same!(request.bytes, bytes, "bytes sent for an image of so many");

    // Pages of a tmpfs are shared memory; those of a ramfs (the kernel's rootfs, if it was left there) and locked ones are unevictable.
    let held: u64 =
        vm.check("awk '/^(Unevictable|Shmem):/ { sum += $2 } END { print sum }' /proc/meminfo")?.parse()?;
    let beside = held.saturating_sub(bytes >> 10);
    eprintln!("    {}: {held} KiB held, {beside} KiB beside the image", lab.name());
    ensure!(
        held >= bytes >> 10,
        "{held} KiB are held, less than the image of {bytes} bytes: this measures something else"
    );
    ensure!(
        beside <= BESIDE_THE_IMAGE,
        "{beside} KiB are held beside the image of {bytes} bytes, and {BESIDE_THE_IMAGE} KiB are allowed"
    );
    Ok(())
}

/// The image lies in the initramfs and is not hashed. Hashing it would be most of the sum, and hide what the init does; and while the
/// guest waits for a server, its clock jumps to the next timer (two boots over HTTP: 631 and 790 million).
fn instructions(lab: &Lab) -> Result<()> {
    let image = format!("{}:/os.squashfs", image_path(Image::Debian)?.display());
    let initramfs = lab.own_initramfs(&["--compress", "none", "--add-file", &image])?;
    let node = lab.bare_node(&initramfs)?.icount();
    let vm = boot(node.cmdline("root=live:/os.squashfs quiet"))?;
    let report = vm.boot_json()?;
    let first = report["steps"][0]["start_s"].as_f64().context("the first step has no start")?;
    let last = report["finished_s"].as_f64().context("boot.json does not say when it was finished")?;
    let spent = (last - first) * 1e9;
    eprintln!("    {}: {:.0} million instructions", lab.name(), spent / 1e6);
    ensure!(spent > 0.0, "no instruction from {first} s to {last} s");
    ensure!(
        spent <= INSTRUCTIONS,
        "{:.0} million instructions, and {:.0} million are allowed",
        spent / 1e6,
        INSTRUCTIONS / 1e6
    );
    Ok(())
}
