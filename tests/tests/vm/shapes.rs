//! Images with the layout of other distributions, made of Debian's parts: how a boot handles their paths, their process 1 and their
//! package database. No boot of one is a test of that distribution. Each begins with a state disk that an older image has filled.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use dayfly_qemu::{
    command::run,
    image::{self, Image, NIXOS_INIT, STATE_LABEL},
    kernel::Kernel,
    vm::{Builder, Drive, Nic, Vm},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Scenario,
    lab::{Lab, Site, boot, image_path, initramfs_for, ready, shows, step},
    same,
};

pub const SCENARIOS: &[Scenario] = &[
    ("shape_alpine", alpine),
    ("shape_bootc", bootc),
    ("shape_fedora", fedora),
    ("shape_gentoo", gentoo),
    ("shape_nixos", nixos),
];

/// A unit that the images with OpenRC have and do not start, and a user's key.
const SETTINGS: &str = "version = 1\nhostname = \"shaped\"\nunit.\"thing.service\".enable = true\n\
                        user.backup.authorized_keys = [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHd3 me\"]\n";

/// A state disk of a node with an older image: the files of that image's packages, and the node's own files.
fn state(folder: &TempDir, records: &[&str]) -> Result<PathBuf> {
    let (of_image, of_node) = (folder.path().join("of-image"), folder.path().join("of-node"));
    fs::write(&of_image, "of the old image\n")?;
    fs::write(&of_node, "of the node\n")?;
    let mut files: Vec<(&str, &Path)> = records.iter().map(|path| (*path, &*of_image)).collect();
    files.extend([("var/lib/thing/own", &*of_node), ("home/own", &*of_node)]);
    let disk = folder.path().join("state.ext4");
    image::ext4_with(&disk, STATE_LABEL, &files)?;
    Ok(disk)
}

/// Boots with that disk, and with the settings on another disk.
fn boot_with(lab: &Lab, site: &Site, folder: &TempDir, records: &[&str]) -> Result<Vm> {
    let (config, text) = (folder.path().join("config"), folder.path().join("dayfly.toml"));
    fs::write(&text, SETTINGS)?;
    image::ext4_with(&config, "config", &[("dayfly.toml", &text)])?;
    let node = lab.node()?.memory(512).drive(Drive::read_write(&state(folder, records)?));
    let node = node.drive(Drive::read_only(&config)).cmdline(&site.parameters());
    boot(node.explain(&["--config", &text.to_string_lossy()]))
}

/// The files that every node gets, with any OS.
fn is_this_node(vm: &Vm, name: &str) -> Result<()> {
    same!(vm.check("hostname; cat /etc/hostname")?, format!("{name}\n{name}"));
    same!(vm.check("tr -dc 0-9a-f </etc/machine-id | wc -c")?, "32");
    ensure!(vm.check("cat /etc/hosts")?.contains(&format!("10.0.2.15 {name}")), "not in /etc/hosts");
    ensure!(vm.check("cat /etc/resolv.conf")?.contains("nameserver 10.0.2.3"), "no name server");
    ensure!(vm.check("ip -4 addr show")?.contains("10.0.2.15/24"), "the address is gone");
    ensure!(vm.check("grep ' / ' /proc/mounts")?.contains("overlay"), "another root than the overlay");
    Ok(())
}

/// The node's own files are on the disk; the package databases are the new image's.
fn follows_the_image(vm: &Vm, records: &[&str]) -> Result<()> {
    same!(vm.check("cat /var/lib/thing/own /home/own")?, "of the node\nof the node");
    for path in records {
        let text = vm.check(&format!("cat {path}"))?;
        ensure!(text.contains("new") && !text.contains("old"), "{path} is {text}");
    }
    Ok(())
}

fn detail(report: &Value, name: &str) -> Result<String> {
    Ok(step(report, name)?["detail"].as_str().context("no detail")?.to_owned())
}

fn openrc_is_up(vm: &Vm) -> Result<()> {
    same!(vm.check("rc-status --runlevel")?, "default");
    same!(vm.check("cat /run/thing; rc-service --quiet thing status 2>/dev/null; echo $?")?, "started\n0");
    same!(vm.check("ls -d /usr/lib/systemd /lib/systemd /etc/systemd 2>/dev/null || true")?, "");
    same!(vm.check("stat -c %a /srv/backup/.ssh /srv/backup/.ssh/authorized_keys")?, "700\n600");
    Ok(())
}

/// busybox starts OpenRC: no sysvinit, no systemd, apk's database in /lib.
fn alpine(lab: &Lab) -> Result<()> {
    let (folder, site) = (tempfile::tempdir()?, Site::start(Image::ShapeAlpine)?);
    let vm = boot_with(lab, &site, &folder, &["var/cache/apk/index"])?;
    let report = vm.boot_json()?;
    same!(detail(&report, "init")?, "/sbin/init, OpenRC");
    same!(vm.check("readlink /proc/1/exe; cat /proc/1/comm")?, "/bin/busybox\ninit");
    is_this_node(&vm, "shaped")?;
    openrc_is_up(&vm)?;
    follows_the_image(&vm, &["/lib/apk/db/installed", "/etc/apk/world"])?;
    same!(vm.check("cat /var/cache/apk/index")?, "of the old image", "apk's cache is no database");
    // The service has the name networking, but is not Debian's ifupdown.
    let address = detail(&report, "address")?;
    ensure!(address.starts_with("networking of the image cannot take over 10.0.2.15/24"), "{address}");
    shows(&vm, "shaped login: ")
}

/// openrc-init, which is found although /sbin/init is missing, and Portage's records below /var.
fn gentoo(lab: &Lab) -> Result<()> {
    let (folder, site) = (tempfile::tempdir()?, Site::start(Image::ShapeGentoo)?);
    let old = ["var/db/pkg/sys-apps/openrc-1/CONTENTS", "var/lib/portage/world", "var/db/repos/gentoo/x"];
    let vm = boot_with(lab, &site, &folder, &old)?;
    let report = vm.boot_json()?;
    same!(detail(&report, "init")?, "/sbin/openrc-init, OpenRC");
    same!(vm.check("readlink /proc/1/exe")?, "/usr/sbin/openrc-init");
    is_this_node(&vm, "shaped")?;
    openrc_is_up(&vm)?;
    follows_the_image(&vm, &["/var/db/pkg/sys-apps/openrc-2/CONTENTS", "/var/lib/portage/world"])?;
    same!(vm.check("ls /var/db/pkg/sys-apps; cat /var/db/repos/gentoo/x")?, "openrc-2\nof the old image");
    // No program renews the lease, and the log says so.
    same!(step(&report, "address")?["outcome"], "tolerated");
    let told = step(&report, "address")?.to_string();
    ensure!(told.contains("no network service that can renew 10.0.2.15/24"), "{told}");
    Ok(())
}

/// Labels, and rpm's database in /usr, where the older image had it in /var. No service manager that Dayfly knows.
fn fedora(lab: &Lab) -> Result<()> {
    let (folder, site) = (tempfile::tempdir()?, Site::start(Image::ShapeFedora)?);
    let disk = state(&folder, &["var/lib/rpm/rpmdb.sqlite", "var/lib/alternatives/ld"])?;
    let node = lab.node()?.memory(512).drive(Drive::read_write(&disk)).cmdline(&site.parameters());
    let words = "dayfly.hostname=shaped dayfly.kubelet.enabled=yes dayfly.kubelet.program=/usr/bin/busybox";
    let vm = boot(node.cmdline(words))?;
    let report = vm.boot_json()?;
    same!(detail(&report, "init")?, "/sbin/init, no known service manager");
    has_no_kubelet(&report, "/sbin/init")?;
    is_this_node(&vm, "shaped")?;
    follows_the_image(
        &vm,
        &["/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite", "/var/lib/alternatives/ld"],
    )?;
    let rpm = "readlink -f /var/lib/rpm; touch /usr/lib/x 2>&1 | grep -o 'Read-only file system'";
    same!(vm.check(rpm)?, "/usr/lib/sysimage/rpm\nRead-only file system");
    let label = |path: &str| {
        let words =
            format!("getfattr -h -n security.selinux --only-values --absolute-names {path} | tr -d '\\0'");
        vm.check(&words)
    };
    for (path, kind) in [
        ("/", "root_t"),
        ("/usr/bin/busybox", "usr_t"),
        ("/usr/lib/sysimage/rpm/rpmdb.sqlite", "rpm_var_lib_t"),
        ("/etc", "etc_t"),
        ("/etc/shadow", "shadow_t"),
        // A file that the boot writes has the label of the file that it replaces, or the folder's.
        ("/etc/hostname", "hostname_etc_t"),
        ("/etc/hosts", "net_conf_t"),
        ("/etc/machine-id", "etc_t"),
        ("/etc/resolv.conf", "etc_t"),
    ] {
        same!(label(path)?, format!("system_u:object_r:{kind}:s0"), "{path}");
    }
    Ok(())
}

/// The step that needs a service manager reports why it fails; the node boots without a kubelet.
fn has_no_kubelet(report: &Value, init: &str) -> Result<()> {
    let row = step(report, "kubelet")?;
    same!(row["outcome"], "tolerated");
    let told = format!("the image boots {init} and has neither systemd nor OpenRC");
    ensure!(row.to_string().contains(&told), "{row}");
    Ok(())
}

/// Only a store: the boot entry names the init, which creates the paths that it needs.
fn nixos(lab: &Lab) -> Result<()> {
    let (folder, site) = (tempfile::tempdir()?, Site::start(Image::ShapeNixos)?);
    let node = lab.node()?.memory(512).drive(Drive::read_write(&state(&folder, &[])?));
    let node = node.cmdline(&site.parameters()).cmdline(&format!("init={NIXOS_INIT}"));
    let kubelet = format!("dayfly.kubelet.enabled=yes dayfly.kubelet.program={NIXOS_INIT}");
    let vm = boot(node.cmdline("dayfly.hostname=shaped").cmdline(&kubelet))?;
    let report = vm.boot_json()?;
    same!(detail(&report, "init")?, format!("{NIXOS_INIT}, no known service manager"));
    has_no_kubelet(&report, NIXOS_INIT)?;
    ensure!(vm.console().contains("in the shape of NixOS, stage 2"), "its stage 2 did not run");
    is_this_node(&vm, "shaped")?;
    follows_the_image(&vm, &[])?;
    // The paths that its activation creates outside the store.
    same!(vm.check("/usr/bin/env echo made; readlink /etc/passwd")?, "made\n/etc/static/passwd");
    Ok(())
}

/// Debian 13 with the layout of a bootc tree, and the image's own kernel.
fn bootc(lab: &Lab) -> Result<()> {
    let (folder, site) = (tempfile::tempdir()?, Site::start(Image::ShapeBootc)?);
    let kernel = kernel_in(&image_path(Image::ShapeBootc)?, folder.path())?;
    let initramfs = initramfs_for(lab.name(), &kernel)?;
    let node: Builder = lab.bare_node(&initramfs)?.kernel(&kernel.image).nic(Nic::user());
    let node = node.drive(Drive::read_write(&state(&folder, &[])?)).cmdline(&site.parameters());
    let vm = node.cmdline("dayfly.hostname=shaped").start()?;
    ready(&vm)?;
    let report = vm.boot_json()?;
    same!(detail(&report, "init")?, "/sbin/init, systemd");
    let root = detail(&report, "root")?;
    ensure!(root.contains("/etc is the image's /usr/etc"), "{root}");
    same!(vm.check("systemctl is-system-running --wait")?, "running");
    same!(vm.check("uname -r")?, kernel.version);
    is_this_node(&vm, "shaped")?;
    same!(vm.check("cat /var/lib/thing/own")?, "of the node");
    // All paths outside /usr lead to /var.
    same!(
        vm.check("readlink -f /home /opt /usr/local /root")?,
        "/var/home\n/var/opt\n/var/usrlocal\n/var/roothome"
    );
    vm.check("touch /home/x /opt/x /usr/local/x /root/x /srv/x")?;
    let status = "dpkg-query -W -f '${Status}' systemd";
    same!(vm.check(status)?, "install ok installed", "dpkg's record of systemd");
    let packed = "diff -r --no-dereference /usr/etc /etc | grep -v '^Only in /etc' | grep -c . || true";
    let changed: usize = vm.check(packed)?.parse()?;
    ensure!(changed < 20, "{changed} lines of /usr/etc are not those of /etc");
    Ok(())
}

/// The kernel and modules of a bootc tree, extracted from its image.
fn kernel_in(image: &Path, folder: &Path) -> Result<Kernel> {
    let tree = folder.join("tree");
    let mut unsquashfs = Command::new("unsquashfs");
    unsquashfs.args(["-no-progress", "-dest"]).arg(&tree).arg(image).arg("usr/lib/modules");
    run("bootc: the kernel in the image", &mut unsquashfs)?;
    let modules = tree.join("usr/lib/modules");
    let entry = fs::read_dir(&modules)?.next().context("no kernel in the image")??;
    let version = entry.file_name().to_string_lossy().into_owned();
    Ok(Kernel { image: entry.path().join("vmlinuz"), modules: entry.path(), version })
}
