//! Servers and images that are wrong, and defects of the init itself.

use std::time::Duration;

use anyhow::{Result, ensure};
use dayfly_qemu::{
    image::Image,
    proxy::{Fault, FaultProxy},
    vm::{Ending, Nic},
};

use crate::{
    Scenario,
    lab::{BOOT, Lab, Site, attempts, boot, fails, fault_initramfs, ready, step},
    same, turns,
};

/// An offset well inside the test image, which has twice as many bytes.
const MIDDLE: u64 = 500_000;

pub const SCENARIOS: &[Scenario] = &[
    ("wrong_hash", wrong_hash),
    ("one_byte_flipped", one_byte_flipped),
    ("http_404", http_404),
    ("nobody_listens", nobody_listens),
    ("server_comes_up_late", server_comes_up_late),
    ("connection_cut_midway", connection_cut_midway),
    ("server_stalls_midway", server_stalls_midway),
    ("image_larger_than_ram", image_larger_than_ram),
    ("no_init_in_the_image", no_init_in_the_image),
    ("untrusted_https", untrusted_https),
    ("panic_inside_a_step", panic_inside_a_step),
    ("hang_inside_a_step", hang_inside_a_step),
    ("process_1_ends", process_1_ends),
    ("nothing_says_which_image", nothing_says_which_image),
];

fn wrong_hash(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::NoInit)?;
    let wrong = "0".repeat(64);
    let url = site.server.guest_url("os.squashfs");
    let console = fails(
        lab.node()?.cmdline(&format!("root=live:{url} ip=dhcp dayfly.image.sha256={wrong} panic=2")),
        "image.hash-mismatch",
    )?;
    ensure!(
        console.contains(&site.sha256) && console.contains(&wrong),
        "the console does not have both hashes"
    );
    Ok(())
}

fn one_byte_flipped(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Small)?;
    let proxy = FaultProxy::start(site.server.port(), Fault::Flip(MIDDLE), u32::MAX)?;
    let parameters = site.parameters_for(&proxy.guest_url("os.squashfs"));
    fails(lab.node()?.cmdline(&parameters).cmdline("panic=2 rd.retry=10"), "image.hash-mismatch")?;
    Ok(())
}

fn http_404(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::NoInit)?;
    let url = site.server.guest_url("missing.squashfs");
    let console = fails(
        lab.node()?.cmdline(&format!("root=live:{url} ip=dhcp rd.retry=5 panic=2")),
        "image.http-status",
    )?;
    ensure!(
        console.contains("404") && console.contains(&url),
        "the console does not have the status and the URL"
    );
    ensure!(
        site.server.requests()?.iter().all(|request| request.status == 404),
        "another request than expected"
    );
    Ok(())
}

fn nobody_listens(lab: &Lab) -> Result<()> {
    let site = Site::prepare(Image::NoInit)?;
    let console =
        fails(lab.node()?.cmdline(&site.parameters()).cmdline("rd.retry=8 panic=2"), "image.connect")?;
    ensure!(console.contains("trying again in"), "the console does not announce a retry");
    Ok(())
}

fn server_comes_up_late(lab: &Lab) -> Result<()> {
    let mut site = Site::prepare(Image::Small)?;
    let vm = lab.node()?.cmdline(&site.parameters()).start()?;
    vm.expect("fetch: .*trying again in", BOOT)?;
    turns::pause(Duration::from_secs(20));
    site.server.up()?;
    ready(&vm)?;
    let report = vm.boot_json()?;
    let fetches = attempts(&report, "fetch");
    ensure!(fetches.len() > 2, "only {} attempts", fetches.len());
    same!(fetches[0]["failure"]["code"], "image.connect");
    same!(step(&report, "fetch")?["outcome"], "done");
    Ok(())
}

fn connection_cut_midway(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Small)?;
    let proxy = FaultProxy::start(site.server.port(), Fault::Cut(MIDDLE), 1)?;
    let vm = boot(lab.node()?.cmdline(&site.parameters_for(&proxy.guest_url("os.squashfs"))))?;
    same!(proxy.struck(), 1, "connections cut");
    let report = vm.boot_json()?;
    let fetches = attempts(&report, "fetch");
    same!(fetches.len(), 2, "attempts to fetch");
    same!(fetches[0]["failure"]["code"], "image.cut");
    let requests = site.server.requests()?;
    let resumed =
        requests.iter().filter(|request| request.status == 206 && request.range.starts_with("bytes="));
    same!(resumed.count(), 1, "requests for the rest, of {requests:?}");
    Ok(())
}

fn server_stalls_midway(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Small)?;
    let proxy = FaultProxy::start(site.server.port(), Fault::Stall(MIDDLE), 1)?;
    let parameters = site.parameters_for(&proxy.guest_url("os.squashfs"));
    let vm = boot(lab.node()?.cmdline(&parameters).cmdline("dayfly.image.stall=5"))?;
    let report = vm.boot_json()?;
    same!(attempts(&report, "fetch")[0]["failure"]["code"], "image.stalled");
    Ok(())
}

fn image_larger_than_ram(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Big)?;
    let url = site.server.guest_url("os.squashfs");
    let node = lab.node()?.memory(512).cmdline(&format!("root=live:{url} ip=dhcp panic=2"));
    let console = fails(node, "image.too-large")?;
    ensure!(!console.contains("Out of memory"), "the kernel ran out of memory before");
    let sent: u64 = site.server.requests()?.iter().map(|request| request.bytes).sum();
    ensure!(sent < 50_000_000, "{sent} bytes were sent before the refusal");
    Ok(())
}

fn no_init_in_the_image(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::NoInit)?;
    let console = fails(lab.node()?.cmdline(&site.parameters()).cmdline("panic=2"), "handover.no-init")?;
    ensure!(console.contains("/sbin/init"), "the console does not name the missing init");
    Ok(())
}

fn untrusted_https(lab: &Lab) -> Result<()> {
    let site = Site::start_tls(Image::NoInit)?;
    fails(lab.node()?.cmdline(&site.parameters()).cmdline("rd.retry=5 panic=2"), "image.tls")?;
    same!(site.server.requests()?.len(), 0, "requests to a server without a trusted certificate");
    Ok(())
}

fn panic_inside_a_step(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::NoInit)?;
    let node = lab.bare_node(fault_initramfs()?)?.nic(Nic::user()).cmdline(&site.parameters());
    let console = fails(node.cmdline("dayfly.fault=panic:fetch rd.retry=5 panic=2"), "init.panic")?;
    ensure!(console.contains("an injected fault"), "the panic's own words are not shown");
    Ok(())
}

fn hang_inside_a_step(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::NoInit)?;
    let node = lab.bare_node(fault_initramfs()?)?.nic(Nic::user()).cmdline(&site.parameters());
    fails(node.cmdline("dayfly.fault=hang:image panic=2"), "step.deadline")?;
    Ok(())
}

/// Even if process 1 itself ends, the node restarts: the init sets the kernel's panic timeout before anything else.
fn process_1_ends(lab: &Lab) -> Result<()> {
    let node = lab.bare_node(fault_initramfs()?)?.cmdline("root=LABEL=os dayfly.fault=exit:drivers");
    let mut vm = node.start()?;
    vm.expect("Kernel panic - not syncing: Attempted to kill init!", BOOT)?;
    vm.expect("Rebooting in 10 seconds", Duration::from_secs(20))?;
    same!(vm.wait_end(Duration::from_secs(60))?, Ending::Reset, "the end after the kernel's panic");
    Ok(())
}

fn nothing_says_which_image(lab: &Lab) -> Result<()> {
    fails(lab.node()?.cmdline("ip=dhcp panic=2"), "config.no-image")?;
    Ok(())
}
