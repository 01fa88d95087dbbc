//! Interfaces of the usual drivers, with another MTU, and several at once.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use dayfly_qemu::{
    image::Image,
    lan::{self, Lan},
    vm::{self, Nic},
};

use crate::{
    Scenario,
    fabric::settled,
    lab::{Lab, Site, boot, image_path, initramfs},
    same,
};

pub const RARE: &[Scenario] = &[
    ("interfaces_by_driver", by_driver),
    ("interfaces_on_one_segment", on_one_segment),
    ("interfaces_with_static_addresses", with_static_addresses),
];

/// QEMU's models and the drivers for them.
const MODELS: [(&str, &str); 5] = [
    ("usb-net", "cdc_ether"),
    ("virtio-net-pci", "virtio_net"),
    ("e1000e", "e1000e"),
    ("vmxnet3", "vmxnet3"),
    ("rtl8139", "8139cp"),
];
/// A model of QEMU 8.0 and later; Debian 12 has 7.2.
const IGB: (&str, &str) = ("igb", "igb");

/// The IPv4 addresses, with their interfaces.
const ADDRESSES: &str = "ip -4 -o address show | awk '$2 != \"lo\" { print $2, $4 }' | sort";

/// One interface per driver of the profile `generic`, each on a network of its own. The image is behind the first of them; the
/// others carry it too, once the OS runs.
fn by_driver(lab: &Lab) -> Result<()> {
    let models: Vec<_> = MODELS.into_iter().chain(vm::has_model(IGB.0)?.then_some(IGB)).collect();
    let site = Site::start(Image::Small)?;
    let initramfs = lab.own_initramfs(&["--profile", "generic"])?;
    let (mut node, mut words) = (lab.bare_node(&initramfs)?, site.parameters().replace("ip=dhcp ", ""));
    for (index, (model, _)) in models.iter().enumerate() {
        let network = format!("net=10.0.{0}.0/24,host=10.0.{0}.2,dhcpstart=10.0.{0}.15", index + 2);
        node = node.nic(Nic::user_with(&network).model(model));
        write!(words, " ifname=net{index}:{} ip=net{index}:dhcp", vm::mac(index))?;
    }
    let vm = boot(node.cmdline(&words))?;
    for (index, (model, driver)) in models.iter().enumerate() {
        let bound = vm.check(&format!("basename $(readlink /sys/class/net/net{index}/device/driver)"))?;
        same!(bound, *driver, "the driver of {model}");
        let address = vm.check(&format!("ip -4 -o address show dev net{index} | awk '{{ print $4 }}'"))?;
        same!(address, format!("10.0.{}.15/24", index + 2), "{model}");
        let url = site.server.guest_url("os.squashfs").replace("10.0.2.2", &format!("10.0.{}.2", index + 2));
        let fetched = vm.check(&format!("wget -q -O - {url} | sha256sum | cut -d ' ' -f 1"))?;
        same!(fetched, site.sha256, "the image through {model}");
    }
    Ok(())
}

/// Two interfaces on one segment, whose server gives an MTU of 9000. The one that the firmware booted from gets its lease later than
/// the other would, and is the one that the boot hands over.
fn on_one_segment(lab: &Lab) -> Result<()> {
    image_path(Image::Server)?;
    initramfs()?;
    let log = lab.log()?.with_extension("dhcp");
    Lan::apart(|lan| {
        let options = [
            "--dhcp-option=option:mtu,9000",
            "--dhcp-mac=set:late,52:54:00:77:00:02",
            "--dhcp-reply-delay=tag:late,1",
        ];
        lan.serve_dhcp(&log, &options)?;
        let site = Site::start(Image::Server)?;
        // Without host_mtu, virtio accepts any MTU; with it, this is the limit, and the MTU before DHCP.
        let nic = |nic: Nic| nic.model("virtio-net-pci,host_mtu=9216");
        let node = lab.bare_node(initramfs()?)?.nic(nic(lan.plug(1)?)).nic(nic(lan.plug(2)?));
        let vm = boot(node.cmdline(&format!("{} BOOTIF=01-52-54-00-77-00-02", site.parameters())))?;
        let own = lan::address(2);
        same!(vm.boot_json()?["node"]["address"], own);
        same!(settled(&vm, "eth1")?, "configured");
        // The image's own configuration may use the other interface in addition.
        let addresses = vm.check("ip -4 -o address show dev eth1 | awk '{ print $4 }'")?;
        same!(addresses, format!("{own}/24"));
        same!(vm.check("cat /sys/class/net/eth1/mtu")?, "9000");
        let leases = lan.leases()?;
        ensure!(leases.contains(&format!(" 52:54:00:77:00:02 {own} ")), "{leases}");
        Ok(())
    })
}

/// Two named interfaces with static addresses, on networks without a DHCP server that is asked.
fn with_static_addresses(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Server)?;
    let words = site.parameters().replace(
        "ip=dhcp",
        "ip=10.0.2.50::10.0.2.2:255.255.255.0:worker9:eth0:none ip=10.0.9.50:::255.255.255.0::eth1:none",
    );
    let second = Nic::user_with("restrict=on,net=10.0.9.0/24,host=10.0.9.2");
    let vm = boot(lab.bare_node(initramfs()?)?.nic(Nic::user()).nic(second).cmdline(&words))?;
    for interface in ["eth0", "eth1"] {
        same!(settled(&vm, interface)?, "configured", "{interface}");
    }
    same!(vm.check(ADDRESSES)?, "eth0 10.0.2.50/24\neth1 10.0.9.50/24");
    let default = vm.check("ip -4 route show default | awk '{ print $3, $5 }'")?;
    same!(default, "10.0.2.2 eth0");
    same!(vm.check("hostname")?, "worker9");
    Ok(())
}
