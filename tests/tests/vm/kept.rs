//! A node with a state disk over a reboot: persistent files are the same to the byte, ephemeral ones are gone, with each service manager.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use dayfly_qemu::{
    command::call,
    image::{self, Image, STATE_LABEL},
    vm::{Drive, Ending, Vm},
};

use crate::{
    lab::{Lab, Site, boot, ready, step},
    same,
};

/// An OS, and its specifics.
pub struct Os {
    /// The image.
    pub image: Image,
    /// Checks of the service manager, for each boot.
    pub healthy: fn(&Vm) -> Result<()>,
    /// The files in /etc that are not the image's: the OS itself changes them at each boot, or Dayfly does for this OS.
    pub own: &'static [&'static str],
}

/// The persistent folders, each with files that a wrong copy most easily spoils (qemu/recipe/keepsakes).
const PERSISTENT: [&str; 4] = ["/home", "/opt", "/usr/local", "/var/lib"];
/// The files in /etc that Dayfly writes.
const IDENTITY: [&str; 5] = ["hostname", "hosts", "machine-id", "resolv.conf", "ssh/ssh_host_*"];
/// The identity, which must be the same at each boot.
const WHO: &str = "hostname; cat /etc/machine-id /etc/ssh/ssh_host_*_key.pub";

/// New, changed and removed files: in persistent paths, then in ephemeral ones.
const CHANGE: &str = r"
set -e
for dir in /home /opt /usr/local /var/lib; do
    cd $dir/keepsakes
    mkdir -m 2750 ../written
    echo new >../written/file
    ln one/file ../written/hard
    ln -s /etc/passwd ../written/link
    setfattr -n user.written -v yes ../written/file
    setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 ../written/file
    chown -R 77:88 ../written
    chmod 4711 ../written/file
    rm long
    echo more >>nothing
    chmod 0640 owned
    chown 1:2 suid
    mv one/hard renamed
    setfattr -x user.note empty
    dd if=/dev/urandom of=../written/random bs=64k count=16 status=none
done
for dir in /etc /root /srv /tmp /mnt / /var/lib/dpkg /var/cache/debconf /var/cache/ldconfig /var/lib/pam /etc/ssh; do echo new >$dir/written-by-the-test; done
mkdir -p /srv/deep/er && echo new >/srv/deep/er/file
echo more >>/var/lib/shells.state
echo 'intruder:x:0:0::/root:/bin/sh' >>/etc/passwd
rm /etc/issue
chmod 0600 /etc/profile
sync
";

/// The main scenario: fills a state disk, changes everything, reboots, compares, and shuts the machine down.
pub fn over_a_reboot(lab: &Lab, os: &Os) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state.ext4");
    image::ext4(&state, STATE_LABEL, 512)?;
    let site = Site::start(os.image)?;
    let node = lab.node()?.drive(Drive::read_write(&state)).cmdline(&site.parameters()).reboots();
    let mut vm = boot(node.smbios("type=1,uuid=3fa85f64-5717-4562-b3fc-2c963f66afa6"))?;
    fits(&vm, os)?;
    for path in ["/home", "/opt", "/usr/local"] {
        same_trees(&vm, &format!("/run/dayfly/l{path}"), path, "")?;
    }
    same_trees(&vm, "/run/dayfly/l/var/lib/keepsakes", "/var/lib/keepsakes", "")?;
    same_etc(&vm, os)?;
    let name = vm.check(WHO)?;
    ensure!(name.contains("ssh-ed25519 ") && name.contains("ecdsa-sha2-"), "host keys: {name}");

    vm.check(CHANGE)?;
    let before = manifests(&vm)?;
    vm.run_unattended("reboot")?;
    ready(&vm)?;
    fits(&vm, os)?;
    same!(vm.check(WHO)?, name, "name, id and host keys after the reboot");
    for (path, (before, after)) in PERSISTENT.iter().zip(before.iter().zip(manifests(&vm)?)) {
        ensure!(*before == after, "{path} has changed: {}", difference(before, &after));
    }
    let written = "find / -xdev -name 'written-by-the-test' -o -xdev -path /srv/deep";
    same!(vm.check(written)?, "", "files that should be gone");
    let databases = "cd /var && ls {lib/dpkg,lib/pam,cache/debconf,cache/ldconfig}/written-by-the-test 2>&1";
    same!(vm.check(&format!("{databases} | grep -c 'No such file'"))?, "4", "files in package databases");
    same!(vm.check("cmp /var/lib/shells.state /run/dayfly/l/var/lib/shells.state && echo same")?, "same");
    same_etc(&vm, os)?;

    vm.run_unattended("poweroff")?;
    same!(vm.wait_end(Duration::from_secs(90))?, Ending::PowerOff);
    was_unmounted(&state)
}

/// Checks that hold after each boot.
fn fits(vm: &Vm, os: &Os) -> Result<()> {
    let report = vm.boot_json()?;
    same!(report["outcome"], "handover");
    same!(step(&report, "state")?["outcome"], "done");
    (os.healthy)(vm)?;
    same!(vm.check("findmnt -no FSTYPE,PROPAGATION / | tr -s ' '")?, "overlay shared");
    same!(vm.check("findmnt -no FSTYPE,PROPAGATION /var | tr -s ' '")?, "ext4 shared");
    same!(vm.check("tr -dc 0-9a-f </etc/machine-id | wc -c")?, "32", "digits of the machine-id");
    same!(vm.check("cat /etc/hostname")?, vm.check("hostname")?);
    nothing_twice(vm)
}

/// No path has two mounts, and no part of a file system is mounted twice. (An automount point is meant to be covered.)
pub fn nothing_twice(vm: &Vm) -> Result<()> {
    let places = "awk '!/ - autofs /{ print $5 }' /proc/self/mountinfo | sort | uniq -d";
    same!(vm.check(places)?, "", "paths with two mounts");
    let parts = "awk '!/ - autofs /{ print $3, $4 }' /proc/self/mountinfo | sort | uniq -d";
    same!(vm.check(parts)?, "", "file systems that are mounted twice");
    Ok(())
}

fn same_trees(vm: &Vm, one: &str, other: &str, leave_out: &str) -> Result<()> {
    let compare = format!(
        "cd /usr/lib/dayfly-test; diff -a <(./manifest {one} {leave_out}) <(./manifest {other} {leave_out}) && echo same"
    );
    let output = vm.run(&compare)?;
    ensure!(output.text == "same\n", "{one} (<) and {other} (>) differ:\n{}", output.text);
    Ok(())
}

/// /etc is the image's, except for the files that Dayfly and the OS itself write at each boot.
fn same_etc(vm: &Vm, os: &Os) -> Result<()> {
    let own: Vec<String> = IDENTITY.iter().chain(os.own).map(|name| format!("'{name}'")).collect();
    let compare = format!(
        "cd /usr/lib/dayfly-test; diff -a <(./manifest --no-times /run/dayfly/l/etc {own}) <(./manifest --no-times /etc {own}) && echo same",
        own = own.join(" ")
    );
    let output = vm.run(&compare)?;
    ensure!(output.text == "same\n", "/etc of the image (<) and of the node (>) differ:\n{}", output.text);
    Ok(())
}

fn manifests(vm: &Vm) -> Result<Vec<String>> {
    let folders = |path: &str| match path {
        // The OS writes to the rest of it.
        "/var/lib" => "keepsakes written".to_owned(),
        _ => ".".to_owned(),
    };
    let list = |path: &str| {
        vm.check(&format!(
            "for dir in {}; do /usr/lib/dayfly-test/manifest {path}/$dir || exit; done",
            folders(path)
        ))
    };
    PERSISTENT.iter().map(|path| list(path)).collect()
}

/// The lines that only one of two lists has.
pub fn difference(before: &str, after: &str) -> String {
    let missing = |from: &str, other: &str, sign: char| -> String {
        from.lines()
            .filter(|line| !other.lines().any(|known| known == *line))
            .map(|line| format!("\n{sign} {line}"))
            .collect::<Vec<_>>()
            .concat()
    };
    missing(before, after, '<') + &missing(after, before, '>')
}

/// The OS has unmounted the state disk: its file system is clean, with an empty journal and without errors.
fn was_unmounted(disk: &Path) -> Result<()> {
    let shown = disk.to_string_lossy();
    let header = call("state disk: header", "/sbin/dumpe2fs", &["-h", &shown])?;
    let state = header
        .lines()
        .find(|line| line.starts_with("Filesystem state:"))
        .context("no state in the header")?;
    same!(state.split_whitespace().last(), Some("clean"), "the state disk's file system");
    ensure!(!header.contains("needs_recovery"), "the state disk was not unmounted: its journal is not empty");
    call("state disk: check", "/sbin/e2fsck", &["-fn", &shown])?;
    Ok(())
}
