//! Network cards, cables and DHCP servers that do not work as they should.

use std::time::Duration;

use anyhow::{Result, ensure};
use dayfly_qemu::{image::Image, vm::Nic};

use crate::{
    Scenario,
    lab::{BOOT, Lab, Site, boot, fails, initramfs, ready, step, took},
    same,
};

pub const SCENARIOS: &[Scenario] = &[
    ("no_dhcp_answer", no_dhcp_answer),
    ("second_nic_is_dead", second_nic_is_dead),
    ("first_nic_is_dead", first_nic_is_dead),
    ("image_behind_the_second_nic", image_behind_the_second_nic),
    ("no_carrier", no_carrier),
    ("cable_plugged_in_late", cable_plugged_in_late),
    ("no_nic", no_nic),
    ("e1000", e1000),
];

/// Three interfaces with a carrier and without any answer: the error names each of them.
fn no_dhcp_answer(lab: &Lab) -> Result<()> {
    let node = lab.bare_node(initramfs()?)?.nic(Nic::silent()).nic(Nic::silent()).nic(Nic::silent());
    let console = fails(
        node.cmdline("root=live:http://10.0.2.2:1/os.squashfs ip=dhcp rd.retry=10 panic=2"),
        "net.no-lease",
    )?;
    for interface in ["eth0", "eth1", "eth2"] {
        ensure!(console.contains(interface), "{interface} is not named");
    }
    Ok(())
}

fn second_nic_is_dead(lab: &Lab) -> Result<()> {
    with_dead_nic(lab, Nic::user(), Nic::silent())
}

fn first_nic_is_dead(lab: &Lab) -> Result<()> {
    with_dead_nic(lab, Nic::silent(), Nic::user())
}

/// A card without answers must not cost its time-out.
fn with_dead_nic(lab: &Lab, first: Nic, second: Nic) -> Result<()> {
    let site = Site::start(Image::Small)?;
    let vm = boot(lab.bare_node(initramfs()?)?.nic(first).nic(second).cmdline(&site.parameters()))?;
    let report = vm.boot_json()?;
    same!(step(&report, "network")?["attempt"], 1);
    let seconds = took(&report, "network")?;
    ensure!(seconds < 10.0, "the network took {seconds} s with a dead second card");
    Ok(())
}

/// The card that the firmware booted from gets a lease, but has no route to the image.
fn image_behind_the_second_nic(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Small)?;
    let first = Nic::user_with("restrict=on,net=10.0.9.0/24,host=10.0.9.2,dhcpstart=10.0.9.15");
    let words = format!("{} BOOTIF=01-52-54-00-12-34-56 dayfly.image.connect=3", site.parameters());
    let vm = boot(lab.bare_node(initramfs()?)?.nic(first).nic(Nic::user()).cmdline(&words))?;
    let report = vm.boot_json()?;
    same!(report["node"]["mac"], "52:54:00:12:34:57");
    same!(report["node"]["address"], "10.0.2.15");
    let settled = step(&report, "settle")?["detail"].to_string();
    ensure!(
        settled.contains("10.0.9.15/24 from the DHCP server 10.0.9.2, does not lead to the server: "),
        "{settled}"
    );
    Ok(())
}

fn no_carrier(lab: &Lab) -> Result<()> {
    let node = lab.node()?.cmdline("root=live:http://10.0.2.2:1/os.squashfs ip=dhcp rd.retry=5 panic=2");
    let mut vm = node.start()?;
    vm.set_link(0, false)?;
    vm.expect("How to fix it: .*", BOOT)?;
    vm.expect("Code: +net\\.no-carrier$", BOOT)?;
    vm.wait_end(Duration::from_secs(60))?;
    Ok(())
}

fn cable_plugged_in_late(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Small)?;
    let vm = lab.node()?.cmdline(&site.parameters()).start()?;
    vm.set_link(0, false)?;
    vm.expect("network: ", BOOT)?;
    std::thread::sleep(Duration::from_secs(8));
    vm.set_link(0, true)?;
    ready(&vm)
}

fn no_nic(lab: &Lab) -> Result<()> {
    let node = lab.bare_node(initramfs()?)?;
    fails(node.cmdline("root=live:http://10.0.2.2:1/os.squashfs rd.retry=5 panic=2"), "net.no-link")?;
    Ok(())
}

fn e1000(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Small)?;
    let initramfs = lab.own_initramfs(&["--add-module", "e1000"])?;
    boot(lab.bare_node(&initramfs)?.nic(Nic::user().model("e1000")).cmdline(&site.parameters()))?;
    Ok(())
}
