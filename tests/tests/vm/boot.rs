//! A node that boots from a server: the state of the booted system.

use std::fs;

use anyhow::{Result, ensure};
use dayfly_qemu::{image::Image, vm::Nic};

use crate::{
    Scenario,
    lab::{Lab, Site, attempts, boot, image_path, initramfs, shows, step},
    same,
    sources::{TOKEN, nobody_finds},
};

pub const SCENARIOS: &[Scenario] = &[
    ("http_dhcp", http_dhcp),
    ("http_erofs", http_erofs),
    ("https", https),
    ("static_ip", static_ip),
    ("kubelet_is_started", kubelet_is_started),
];

fn http_dhcp(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Debian)?;
    let bytes = fs::metadata(image_path(Image::Debian)?)?.len();
    let node = lab.bare_node(initramfs()?)?.nic(Nic::user_with("hostname=worker7,domainname=cluster.test"));
    let node = node.cmdline(&site.parameters()).cmdline("splash flavour=mayfly -- last");
    let node = node.smbios("type=1,uuid=3fa85f64-5717-4562-b3fc-2c963f66afa6,serial=S1");
    let vm = boot(node)?;

    let report = vm.boot_json()?;
    same!(report["outcome"], "handover");
    same!(step(&report, "fetch")?["bytes"], bytes);
    same!(step(&report, "verify")?["outcome"], "done");
    for row in report["steps"].as_array().into_iter().flatten() {
        let is_fine =
            ["done", "tolerated"].contains(&row["outcome"].as_str().unwrap_or("")) || row["step"] == "exec";
        ensure!(is_fine, "a step failed: {row}");
    }
    ensure!(
        vm.check("cat /run/dayfly/boot.log")?.contains("verify"),
        "boot.log does not have the verification"
    );
    let requests = site.server.requests()?;
    same!(requests.len(), 1, "requests to the server: {requests:?}");

    same!(vm.check("systemctl is-system-running --wait")?, "running");
    same!(vm.check("cat /proc/1/comm")?, "systemd");
    // The kernel passes parameters that it does not know to its init; the OS's init gets them as if Dayfly had not been started before.
    same!(vm.check("tr '\\0' ' ' </proc/1/cmdline")?, "/sbin/init splash last");
    same!(vm.check("tr '\\0' '\\n' </proc/1/environ | grep flavour")?, "flavour=mayfly");
    same!(vm.check("findmnt -no FSTYPE,PROPAGATION / | tr -s ' '")?, "overlay shared");
    let protected = vm.run("touch /usr/bin/x")?;
    ensure!(protected.text.contains("Read-only file system"), "/usr can be written: {protected:?}");
    vm.check("touch /etc/x /var/x /home/x /opt/x /usr/local/x /root/x /tmp/x")?;
    same!(vm.check("findmnt -no FSTYPE /var")?, "tmpfs", "/var without a state disk");
    ensure!(vm.console().contains("LABEL=state"), "nothing on the console says that there is no state disk");
    // An overlay on /var works, as container runtimes need it.
    vm.check("mkdir -p /var/o/{l,u,w,m} && mount -t overlay o -o lowerdir=/var/o/l,upperdir=/var/o/u,workdir=/var/o/w /var/o/m")?;
    // runc enters containers by pivot_root, which refuses to leave the kernel's own rootfs.
    let pivot = "unshare -m bash -c 'mkdir -p /tmp/r && mount --rbind / /tmp/r && cd /tmp/r && mkdir -p tmp/old && \
                 pivot_root . tmp/old && umount -l /tmp/old && echo pivoted'";
    same!(vm.check(pivot)?, "pivoted");

    same!(vm.check("hostname; cat /etc/hostname")?, "worker7\nworker7");
    ensure!(vm.check("cat /etc/hosts")?.contains("10.0.2.15"), "the node is not in its /etc/hosts");
    ensure!(
        vm.check("cat /etc/resolv.conf")?.contains("nameserver 10.0.2.3"),
        "resolv.conf lacks the name server"
    );
    same!(vm.check("tr -dc 0-9a-f </etc/machine-id | wc -c")?, "32", "digits of the machine-id");
    ensure!(
        vm.check("ip -4 -o address show scope global")?.contains("10.0.2.15/24"),
        "the address did not survive"
    );
    ensure!(vm.check("ip route show default")?.contains("via 10.0.2.2"), "the default route did not survive");
    // The image has a network service that does not start by itself.
    same!(vm.check("systemctl is-active systemd-networkd")?, "active");
    let card = vm.check("networkctl list --no-legend --no-pager | awk '$3 == \"ether\" { print $4, $5 }'")?;
    same!(card, "routable configured");
    // The password is part of the image; but a getty must ask for it.
    shows(&vm, "worker7 login: ")
}

fn http_erofs(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::DebianErofs)?;
    let vm = boot(lab.node()?.cmdline(&site.parameters()))?;
    same!(vm.check("findmnt -no FSTYPE --source /dev/loop0 | sort -u")?, "erofs");
    Ok(())
}

/// Image and settings over TLS: a server that is trusted this far may also send a secret.
fn https(lab: &Lab) -> Result<()> {
    let site = Site::start_tls(Image::Debian)?;
    let ca = site.server.ca().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    let settings = format!("version = 1\nfile.\"/etc/token\".secret = \"{TOKEN}\\n\"\n");
    site.write("node.toml", &settings)?;
    let served = site.folder().join("node.toml");
    let initramfs = lab.own_initramfs(&["--ca-bundle", &ca])?;
    let url = site.server.guest_url("node.toml");
    let node = lab.bare_node(&initramfs)?.nic(Nic::user()).cmdline(&site.parameters());
    let node = node.cmdline(&format!("dayfly.settings.url={url} dayfly.hostname=by-https"));
    let vm = boot(node.explain(&["--settings-url-file", &served.to_string_lossy()]))?;
    let report = vm.boot_json()?;
    ensure!(step(&report, "fetch")?["bytes"].as_u64() > Some(1 << 20), "nothing was fetched");
    same!(
        vm.check("hostname; cat /etc/token; stat -c '%a %U:%G' /etc/token")?,
        format!("by-https\n{TOKEN}\n600 root:root")
    );
    nobody_finds(&vm, TOKEN, "by-https")
}

fn static_ip(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Small)?;
    let url = site.server.guest_url("os.squashfs");
    let hash = &site.sha256;
    let vm = boot(lab.node()?.cmdline(&format!(
        "root=live:{url} ip=10.0.2.50::10.0.2.2:255.255.255.0:worker8:eth0:none nameserver=10.0.2.3 dayfly.image.sha256={hash}"
    )))?;
    ensure!(vm.check("ip -4 -o address show")?.contains("10.0.2.50/24"), "the address is not there");
    ensure!(vm.check("ip route show default")?.contains("via 10.0.2.2"), "the gateway is not there");
    same!(vm.check("hostname")?, "worker8");
    same!(vm.check("grep -c '^nameserver 10.0.2.3$' /etc/resolv.conf")?, "1");
    Ok(())
}

fn kubelet_is_started(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Debian)?;
    let words =
        "dayfly.kubelet.enabled=yes dayfly.kubelet.args=--v=2 dayfly.kubelet.args=--node-labels=rack=r1";
    let vm = boot(lab.node()?.cmdline(&site.parameters()).cmdline(words))?;
    same!(vm.check("systemctl is-active kubelet")?, "active");
    same!(attempts(&vm.boot_json()?, "kubelet").len(), 1);
    let console = vm.console();
    ensure!(
        console.contains(
            "FAKE-KUBELET started args: --hostname-override=node-525400123456 --v=2 --node-labels=rack=r1"
        ),
        "the kubelet did not get its arguments"
    );
    // Started in systemd's first transaction: it was not reloaded or started again later.
    same!(vm.check("systemctl show -p NRestarts --value kubelet")?, "0");
    Ok(())
}
