//! An ordinary Debian on a disk, started by its own initramfs: with `init=` naming Dayfly it is ephemeral, without it is itself.

use std::{path::Path, time::Duration};

use anyhow::{Result, ensure};
use dayfly_qemu::{
    cache::sha256_file,
    command::call,
    image::{self, DAYFLY_INIT, Installed, MACHINE_ID, ROOT_UUID, STATE_LABEL},
    vm::{Builder, Drive, Ending, Vm},
};

use crate::{
    Scenario, kept,
    lab::{self, BOOT, Lab, init, ready, step},
    same,
};

pub const SCENARIOS: &[Scenario] = &[("installed_disk", installed_disk)];

/// Everywhere on the disk, as its owner has it.
const MARK: &str = "for dir in /etc /root /srv /var /home /opt /usr/local; do echo own >$dir/mark; done";
/// What a day leaves behind.
const CHANGE: &str =
    "for dir in /etc /root /srv /var /home /opt /usr/local /boot; do echo new >$dir/new; done
    for dir in /etc /root /srv; do echo changed >$dir/mark; done
    rm /etc/issue; chmod 0600 /etc/profile; mkdir -p /srv/deep/er";

fn installed_disk(lab: &Lab) -> Result<()> {
    let installed = lab::installed()?;
    let folder = tempfile::tempdir()?;
    let (disk, state) = (folder.path().join("disk.img"), folder.path().join("state.ext4"));
    installed.disk(&disk, &init()?)?;
    image::ext4(&state, STATE_LABEL, 512)?;

    // As it was installed.
    let vm = node(lab, &installed, &disk, "ro")?.start()?;
    let etc = untouched(&vm)?;
    vm.check(MARK)?;
    end(vm)?;
    let before = sha256_file(&disk)?;

    // With a disk for what is kept, over a reboot. `ro`, as every installer has it: not a byte changes.
    let with_state =
        node(lab, &installed, &disk, &format!("ro init={DAYFLY_INIT}"))?.drive(Drive::read_write(&state));
    let vm = with_state.reboots().start()?;
    ephemeral(&vm)?;
    same!(vm.check("findmnt -no SOURCE,FSTYPE /var | tr -s ' '")?, "/dev/vdb[/var] ext4");
    same!(vm.check("cat /etc/mark /root/mark /var/mark /home/mark /usr/local/mark | sort -u")?, "own");
    vm.check(CHANGE)?;
    vm.run_unattended("reboot")?;
    ephemeral(&vm)?;
    same!(vm.check("cat /var/new /home/new /opt/new /usr/local/new | sort -u")?, "new", "what is kept");
    forgotten(&vm)?;
    end(vm)?;
    same!(sha256_file(&disk)?, before, "the disk after two boots by which it should not change");

    // Without such a disk, and with a root that the initramfs mounted writable.
    let vm = node(lab, &installed, &disk, &format!("rw init={DAYFLY_INIT}"))?.start()?;
    ephemeral(&vm)?;
    ensure!(vm.console().contains("LABEL=state"), "nothing on the console says that there is no state disk");
    same!(vm.check("cat /etc/mark /root/mark /var/mark /home/mark /usr/local/mark | sort -u")?, "own");
    same!(vm.check("ls /var/new /home/new 2>&1 | grep -c 'No such file'")?, "2");
    vm.check(CHANGE)?;
    end(vm)?;
    is_clean(&disk)?;

    // And as if nothing had been.
    let vm = node(lab, &installed, &disk, "ro")?.start()?;
    let again = untouched(&vm)?;
    ensure!(etc == again, "/etc is not as it was: {}", kept::difference(&etc, &again));
    forgotten(&vm)?;
    same!(vm.check("ls -d /var/new /home/new /opt/new /usr/local/new 2>&1 | grep -c 'No such file'")?, "4");
    same!(vm.check("cat /var/mark /home/mark /usr/local/mark | sort -u")?, "own");
    end(vm)
}

fn node(lab: &Lab, installed: &Installed, disk: &Path, words: &str) -> Result<Builder> {
    let node = Builder::new(lab.name()).log(lab.log()?).kernel(&installed.kernel).initrd(&installed.initrd);
    let node = node.drive(Drive::read_write(disk)).smbios("type=1,uuid=3fa85f64-5717-4562-b3fc-2c963f66afa6");
    Ok(node.cmdline(&format!("root=UUID={ROOT_UUID} {words}")))
}

/// The OS is itself, and nobody else was there. Gives the list of what is in its /etc.
fn untouched(vm: &Vm) -> Result<String> {
    same!(vm.wait_ready(BOOT)?.group(2), "none", "failed services");
    healthy(vm)?;
    same!(vm.check("findmnt -no FSTYPE /; findmnt -no FSTYPE /boot/efi")?, "ext4\nvfat");
    same!(vm.check("ls -d /run/dayfly 2>&1 | grep -c 'No such file'")?, "1", "traces of Dayfly");
    vm.check("/usr/lib/dayfly-test/manifest --no-times /etc mark")
}

/// What holds on every boot by which nothing is kept on the disk.
fn ephemeral(vm: &Vm) -> Result<()> {
    ready(vm)?;
    let report = vm.boot_json()?;
    same!(report["way"], "root");
    same!(step(&report, "image")?["outcome"], "done");
    healthy(vm)?;
    kept::nothing_twice(vm)?;
    same!(vm.check("findmnt -no FSTYPE,PROPAGATION / | tr -s ' '")?, "overlay shared");
    same!(
        vm.check("findmnt -no SOURCE,FSTYPE,OPTIONS /run/dayfly/l | tr -s ' ' | cut -d, -f1")?,
        "/dev/vda1 ext4 ro"
    );
    same!(
        vm.check("grep ' /run/dayfly/l ' /proc/self/mountinfo | grep -c ' - ext4 /dev/vda1 ro'")?,
        "1",
        "a root that only its mount protects"
    );
    let protected = vm.run("touch /usr/bin/x")?;
    ensure!(protected.text.contains("Read-only file system"), "/usr can be written: {protected:?}");
    same!(vm.check("findmnt -no FSTYPE,OPTIONS /boot/efi | tr -s ' ' | cut -d, -f1")?, "vfat ro");
    let mounting = "journalctl -q -b -o cat -p warning -u systemd-remount-fs -u '*.mount' -u 'systemd-fsck*' -t systemd-fstab-generator";
    same!(vm.check(mounting)?, "", "complaints about mounts");
    Ok(())
}

fn healthy(vm: &Vm) -> Result<()> {
    same!(vm.check("systemctl is-system-running --wait")?, "running");
    same!(vm.check("hostname; cat /etc/hostname")?, "installed\ninstalled");
    same!(vm.check("cat /etc/machine-id")?, MACHINE_ID);
    ensure!(vm.check("cat /etc/hosts")?.contains("127.0.1.1 installed"), "the node is not in its hosts");
    Ok(())
}

/// What was new or changed in an ephemeral place is as its owner has it.
fn forgotten(vm: &Vm) -> Result<()> {
    same!(vm.check("cat /etc/mark /root/mark /srv/mark | sort -u")?, "own", "changed files");
    same!(
        vm.check("ls -d /etc/new /root/new /srv/new /boot/new /srv/deep 2>&1 | grep -c 'No such file'")?,
        "5",
        "new files that are gone"
    );
    same!(vm.check("stat -c '%a %n' /etc/issue /etc/profile")?, "644 /etc/issue\n644 /etc/profile");
    Ok(())
}

fn end(mut vm: Vm) -> Result<()> {
    vm.run_unattended("poweroff")?;
    same!(vm.wait_end(Duration::from_secs(90))?, Ending::PowerOff);
    Ok(())
}

/// The root's file system was left in order.
fn is_clean(disk: &Path) -> Result<()> {
    let place = Installed::root_on(disk);
    let header = call("installed disk: header", "/sbin/dumpe2fs", &["-h", &place])?;
    ensure!(!header.contains("needs_recovery"), "the root was not left in order: its journal is not empty");
    call("installed disk: check", "/sbin/e2fsck", &["-fn", &place])?;
    Ok(())
}
