//! Debian 13 with its own kernel and systemd; the other scenarios boot Debian 12.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use dayfly_formats::net_id;
use dayfly_qemu::{
    image::Image,
    vm::{Nic, Vm},
};

use crate::{
    Scenario,
    lab::{BOOT, Lab, Site, boot, debian13_kernel, initramfs_for, step},
    same,
};

pub const SCENARIOS: &[Scenario] = &[("debian13", debian13)];

/// The first interface, by systemd 257's name: only `ip=` has that name, no driver of the initramfs gives it.
const FIRST: &str = "ens3";

/// More cards, for their names: one on the same bus, one behind a bridge.
const MORE_CARDS: [&str; 10] = [
    "-netdev",
    "user,id=second,restrict=on,net=10.0.8.0/24",
    "-device",
    "virtio-net-pci,netdev=second,addr=0x10,mac=52:54:00:00:08:01",
    "-device",
    "pci-bridge,id=bridge,chassis_nr=5,addr=0x11",
    "-netdev",
    "user,id=third,restrict=on,net=10.0.9.0/24",
    "-device",
    "virtio-net-pci,netdev=third,bus=bridge,addr=0x7,mac=52:54:00:00:09:01",
];

fn debian13(lab: &Lab) -> Result<()> {
    let kernel = debian13_kernel()?;
    let site = Site::start(Image::Debian13)?;
    let node = lab.bare_node(&initramfs_for(lab.name(), &kernel)?)?.kernel(&kernel.image).nic(Nic::user());
    let words = site.parameters().replace("ip=dhcp", &format!("ip={FIRST}:dhcp"));
    let vm = boot(node.qemu(&MORE_CARDS).cmdline(&words).cmdline("dayfly.hostname=thirteen"))?;

    same!(vm.check("uname -r")?, kernel.version);
    ensure!(kernel.version.starts_with("6.12."), "the kernel of Debian 13 is {}", kernel.version);
    ensure!(vm.check("systemctl --version | head -n1")?.starts_with("systemd 257 "), "another systemd");
    same!(vm.check("systemctl is-system-running --wait")?, "running");
    same!(vm.check("cat /proc/1/comm; hostname; cat /etc/hostname")?, "systemd\nthirteen\nthirteen");
    same!(vm.check("tr -dc 0-9a-f </etc/machine-id | wc -c")?, "32");

    let report = vm.boot_json()?;
    same!(report["outcome"], "handover");
    for row in report["steps"].as_array().into_iter().flatten() {
        let outcome = row["outcome"].as_str().unwrap_or_default();
        ensure!(["done", "tolerated"].contains(&outcome) || row["step"] == "exec", "a step: {row}");
    }
    same!(step(&report, "verify")?["outcome"], "done");
    same!(vm.check("findmnt -no FSTYPE,PROPAGATION / | tr -s ' '")?, "overlay shared");
    ensure!(vm.run("touch /usr/bin/x")?.text.contains("Read-only file system"), "/usr can be written");
    vm.check("touch /etc/x /var/x /home/x /opt/x /usr/local/x /root/x")?;
    // networkd of this release reads the files that Dayfly wrote for it.
    same!(vm.check("systemctl is-active systemd-networkd")?, "active");
    let card = format!("networkctl list --no-legend --no-pager | awk '$2 == \"{FIRST}\" {{ print $4, $5 }}'");
    // It waits for IPv6 routers first.
    let end = std::time::Instant::now() + BOOT;
    while vm.check(&card)? != "routable configured" {
        ensure!(
            std::time::Instant::now() < end,
            "networkd did not take over the interface: {}",
            vm.check(&card)?
        );
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
    ensure!(vm.check(&format!("ip -4 -o address show {FIRST}"))?.contains("10.0.2.15/24"), "no address");

    let cards = vm.check("ls /sys/class/net | grep -v '^lo$'")?;
    let names: Vec<&str> = cards.lines().collect();
    same!(names.len(), 3, "interfaces: {names:?}");
    names.iter().try_for_each(|name| is_called_what_udev_calls_it(&vm, name))
}

/// Compares Dayfly's names over the guest's sysfs with those of the guest's own udev.
fn is_called_what_udev_calls_it(vm: &Vm, card: &str) -> Result<()> {
    let udev = vm.check(&format!("udevadm test-builtin net_id /sys/class/net/{card} 2>/dev/null"))?;
    let theirs: BTreeMap<&str, &str> = udev.lines().filter_map(|line| line.split_once('=')).collect();
    same!(theirs.get("ID_NET_NAMING_SCHEME"), Some(&"v257"), "{udev}");
    let device = vm.check(&format!("readlink -f /sys/class/net/{card}"))?;
    let slots = vm.check("cd /sys/bus/pci/slots && for s in *; do echo $s $(cat $s/address); done")?;
    let slots: Vec<(String, String)> = slots
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, address)| (name.to_owned(), address.to_owned()))
        .collect();
    let read = |path: &str| {
        let read = vm.run(&format!("cat '{path}'")).ok().filter(|read| read.status == 0);
        read.map(|read| read.text.into_bytes())
    };
    let ours = net_id::names(&device, &read, &slots);
    for (key, own) in [
        ("ID_NET_NAME_ONBOARD", &ours.onboard),
        ("ID_NET_NAME_SLOT", if ours.firmware_slot.is_some() { &ours.firmware_slot } else { &ours.slot }),
        ("ID_NET_NAME_PATH", &ours.path),
        ("ID_NET_NAME_MAC", &ours.mac),
    ] {
        same!(own.as_deref(), theirs.get(key).copied(), "{card}: {key}");
    }
    // The interface's final name is the first of them.
    same!(ours.all().first().copied(), Some(card), "{device}");
    Ok(())
}
