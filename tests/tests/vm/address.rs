//! The node's address when the OS runs: the OS's network service keeps it, and requests no second one.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use dayfly_qemu::{
    image::Image,
    lan::{self, Lan},
    vm::{Ending, Vm},
};
use dayfly_tests::docs::block;

use crate::{
    Scenario,
    lab::{Lab, Site, boot, image_path, initramfs, step},
    openrc, same, turns,
};

pub const SCENARIOS: &[Scenario] = &[
    ("address_networkd", networkd),
    ("address_networkd_static", networkd_static),
    ("address_ifupdown", ifupdown),
];
pub const RARE: &[Scenario] =
    &[("address_ifupdown_static", ifupdown_static), ("address_ifupdown_systemd", ifupdown_systemd)];

/// Longer than a boot takes on a busy host: nothing renews a lease before the OS does.
const LEASE: Duration = Duration::from_secs(240);
/// Leases of that time from the LAN's own range, with early renewal.
const SHORT_LEASES: [&str; 2] =
    ["--dhcp-range=10.0.2.11,10.0.2.19,255.255.255.0,4m", "--dhcp-option=option:T1,30"];
/// The IPv4 addresses and default routes.
const ADDRESSES: &str = "ip -4 -o address show scope global | awk '{ print $4 }'";
const DEFAULT_ROUTES: &str = "ip -4 route show default | awk '{ print $3 }'";

fn networkd(lab: &Lab) -> Result<()> {
    let by = "systemd-networkd renews 10.0.2.11/24 (leased for 240 s) with 00-dayfly-";
    outlives_its_lease(lab, Image::Server, by, |vm| {
        is_online(vm)?;
        documented(vm, "on a node with systemd-networkd", "routable (configured)")
    })
}

fn networkd_static(lab: &Lab) -> Result<()> {
    asks_for_nothing(lab, Image::Server, "systemd-networkd keeps 10.0.2.50/24 with 00-dayfly-", is_online)
}

/// The step's result when ifupdown has the lease.
const IFUPDOWN: &str = "ifupdown and dhclient renew 10.0.2.11/24 (leased for 240 s)";

/// The number of DHCP clients.
const CLIENTS: &str = "cat /proc/[0-9]*/comm | grep -cx dhclient";

/// With Debian's OpenRC.
fn ifupdown(lab: &Lab) -> Result<()> {
    outlives_its_lease(lab, Image::OpenRc, IFUPDOWN, |vm| {
        openrc::healthy(vm)?;
        is_renewed(vm)?;
        documented(vm, "on a node with ifupdown", "option dhcp-lease-time 240;")
    })
}

fn ifupdown_systemd(lab: &Lab) -> Result<()> {
    outlives_its_lease(lab, Image::Ifupdown, IFUPDOWN, |vm| {
        same!(vm.check("systemctl is-system-running --wait")?, "running");
        same!(vm.check("systemctl is-active networking")?, "active");
        is_renewed(vm)
    })
}

/// Runs the commands that the user's page recommends, and checks their output.
fn documented(vm: &Vm, title: &str, shows: &str) -> Result<()> {
    let commands = block("docs/how-to/network-handover.md", title).text;
    let said = vm.check(&format!("export PAGER=cat\nset -e\n{commands}"))?;
    ensure!(said.contains(shows), "{shows:?} is not in the output of: {commands}\n{said}");
    Ok(())
}

/// ifupdown has the interface by Dayfly's stanza, and one dhclient runs.
fn is_renewed(vm: &Vm) -> Result<()> {
    same!(vm.check("ifquery --state eth0")?, "eth0=dayfly");
    same!(vm.check(CLIENTS)?, "1");
    Ok(())
}

fn ifupdown_static(lab: &Lab) -> Result<()> {
    let by = "10.0.2.50/24 stays: ifupdown does not need to renew it";
    asks_for_nothing(lab, Image::OpenRc, by, |vm| {
        openrc::healthy(vm)?;
        same!(vm.run(CLIENTS)?.text, "0\n");
        Ok(())
    })
}

/// Without a lease, no program may request one.
fn asks_for_nothing(lab: &Lab, image: Image, by: &str, healthy: fn(&Vm) -> Result<()>) -> Result<()> {
    image_path(image)?;
    initramfs()?;
    let log = lab.log()?.with_extension("dhcp");
    Lan::apart(|lan| {
        lan.serve_dhcp(&log, &SHORT_LEASES)?;
        let site = Site::start(image)?;
        let node = lab.bare_node(initramfs()?)?.nic(lan.plug(1)?).cmdline(&format!(
            "root=live:{} ip=10.0.2.50::10.0.2.2:255.255.255.0:worker8:eth0:none nameserver=10.0.2.2 dayfly.image.sha256={}",
            site.server.guest_url("os.squashfs"),
            site.sha256
        ));
        let vm = boot(node)?;
        handed_over(&vm, by)?;
        healthy(&vm)?;
        same!(vm.check(ADDRESSES)?, "10.0.2.50/24");
        same!(vm.check(DEFAULT_ROUTES)?, "10.0.2.2");
        vm.check("bash -c '</dev/tcp/10.0.2.2/53'")?;
        let asked: Vec<String> = messages(&log)?;
        same!(asked, Vec::<String>::new(), "requests to the DHCP server");
        Ok(())
    })
}

/// The step reports which service has the address now.
fn handed_over(vm: &Vm, by: &str) -> Result<()> {
    let report = vm.boot_json()?;
    let row = step(&report, "address")?;
    same!(row["outcome"], "done", "{row}");
    ensure!(row["detail"].as_str().is_some_and(|detail| detail.starts_with(by)), "{row}");
    Ok(())
}

/// networkd has the interface, is online at once, and logs no complaints.
fn is_online(vm: &Vm) -> Result<()> {
    same!(vm.check("systemctl is-system-running --wait")?, "running");
    vm.check("/lib/systemd/systemd-networkd-wait-online --timeout=10")?;
    let card = vm.check("networkctl list --no-legend --no-pager | awk '$3 == \"ether\" { print $4, $5 }'")?;
    same!(card, "routable configured");
    let complaints = "journalctl -q -b -o cat -p warning -u systemd-networkd -u systemd-networkd-wait-online";
    same!(vm.check(complaints)?, "");
    Ok(())
}

/// A node keeps its address without a gap, by one lease, for longer than the lease of the boot, and does not release it when it
/// goes down.
fn outlives_its_lease(lab: &Lab, image: Image, by: &str, healthy: fn(&Vm) -> Result<()>) -> Result<()> {
    // Build everything before the scenario enters its own network.
    image_path(image)?;
    initramfs()?;
    let log = lab.log()?.with_extension("dhcp");
    Lan::apart(|lan| {
        lan.serve_dhcp(&log, &SHORT_LEASES)?;
        let site = Site::start(image)?;
        let mut vm = boot(lab.bare_node(initramfs()?)?.nic(lan.plug(1)?).cmdline(&site.parameters()))?;
        let booted = Instant::now();
        // Record every change of an address from here on.
        vm.check("ip -o monitor address >/run/changes 2>&1 & disown")?;
        handed_over(&vm, by)?;
        healthy(&vm)?;
        let own = format!("{}/24", lan::address(1));
        let as_it_should = |when: &str| {
            same!(vm.check(ADDRESSES)?, own, "the addresses {when}");
            same!(vm.check(DEFAULT_ROUTES)?, "10.0.2.2", "the default routes {when}");
            Ok(())
        };
        as_it_should("after the boot")?;
        same!(vm.boot_json()?["node"]["address"], lan::address(1));
        let left = (LEASE + Duration::from_secs(10)).saturating_sub(booted.elapsed());
        turns::pause(left);
        as_it_should("when the boot's lease is over")?;
        same!(vm.check("grep ^Deleted /run/changes || true")?, "", "addresses that went away");
        healthy(&vm)?;
        vm.run_unattended("poweroff")?;
        same!(vm.wait_end(Duration::from_secs(90))?, Ending::PowerOff);

        let asked = messages(&log)?;
        let count = |kind: &str| asked.iter().filter(|message| message.starts_with(kind)).count();
        same!(count("DHCPDISCOVER"), 1, "searches for a server: {asked:#?}");
        ensure!(count("DHCPREQUEST") >= 4, "the lease was not renewed: {asked:#?}");
        same!(count("DHCPNAK") + count("DHCPRELEASE") + count("DHCPDECLINE"), 0, "{asked:#?}");
        let leases = lan.leases()?;
        let rows: Vec<Vec<&str>> = leases.lines().map(|line| line.split_whitespace().collect()).collect();
        same!(rows.len(), 1, "leases: {leases}");
        let row = rows.first().context("no lease")?;
        same!(row.get(1..3), Some(&["52:54:00:77:00:01", "10.0.2.11"][..]));
        same!(row.get(4), Some(&"01:52:54:00:77:00:01"), "the client's identifier");
        Ok(())
    })
}

/// The DHCP messages of nodes, as dnsmasq's log has them.
fn messages(log: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(log)?;
    let kinds = ["DHCPDISCOVER(", "DHCPREQUEST(", "DHCPRELEASE(", "DHCPDECLINE(", "DHCPINFORM(", "DHCPNAK("];
    let found =
        |line: &str| kinds.iter().find_map(|kind| line.find(kind)).map(|at| line.split_at(at).1.to_owned());
    Ok(text.lines().filter_map(found).collect())
}
