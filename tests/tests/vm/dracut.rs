//! dracut's initramfs images with Dayfly's module: Dayfly makes the root, dracut enters it, and dracut's own breakpoints and
//! emergency shell still work.

use std::time::Duration;

use anyhow::{Result, ensure};
use dayfly_qemu::{
    dracut::Dracut,
    image::Image,
    vm::{Builder, Nic, Vm},
};

use crate::{
    Scenario,
    lab::{BOOT, Lab, Site, attempts, dracut, ready, step},
    same,
};

pub const SCENARIOS: &[Scenario] = &[("dracut_fails_is_mended_and_boots", fails_is_mended_and_boots)];
pub const RARE: &[Scenario] = &[
    ("dracut_beside_livenet", beside_livenet),
    ("dracut_host_only_without_systemd", host_only_without_systemd),
];

/// dracut takes some seconds from its message to its shell.
const SHELL: Duration = Duration::from_secs(60);

fn node(lab: &Lab, kind: Dracut) -> Result<Builder> {
    let built = dracut(kind)?;
    Ok(lab.bare_node(&built.initramfs)?.kernel(&built.kernel).nic(Nic::user()))
}

/// Checks that hold for every node that dracut has booted.
fn check(vm: &Vm, site: &Site) -> Result<()> {
    let report = vm.boot_json()?;
    same!(report["outcome"], "handover");
    same!(report["way"], "dracut");
    same!(report["problems"].as_array().map(Vec::len), Some(0), "problems: {}", report["problems"]);
    same!(step(&report, "leave")?["outcome"], "done");
    same!(step(&report, "verify")?["outcome"], "done");
    ensure!(vm.check("cat /run/dayfly/boot.log")?.contains("leave: done"), "boot.log does not end well");

    same!(vm.check("systemctl is-system-running --wait")?, "running");
    same!(vm.check("findmnt -no FSTYPE,PROPAGATION / | tr -s ' '")?, "overlay shared");
    same!(vm.check("findmnt -no FSTYPE /usr")?, "squashfs");
    same!(
        vm.check("findmnt -rno TARGET | sort | uniq -d | grep -v binfmt_misc || true")?,
        "",
        "mounted twice"
    );
    same!(vm.check("findmnt -rno TARGET | grep -e ^/sysroot -e ^/run/dayfly/o || true")?, "", "left over");
    same!(vm.check("grep -rl -e Dayfly -e sysroot /run/systemd/generator* || true")?, "", "units left over");
    // The interface had its final name before it was used, so the OS finds it by that name and with its address.
    let has = vm.check("ip -4 -o address show scope global | awk '{ print $2 }'")?;
    let detail = step(&report, "network")?["detail"].as_str().unwrap_or_default().to_owned();
    ensure!(
        detail.starts_with(&format!("{has} has 10.0.2.15/24")),
        "the OS's interface is {has}, but {detail}"
    );
    ensure!(has.starts_with("en"), "{has} is not the name that udev gives");
    let fetched = site.server.requests()?.iter().filter(|request| request.status == 200).count();
    same!(fetched, 1, "images fetched");
    Ok(())
}

/// Debian 12, dracut 059 with systemd. The image is missing at first. dracut's shell opens, the image is added, and the boot continues
/// after the shell's exit. The stop before the switch is dracut's too.
fn fails_is_mended_and_boots(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Debian)?;
    let parameters = site.parameters_for(&site.server.guest_url("late.squashfs"));
    let node = node(lab, Dracut::Debian12)?;
    let vm = node.cmdline(&parameters).cmdline("rd.retry=8 rd.shell rd.break=pre-pivot").start()?;

    for part in ["What was tried: ", "What went wrong: .*404 Not Found", "How to fix it: "] {
        vm.expect(part, BOOT)?;
    }
    vm.expect("Code: +image\\.http-status$", SHELL)?;
    vm.expect("What happens now: dracut continues: with a shell", SHELL)?;
    // Nothing is left of the failed boot but its record.
    let look = "cat /run/dayfly/boot.json; echo; set -- /sysroot/*; echo \"there is $1\"";
    answer_in_shell(&vm, look, &["\"outcome\": \"failed\"", "^there is /sysroot/\\*$"])?;
    site.serve_as("late.squashfs")?;
    vm.send("exit\n")?;

    vm.expect("Break before pre-pivot", BOOT)?;
    answer_in_shell(&vm, "ls /sysroot/usr/bin/bash", &["^/sysroot/usr/bin/bash$"])?;
    vm.send("exit\n")?;
    ready(&vm)?;
    check(&vm, &site)?;
    // The record is that of the successful boot.
    same!(attempts(&vm.boot_json()?, "fetch").len(), 1, "attempts to fetch");
    Ok(())
}

/// Opens the maintenance shell of sulogin(8) and has it execute a command.
fn answer_in_shell(vm: &Vm, command: &str, answers: &[&str]) -> Result<()> {
    const PROMPT: &str = "sh-[0-9.]+# |:/# ";
    // sulogin drops input that arrives before it has printed all of this.
    vm.expect("Press Enter for (system )?maintenance\n\\(or press Control-D to continue\\): ", SHELL)?;
    std::thread::sleep(Duration::from_secs(1));
    vm.send("\n")?;
    vm.expect(PROMPT, SHELL)?;
    vm.send(&format!("{command}\n"))?;
    for answer in answers {
        vm.expect(answer, SHELL)?;
    }
    vm.expect(PROMPT, SHELL).map(drop)
}

/// Debian 13, dracut 106 or newer with systemd, and livenet's boot entry: livenet, dmsquash-live and networkd are in the initramfs too,
/// but it has `rd.dayfly=1`.
fn beside_livenet(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Debian)?;
    // Without the handover the image starts no networkd, so any traces of networkd would be the initramfs's.
    let node = node(lab, Dracut::Debian13BesideLivenet)?.cmdline(&site.parameters());
    let vm = node.cmdline("dayfly.network.handover=none").start()?;
    ready(&vm)?;
    check(&vm, &site)?;
    ensure!(vm.check("cat /run/dayfly/cmdline")?.contains("rd.dayfly=1"), "the initramfs adds nothing");
    same!(
        vm.check("find /run/systemd/netif /run/systemd/network -type f 2>/dev/null || true")?,
        "",
        "left by networkd"
    );
    same!(vm.check("journalctl --boot --quiet --unit systemd-networkd")?, "", "networkd in the initramfs");
    let release = vm.check("uname -r")?;
    ensure!(!release.starts_with("6.1."), "{release} is not Debian 13's kernel");
    Ok(())
}

/// Debian 13, host-only, with dracut's own init as process 1.
fn host_only_without_systemd(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Debian)?;
    let vm = node(lab, Dracut::Debian13HostOnly)?.cmdline(&site.parameters()).start()?;
    ready(&vm)?;
    check(&vm, &site)?;
    same!(vm.check("hostname")?, "baked-in", "the name in the initramfs");
    Ok(())
}
