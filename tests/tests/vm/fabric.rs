//! Nodes on networks that are not one cable with DHCPv4: IPv6 alone, VLANs, bonds, several addresses.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dayfly_qemu::{
    image::Image,
    vm::{Drive, Nic, Vm},
};

use crate::{
    Scenario,
    lab::{Lab, Site, boot, image_path, initramfs, ready, step},
    same,
};

pub const SCENARIOS: &[Scenario] = &[("ipv6_only", ipv6_only), ("vlan_on_lacp", vlan_on_lacp)];

/// The state of an interface in systemd-networkd, when it has settled.
pub fn settled(vm: &Vm, interface: &str) -> Result<String> {
    let script = format!(
        "for i in $(seq 60); do state=$(networkctl --no-legend list {interface} | awk '{{ print $5 }}'); \
         [ \"$state\" = configured ] && break; sleep 0.5; done; echo $state"
    );
    vm.check(&script)
}

/// Router advertisements of QEMU's user network, and no IPv4 at all. No parameter asks for IPv6.
fn ipv6_only(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Server)?;
    let url = site.server.guest_url_v6("os.squashfs");
    let node = lab.bare_node(initramfs()?)?.nic(Nic::user_with("ipv4=off"));
    let vm = boot(node.cmdline(&site.parameters_for(&url).replace("ip=dhcp ", "")))?;
    let report = vm.boot_json()?;
    let address = report["node"]["address"].as_str().context("no address")?.to_owned();
    ensure!(address.starts_with("fec0::"), "{address}");
    let network = step(&report, "network")?["detail"].to_string();
    ensure!(network.contains("(slaac)"), "{network}");
    same!(settled(&vm, "eth0")?, "configured");
    // The user network's addresses are site-local.
    let has = vm.check("ip -6 -o address show dev eth0 | awk '{ print $4 }'")?;
    ensure!(has.lines().any(|one| one == format!("{address}/64")), "{address} is not in {has}");
    same!(vm.check("ip -4 -o address show scope global")?, "", "an IPv4 address");
    Ok(())
}

/// A node on a VLAN of a bond with LACP. The other end of its two cables is a node too, with the image and a DHCP server of one address:
/// a second lease would not be granted.
fn vlan_on_lacp(lab: &Lab) -> Result<()> {
    const BOND: &str = "bond=bond0:eth0,eth1:mode=802.3ad,miimon=100,lacp_rate=fast vlan=vlan5:bond0";
    let folder = tempfile::tempdir()?;
    // A bond with LACP takes no port whose speed it does not know.
    let cable =
        |name| Nic::cable(folder.path(), name).map(|end| end.model("virtio-net-pci,speed=1000,duplex=full"));
    let [[a0, b0], [a1, b1]] = ["first", "second"].map(cable);
    let partner = lab.bare_node(initramfs()?)?.log(lab.log()?.with_extension("partner.log")).memory(768);
    let partner = partner.nic(b0.mac("52:54:00:77:00:01")).nic(b1.mac("52:54:00:77:00:02"));
    let partner = partner.drive(Drive::read_only(image_path(Image::OnLabelledDisk)?));
    let partner = partner
        .drive(Drive::read_only(image_path(Image::Server)?))
        .cmdline(&format!("root=live:LABEL=images rd.neednet=1 {BOND} ip=10.5.0.1:::24::vlan5:none"));
    let partner = boot(partner)?;
    partner.check(
        "set -e; mkdir -p /run/www; cat /dev/vdb >/run/www/os; cd /run
         printf 'start 10.5.0.20\nend 10.5.0.20\ninterface vlan5\nlease_file /run/leases\npidfile /run/udhcpd.pid\n' >udhcpd.conf
         printf 'option subnet 255.255.255.0\noption router 10.5.0.1\noption lease 3600\n' >>udhcpd.conf; : >leases
         busybox udhcpd udhcpd.conf; busybox httpd -p 80 -h /run/www",
    )?;

    let node = lab.bare_node(initramfs()?)?.nic(a0).nic(a1).memory(768);
    let vm = node.cmdline(&format!("root=live:http://10.5.0.1/os {BOND} ip=vlan5:dhcp")).start()?;
    ready(&vm)?;
    let report = vm.boot_json()?;
    same!(report["node"]["address"], "10.5.0.20");
    // Both cables are in one aggregate with the partner.
    let bond = vm.check("cat /proc/net/bonding/bond0")?;
    ensure!(bond.contains("IEEE 802.3ad") && bond.contains("Number of ports: 2"), "{bond}");
    ensure!(!bond.contains("Partner Mac Address: 00:00:00:00:00:00"), "{bond}");
    for interface in ["vlan5", "bond0"] {
        same!(settled(&vm, interface)?, "configured", "{interface}");
    }
    // The network service has not taken the ports out for a moment.
    same!(
        vm.check("grep -c 'Link Failure Count: 0' /proc/net/bonding/bond0")?,
        "2",
        "ports without a failure"
    );
    let address = "ip -4 -o address show | awk '$2 != \"lo\" { print $2, $4 }'";
    same!(vm.check(address)?, "vlan5 10.5.0.20/24");
    // Without one of the cables, the node is reached all the same.
    vm.set_link(0, false)?;
    std::thread::sleep(Duration::from_secs(2));
    let head =
        "exec 3<>/dev/tcp/10.5.0.1/80; printf 'HEAD /os HTTP/1.0\\r\\n\\r\\n' >&3; timeout 10 head -n 1 <&3";
    same!(vm.check(head)?, "HTTP/1.1 200 OK");
    Ok(())
}
