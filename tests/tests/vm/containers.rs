//! An image like a container's, in an ISO: from the network, and from a USB stick.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use dayfly_qemu::{
    command::run,
    image::{IMAGE_IN_ISO, Image, LEFT, LIVE_LABEL, MISSING_UUID},
    lan::Lan,
    vm::{Drive, Vm},
};

use crate::{
    Scenario,
    lab::{Lab, Site, boot, image_path, initramfs, step},
    same,
};

pub const SCENARIOS: &[Scenario] = &[("container_in_an_iso", container_in_an_iso)];
pub const RARE: &[Scenario] = &[("iso_on_a_stick", iso_on_a_stick)];

/// Only the settings in the second archive, after Dayfly's and its compression, have the name.
fn container_in_an_iso(lab: &Lab) -> Result<()> {
    image_path(Image::Container)?;
    let folder = tempfile::tempdir()?;
    let (settings, initrd) = with_settings(folder.path(), initramfs()?)?;
    let log = lab.log()?.with_extension("dhcp");
    Lan::apart(|lan| {
        lan.serve_dhcp(&log, &["--host-record=registry.lab.test,10.9.8.7"])?;
        let site = Site::start(Image::Container)?;
        site.serve_as("live.iso")?;
        let node = lab
            .bare_node(&initrd)?
            .nic(lan.plug(1)?)
            .cmdline(&site.parameters_for(&site.server.guest_url("live.iso")))
            .explain(&["--settings", &settings]);
        let vm = boot(node)?;
        same!(vm.check("hostname")?, "from-second-archive");
        is_a_machine(&vm)?;

        // The image's resolv.conf linked to a service that is not installed.
        same!(
            vm.check("getent ahostsv4 registry | awk '{ print $1 }' | sort -u")?,
            "10.9.8.7",
            "the address of a name by DNS"
        );
        let hosts = "getent -s hosts:files ahostsv4 localhost; getent -s hosts:files ahostsv4 $(hostname)";
        let found = vm.check(&format!("({hosts}) | awk '{{ print $1 }}' | uniq"))?;
        same!(found, "127.0.0.1\n10.0.2.11", "the addresses in /etc/hosts");
        image_is_from_iso(&vm, "image")
    })
}

fn iso_on_a_stick(lab: &Lab) -> Result<()> {
    let iso = image_path(Image::Container)?;
    let label = LIVE_LABEL.replace(' ', "\\x20");
    let node = lab.bare_node(initramfs()?)?.drive(Drive::read_only(&iso));
    let vm = boot(node.cmdline(&format!("root=live:CDLABEL={label}")))?;
    // The same file system begins on the disk and on its partition.
    same!(vm.check("blkid -s LABEL -o value /dev/vda /dev/vda1 | uniq")?, LIVE_LABEL);
    is_a_machine(&vm)?;
    image_is_from_iso(&vm, "find")
}

/// An initramfs followed by a second archive with settings, compressed in another way; returns the settings and the initramfs.
fn with_settings(folder: &Path, ours: &Path) -> Result<(String, std::path::PathBuf)> {
    let etc = folder.join("etc");
    fs::create_dir(&etc)?;
    let settings = etc.join("dayfly.toml");
    fs::write(&settings, "version = 1\nhostname = \"from-second-archive\"\n")?;
    let initrd = folder.join("two.img");
    let script = "cd \"$1\" && { cat \"$2\"; echo etc/dayfly.toml | cpio --create --format newc --quiet | gzip; } >\"$3\"";
    let mut cat = Command::new("sh");
    run("two archives", cat.args(["-c", script, "sh"]).arg(folder).arg(ours).arg(&initrd))?;
    Ok((settings.to_string_lossy().into_owned(), initrd))
}

/// The OS recognizes a machine, not a container, with this node's identity.
fn is_a_machine(vm: &Vm) -> Result<()> {
    same!(vm.run("systemd-detect-virt --container")?.text, "none\n");
    same!(vm.check("systemctl is-active systemd-udevd serial-getty@ttyS0 | uniq")?, "active");
    same!(vm.check("ls /.dockerenv 2>/dev/null || true")?, "");
    same!(vm.check("cat /proc/1/comm")?, "systemd");
    same!(vm.check("wc -c </etc/machine-id")?, "33");
    same!(vm.check("findmnt -nro TARGET /")?, "/");
    // systemd would have waited 90 s for the disk and then failed.
    let order = "until systemctl -q is-active multi-user.target; do sleep 0.2; done
        journalctl -b -o cat | grep -m1 -e 'Timed out waiting' -e 'Reached target multi-user.target'";
    let first = vm.check(order)?;
    ensure!(first.starts_with("Reached target"), "the OS waited for a disk of another machine: {first}");
    same!(vm.run("systemctl is-active emergency.target")?.text, "inactive\n");
    let told = format!("UUID={MISSING_UUID} for /srv/data does not exist");
    ensure!(vm.check("cat /run/dayfly/boot.log")?.contains(&told), "the log does not name the disk");
    // The node's own /run covers the image's; Debian empties /tmp at boot.
    let stale = LEFT.map(|file| format!("/{file}")).join(" ");
    same!(vm.check(&format!("ls {stale} 2>/dev/null || true"))?, "", "files of the container");
    Ok(())
}

/// The step that found the image in the ISO reports it.
fn image_is_from_iso(vm: &Vm, name: &str) -> Result<()> {
    let report = vm.boot_json()?;
    let row = step(&report, name)?;
    let detail = row["detail"].as_str().context("no detail")?;
    ensure!(detail.contains(IMAGE_IN_ISO), "the image: {row}");
    // The loop device has whole sectors only, so this image is a copy; the memory of its ISO is freed.
    same!(vm.check("losetup --list --noheadings | wc -l")?, "1", "the loop devices");
    Ok(())
}
