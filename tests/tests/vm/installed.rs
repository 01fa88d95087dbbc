//! An ordinary Debian on a disk, started by its own initramfs: with `init=` for Dayfly it is ephemeral, without it it is unchanged.

use std::{fs, path::Path, time::Duration};

use anyhow::{Result, ensure};
use dayfly_qemu::{
    cache::sha256_file,
    command::call,
    image::{self, DAYFLY_INIT, Installed, MACHINE_ID, ROOT_UUID, STATE_LABEL},
    vm::{Builder, Drive, Ending, Vm},
};

use crate::{
    Scenario, k0s, kept,
    lab::{self, BOOT, Lab, init, ready, step},
    same,
};

pub const SCENARIOS: &[Scenario] =
    &[("installed_disk", installed_disk), ("installed_disk_fails_untouched", fails_untouched)];
pub const RARE: &[Scenario] = &[
    ("installed_disk_with_usr_and_home_apart", usr_and_home_apart),
    ("installed_disk_with_var_apart", var_apart),
];

/// systemd's warnings about fstab and its mounts.
const COMPLAINTS: &str = "journalctl -q -b -o cat -p warning -u systemd-remount-fs -u '*.mount' -u 'systemd-fsck*' -t systemd-fstab-generator";
/// Where the partitions of root and `/usr` are mounted, and whether their file systems themselves are read-only (proc_pid_mountinfo(5)).
const FILE_SYSTEMS: &str = "sed -nE 's#^[^ ]+ [^ ]+ [^ ]+ [^ ]+ ([^ ]+) .* - ext4 (/dev/vda[13]) (r[ow]).*#\\1 \\2 \\3#p' /proc/self/mountinfo | sort";
/// Writes the owner's files to every part of the disk.
const MARK: &str = "for dir in /etc /root /srv /var /home /opt /usr/local; do echo own >$dir/mark; done";
/// Makes the changes of normal use.
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

    // As installed.
    let vm = node(lab, &installed, &disk, "ro")?.start()?;
    let etc = untouched(&vm)?;
    vm.check(MARK)?;
    end(vm)?;
    let before = sha256_file(&disk)?;

    // With a state disk, over a reboot. With `ro`, like every installer's entry: no byte of the disk changes.
    let with_state =
        node(lab, &installed, &disk, &format!("ro init={DAYFLY_INIT}"))?.drive(Drive::read_write(&state));
    let vm = with_state.reboots().start()?;
    ephemeral(&vm)?;
    same!(vm.check("findmnt -no SOURCE,FSTYPE /var | tr -s ' '")?, "/dev/vdb[/var] ext4");
    same!(vm.check("cat /etc/mark /root/mark /var/mark /home/mark /usr/local/mark | sort -u")?, "own");
    vm.check(CHANGE)?;
    vm.run_unattended("reboot")?;
    ephemeral(&vm)?;
    same!(vm.check("cat /var/new /home/new /opt/new /usr/local/new | sort -u")?, "new", "persistent files");
    forgotten(&vm)?;
    end(vm)?;
    same!(sha256_file(&disk)?, before, "the disk after two boots that must not change it");

    // Without a state disk, and with a root that the initramfs mounted writable.
    let vm = node(lab, &installed, &disk, &format!("rw init={DAYFLY_INIT}"))?.start()?;
    ephemeral(&vm)?;
    ensure!(vm.console().contains("LABEL=state"), "nothing on the console says that there is no state disk");
    same!(vm.check("cat /etc/mark /root/mark /var/mark /home/mark /usr/local/mark | sort -u")?, "own");
    same!(vm.check("ls /var/new /home/new 2>&1 | grep -c 'No such file'")?, "2");
    vm.check(CHANGE)?;
    end(vm)?;
    is_clean(&disk)?;

    // And again without Dayfly, as before.
    let vm = node(lab, &installed, &disk, "ro")?.start()?;
    let again = untouched(&vm)?;
    ensure!(etc == again, "/etc has changed: {}", kept::difference(&etc, &again));
    forgotten(&vm)?;
    same!(vm.check("ls -d /var/new /home/new /opt/new /usr/local/new 2>&1 | grep -c 'No such file'")?, "4");
    same!(vm.check("cat /var/mark /home/mark /usr/local/mark | sort -u")?, "own");
    end(vm)
}

/// `/usr` is a separate file system, which the initramfs mounts, and `/home` another one, in the OS's fstab: without a state disk, homes
/// stay there.
fn usr_and_home_apart(lab: &Lab) -> Result<()> {
    let installed = lab::installed()?;
    let folder = tempfile::tempdir()?;
    let disk = folder.path().join("disk.img");
    installed.disk_apart(&disk, &init()?, &[("/usr", "defaults"), ("/home", "defaults")])?;
    let vm = node(lab, &installed, &disk, &format!("ro quiet init={DAYFLY_INIT}"))?.reboots().start()?;
    let fits = || -> Result<()> {
        ready(&vm)?;
        healthy(&vm)?;
        same!(vm.check(COMPLAINTS)?, "", "complaints about mounts");
        let source = "findmnt -no SOURCE,FSTYPE,OPTIONS /usr | tr -s ' ' | cut -d, -f1";
        same!(vm.check(source)?, "/dev/vda3 ext4 ro");
        same!(vm.check("findmnt -no SOURCE,FSTYPE /home | tr -s ' '")?, "/dev/vda4 ext4");
        same!(
            vm.check(FILE_SYSTEMS)?,
            "/run/dayfly/l /dev/vda1 ro\n/run/dayfly/l/usr /dev/vda3 ro\n/usr /dev/vda3 ro",
            "the read-only file systems"
        );
        same!(vm.check("findmnt -rno TARGET | sort | uniq -d | grep -v binfmt_misc || true")?, "", "covered");
        // Leave out the overlay's own folder, which is as new as the overlay.
        let compare = "cd /usr/lib/dayfly-test; list() { ./manifest $1 | grep -av $'^\\.\t'; }; \
             diff -a <(list /run/dayfly/l/usr/local) <(list /usr/local)";
        same!(vm.check(compare)?, "", "/usr/local is not as on the disk");
        ensure!(
            vm.check("cat /run/dayfly/boot.log")?.contains("/home is left to the OS"),
            "the log does not say it of /home"
        );
        Ok(())
    };
    fits()?;
    vm.check("for dir in /home /etc /usr/local /var; do echo new >$dir/new; done; sync")?;
    vm.run_unattended("reboot")?;
    fits()?;
    same!(vm.check("cat /home/new")?, "new");
    same!(vm.check("ls /etc/new /usr/local/new /var/new 2>&1 | grep -c 'No such file'")?, "3");
    end(vm)?;
    is_clean(&disk)
}

/// `/var` is a separate file system: Kubernetes finds it there, its data stays, and the OS does not have to mount it.
fn var_apart(lab: &Lab) -> Result<()> {
    let installed = lab::installed()?;
    let folder = tempfile::tempdir()?;
    let (disk, file, config) = (
        folder.path().join("disk.img"),
        folder.path().join("dayfly.toml"),
        folder.path().join("config.vfat"),
    );
    installed.disk_apart(&disk, &init()?, &[("/var", "noatime,errors=remount-ro")])?;
    let stand_in = k0s::STAND_IN;
    let settings = format!(
        "version = 1\nk0s.role = \"single\"\n[file.\"/usr/local/bin/k0s\"]\nmode = \"0755\"\ncontent = '''\n{stand_in}'''\n"
    );
    fs::write(&file, settings)?;
    image::vfat_with(&config, "CONFIG", &[("dayfly.toml", &file)])?;
    let words = format!("ro quiet init={DAYFLY_INIT}");
    let node = node(lab, &installed, &disk, &words)?.drive(Drive::snapshot(&config)).reboots();
    let vm = node.explain(&["--config", &file.to_string_lossy()]).start()?;
    let fits = || -> Result<()> {
        ready(&vm)?;
        healthy(&vm)?;
        same!(vm.check(COMPLAINTS)?, "", "complaints about mounts");
        kept::nothing_twice(&vm)?;
        same!(
            vm.check("findmnt -no SOURCE,FSTYPE,OPTIONS /var | tr -s ' '")?,
            "/dev/vda3 ext4 rw,noatime,errors=remount-ro"
        );
        same!(
            vm.check("grep -c '^# UUID=.* /var ext4' /etc/fstab")?,
            "1",
            "lines of fstab that are comments"
        );
        same!(vm.check("systemctl is-active k0scontroller")?, "active");
        ensure!(vm.check("ls /var/lib/dpkg")?.contains("status"), "dpkg's database is missing");
        let log = vm.check("cat /run/dayfly/boot.log")?;
        ensure!(
            log.contains("/var is mounted as in the OS's fstab: /dev/vda3 (ext4)"),
            "no such line in the log"
        );
        ensure!(log.contains("/dev/vda3: clean"), "nobody has checked /var");
        Ok(())
    };
    fits()?;
    vm.check("mkdir -p /var/lib/k0s; for dir in /var/lib/k0s /var/lib/dpkg /etc; do echo new >$dir/new; done; sync")?;
    vm.run_unattended("reboot")?;
    fits()?;
    same!(
        vm.check("cat /var/lib/k0s/new /var/lib/dpkg/new; ls /var/log/dayfly | grep -c json")?,
        "new\nnew\n2"
    );
    same!(vm.check("ls /etc/new 2>&1 | grep -c 'No such file'")?, "1");
    end(vm)?;
    is_clean(&disk)
}

/// Errors before and after the handover are shown, there is a shell, and the disk does not change.
fn fails_untouched(lab: &Lab) -> Result<()> {
    let installed = lab::installed()?;
    let folder = tempfile::tempdir()?;
    let disk = folder.path().join("disk.img");
    installed.disk(&disk, &init()?)?;
    let before = sha256_file(&disk)?;

    let words = format!("ro quiet init={DAYFLY_INIT} dayfly.init=/usr/sbin/nowhere rd.shell panic=2");
    let mut vm = node(lab, &installed, &disk, &words)?.start()?;
    vm.expect("What went wrong: .*/usr/sbin/nowhere", BOOT)?;
    vm.expect("Code: +handover\\.no-init$", BOOT)?;
    vm.expect("What happens now: A shell \\(/bin/sh\\)", BOOT)?;
    vm.send("cat /run/dayfly/l/etc/machine-id; cp /bin/true /run/dayfly/l/etc; exit\n")?;
    // After the shell's prompt, or before it.
    vm.expect(&format!("(^|# ){MACHINE_ID}$"), BOOT)?;
    vm.expect("Read-only file system", BOOT)?;
    same!(vm.wait_end(BOOT)?, Ending::Reset);
    drop(vm);

    let words = format!("ro quiet init={DAYFLY_INIT} dayfly.init={DAYFLY_INIT} panic=2");
    let console = lab::fails(node(lab, &installed, &disk, &words)?, "image.root")?;
    ensure!(console.contains("is Dayfly again"), "the reason is not shown");
    same!(sha256_file(&disk)?, before, "the disk after two boots that failed");
    Ok(())
}

fn node(lab: &Lab, installed: &Installed, disk: &Path, words: &str) -> Result<Builder> {
    let node = Builder::new(lab.name()).log(lab.log()?).kernel(&installed.kernel).initrd(&installed.initrd);
    let node = node.drive(Drive::read_write(disk)).smbios("type=1,uuid=3fa85f64-5717-4562-b3fc-2c963f66afa6");
    Ok(node.cmdline(&format!("root=UUID={ROOT_UUID} {words}")))
}

/// The OS is as installed, without traces of Dayfly. Returns the list of its /etc.
fn untouched(vm: &Vm) -> Result<String> {
    same!(vm.wait_ready(BOOT)?.failed, "none", "failed services");
    healthy(vm)?;
    same!(vm.check("findmnt -no FSTYPE /; findmnt -no FSTYPE /boot/efi")?, "ext4\nvfat");
    same!(vm.check("ls -d /run/dayfly 2>&1 | grep -c 'No such file'")?, "1", "traces of Dayfly");
    vm.check("/usr/lib/dayfly-test/manifest --no-times /etc mark")
}

/// Checks that hold on every boot that stores nothing on the disk.
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
        "a root that is read-only by its mount only"
    );
    let protected = vm.run("touch /usr/bin/x")?;
    ensure!(protected.text.contains("Read-only file system"), "/usr can be written: {protected:?}");
    same!(vm.check("findmnt -no FSTYPE,OPTIONS /boot/efi | tr -s ' ' | cut -d, -f1")?, "vfat ro");
    same!(vm.check(COMPLAINTS)?, "", "complaints about mounts");
    Ok(())
}

fn healthy(vm: &Vm) -> Result<()> {
    same!(vm.check("systemctl is-system-running --wait")?, "running");
    same!(vm.check("hostname; cat /etc/hostname")?, "installed\ninstalled");
    same!(vm.check("cat /etc/machine-id")?, MACHINE_ID);
    ensure!(vm.check("cat /etc/hosts")?.contains("127.0.1.1 installed"), "the node is not in its hosts");
    Ok(())
}

/// New or changed files in ephemeral paths are as on the owner's disk.
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

/// The root's file system is clean.
fn is_clean(disk: &Path) -> Result<()> {
    let place = Installed::root_on(disk);
    let header = call("installed disk: header", "/sbin/dumpe2fs", &["-h", &place])?;
    ensure!(
        !header.contains("needs_recovery"),
        "the root was not unmounted cleanly: its journal is not empty"
    );
    call("installed disk: check", "/sbin/e2fsck", &["-fn", &place])?;
    Ok(())
}
