//! Images and state on disks.

use std::{fs, time::Duration};

use anyhow::{Result, ensure};
use dayfly_qemu::{
    image::{self, Image, STATE_LABEL},
    vm::Drive,
};

use crate::{
    Scenario,
    lab::{Lab, Site, boot, fails, image_path, initramfs, ready, step},
    same,
};

pub const SCENARIOS: &[Scenario] = &[
    ("image_on_raw_disk", image_on_raw_disk),
    ("image_on_labelled_disk", image_on_labelled_disk),
    ("state_survives_a_reboot", state_survives_a_reboot),
    ("blank_disk_becomes_the_state_disk", blank_disk_becomes_the_state_disk),
    ("foreign_disk_is_not_touched", foreign_disk_is_not_touched),
    ("disk_never_appears", disk_never_appears),
    ("disk_reads_fail", disk_reads_fail),
];

/// The device and file system of /var.
const VAR: &str = "awk '$2 == \"/var\" { print $1, $3 }' /proc/mounts";

fn image_on_raw_disk(lab: &Lab) -> Result<()> {
    let image = image_path(Image::Small)?;
    let vm = boot(lab.bare_node(initramfs()?)?.drive(Drive::read_only(image)).cmdline("root=live:/dev/vda"))?;
    let report = vm.boot_json()?;
    same!(step(&report, "find")?["outcome"], "done");
    ensure!(step(&report, "network").is_err(), "an image on a disk needs no network");
    // A disk is mounted directly: not copied into memory, and without a loop device.
    same!(vm.check("ls /sys/block/loop*/loop 2>/dev/null | wc -l")?, "0", "loop devices in use");
    Ok(())
}

fn image_on_labelled_disk(lab: &Lab) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let other = folder.path().join("other.ext4");
    image::ext4(&other, "other", 64)?;
    let node = lab.bare_node(initramfs()?)?.drive(Drive::snapshot(other));
    let node =
        node.drive(Drive::read_only(image_path(Image::OnLabelledDisk)?)).cmdline("root=live:LABEL=images");
    let vm = boot(node)?;
    ensure!(
        step(&vm.boot_json()?, "find")?["detail"].as_str().is_some_and(|text| text.contains("squashfs.img")),
        "the image file"
    );
    Ok(())
}

fn state_survives_a_reboot(lab: &Lab) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state.ext4");
    image::ext4(&state, STATE_LABEL, 512)?;
    let site = Site::start(Image::Small)?;
    let node = lab.node()?.drive(Drive::read_write(&state)).cmdline(&site.parameters()).reboots();
    let files = "dayfly.layout./etc/issue=persistent dayfly.layout./etc/own/keytab=persistent-file";
    let vm = boot(node.cmdline(files).smbios("type=1,uuid=3fa85f64-5717-4562-b3fc-2c963f66afa6"))?;
    same!(vm.check(VAR)?, "/dev/vda ext4");
    vm.check("for d in var home opt usr/local etc root; do echo kept >/$d/mark; done; sync")?;
    // Single files of the ephemeral /etc: one that the image has, and one that does not exist yet.
    same!(vm.check("stat -c '%a %s' /etc/own/keytab")?, "600 0");
    vm.check("cmp /etc/issue /run/dayfly/l/etc/issue && echo kept >>/etc/issue && echo kept >/etc/own/keytab && sync")?;
    let id = vm.check("cat /etc/machine-id")?;
    vm.run_unattended("reboot")?;
    ready(&vm)?;
    same!(vm.check("cat /var/mark /home/mark /opt/mark /usr/local/mark")?, "kept\nkept\nkept\nkept");
    same!(vm.check("ls /etc/mark /root/mark 2>&1 | grep -c 'No such file'")?, "2", "files that are gone");
    same!(
        vm.check("tail -n 1 /etc/issue; cat /etc/own/keytab; stat -c '%a %U' /etc/issue")?,
        "kept\nkept\n644 root"
    );
    same!(vm.check("cat /etc/machine-id")?, id, "the machine-id after the reboot");
    same!(step(&vm.boot_json()?, "state")?["outcome"], "done");
    Ok(())
}

/// A blank disk becomes the state disk once, and the next boot finds it as such.
fn blank_disk_becomes_the_state_disk(lab: &Lab) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let blank = folder.path().join("blank.img");
    fs::File::create(&blank)?.set_len(512 << 20)?;
    let other = folder.path().join("other.ext4");
    image::ext4(&other, "other", 64)?;
    let before = fs::read(&other)?;
    let site = Site::start(Image::Debian)?;
    let node = lab.node()?.drive(Drive::read_write(&other)).drive(Drive::read_write(&blank));
    let node = node.cmdline(&site.parameters()).cmdline("dayfly.state.create=blank rd.timeout=2").reboots();
    let vm = boot(node)?;
    same!(step(&vm.boot_json()?, "state")?["detail"], "ext4 on /dev/vdb");
    same!(vm.check("findmnt -no SOURCE,FSTYPE /var | sed 's/\\[.*\\]//' | tr -s ' '")?, "/dev/vdb ext4");
    same!(vm.check("blkid -o value -s LABEL /dev/vdb")?, STATE_LABEL);
    vm.check("echo kept >/var/mark; sync")?;
    let uuid = vm.check("blkid -o value -s UUID /dev/vdb")?;
    vm.run_unattended("systemctl reboot")?;
    ready(&vm)?;
    same!(vm.check("cat /var/mark; blkid -o value -s UUID /dev/vdb")?, format!("kept\n{uuid}"));
    drop(vm);
    ensure!(fs::read(&other)? == before, "the other disk was changed");
    Ok(())
}

/// A disk with foreign data is not changed; the node boots without a state disk and says why.
fn foreign_disk_is_not_touched(lab: &Lab) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let theirs = folder.path().join("theirs.ext4");
    image::ext4(&theirs, "theirs", 512)?;
    let before = fs::read(&theirs)?;
    let site = Site::start(Image::Debian)?;
    let node = lab.node()?.drive(Drive::read_write(&theirs)).cmdline(&site.parameters());
    let vm = boot(node.cmdline("dayfly.state.create=blank rd.timeout=2"))?;
    let report = vm.boot_json()?;
    same!(step(&report, "state")?["outcome"], "tolerated");
    same!(step(&report, "state")?["failure"]["code"], "state.create");
    let console = vm.console();
    ensure!(
        console.contains("vda has ext4 with the label theirs on it"),
        "the console does not say what is on the disk"
    );
    same!(vm.check("findmnt -no FSTYPE /var")?, "tmpfs");
    drop(vm);
    ensure!(fs::read(&theirs)? == before, "the foreign disk was changed");
    Ok(())
}

fn disk_never_appears(lab: &Lab) -> Result<()> {
    let node = lab.bare_node(initramfs()?)?.cmdline("root=live:LABEL=nowhere rd.timeout=5 panic=2");
    let console = fails(node, "devices.not-found")?;
    ensure!(console.contains("LABEL=nowhere"), "the label is not named");
    Ok(())
}

fn disk_reads_fail(lab: &Lab) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("faults");
    // Every read of the superblock fails with EIO (5).
    fs::write(
        &config,
        "[inject-error]\nevent = \"read_aio\"\nerrno = \"5\"\nsector = \"0\"\nonce = \"off\"\n",
    )?;
    let drive = Drive::read_only(image_path(Image::Debian)?).with_faults(&config);
    let node = lab.bare_node(initramfs()?)?.drive(drive).cmdline("root=live:/dev/vda rd.timeout=5 panic=2");
    let mut vm = node.start()?;
    vm.expect("How to fix it: ", crate::lab::BOOT)?;
    vm.wait_end(Duration::from_secs(60))?;
    ensure!(
        vm.console().contains("I/O error") || vm.console().contains("Input/output error"),
        "the kernel's reason is not shown"
    );
    Ok(())
}
