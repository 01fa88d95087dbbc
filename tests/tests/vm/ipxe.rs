//! Nodes that boot as users' nodes do: DHCP, a real iPXE, the script of `dayfly ipxe`, the files from `dayfly serve`.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use dayfly_qemu::{
    command::run,
    image::Image,
    netboot::BootServer,
    vm::{Nic, Vm, console_parameters, mac},
};
use serde_json::Value;

use crate::{
    Scenario,
    lab::{BOOT, Lab, dayfly, image_path, initramfs, kernel, ready, step},
    same,
};

pub const SCENARIOS: &[Scenario] = &[("ipxe_bios", bios), ("ipxe_uefi_tries_again", uefi_tries_again)];

/// The image's name: nothing of it may be read by iPXE, by the kernel or by a shell.
const IMAGE: &str = "os image #1 ${x}.squashfs";

/// Its path in a URL.
const IMAGE_PATH: &str = "/os%20image%20%231%20%24%7Bx%7D.squashfs";

/// A boot server with all that a node needs.
fn site(lab: &Lab) -> Result<BootServer> {
    let server = BootServer::start(dayfly()?, &lab.log()?.with_extension("http"))?;
    server.add("vmlinuz", &kernel()?.image)?;
    server.add("initramfs.img", initramfs()?)?;
    server.add(IMAGE, &image_path(Image::Debian)?)?;
    Ok(server)
}

/// The second card is the one that boots, so `BOOTIF=` must name it and not the first.
fn bios(lab: &Lab) -> Result<()> {
    let server = site(lab)?;
    let words =
        format!("{} dayfly.hostname=n-${{netX/mac:hexhyp}} note=\"two words\"", console_parameters()?);
    let script = server.write_script(&words)?;
    let node = lab.netboot(&script)?.nic(Nic::silent()).nic(Nic::user());
    let vm = node.start()?;
    ready(&vm)?;
    let hyphened = mac(1).replace(':', "-");
    let cmdline = explained(&vm)?;
    for word in [&format!(" BOOTIF=01-{hyphened} "), " ip=dhcp ", " note=\"two words\""] {
        ensure!(cmdline.contains(word), "{word:?} is not in: {cmdline}");
    }
    ensure!(
        cmdline.contains(&format!(" root=live:{} ", server.url(&IMAGE_PATH[1..]))),
        "no URL of the image in: {cmdline}"
    );
    same!(vm.check("hostname")?, format!("n-{hyphened}"));

    // Each file once: the three that iPXE loads, and the image, which iPXE does not.
    let served: Vec<(String, u16, u64, bool)> = server
        .served()?
        .into_iter()
        .map(|line| (line.path, line.status, line.bytes, line.more.starts_with("iPXE/")))
        .collect();
    let bytes = |path: &std::path::Path| fs::metadata(path).map(|metadata| metadata.len());
    let script_bytes = served.first().map_or(0, |line| line.2);
    let expected = [
        ("/boot.ipxe".to_owned(), 200, script_bytes, true),
        ("/vmlinuz".to_owned(), 200, bytes(&kernel()?.image)?, true),
        ("/initramfs.img".to_owned(), 200, bytes(initramfs()?)?, true),
        (IMAGE_PATH.to_owned(), 200, bytes(&image_path(Image::Debian)?)?, false),
    ];
    same!(served, expected);
    Ok(())
}

/// The initramfs is not there at first: the script does not give up, and the node starts by itself when it is.
fn uefi_tries_again(lab: &Lab) -> Result<()> {
    let server = site(lab)?;
    let script = server.write_script(console_parameters()?)?;
    server.remove("initramfs.img")?;
    let vm = lab.netboot(&script)?.uefi().nic(Nic::user()).start()?;
    vm.expect("initramfs.img\\.\\.\\. No such file", BOOT)?;
    vm.expect("The boot failed; what went wrong stands above\\.", BOOT)?;
    server.add("initramfs.img", initramfs()?)?;
    ready(&vm)?;
    explained(&vm)?;
    vm.check("test -d /sys/firmware/efi").context("the machine did not start by UEFI")?;
    let statuses: Vec<(String, u16)> =
        server.served()?.into_iter().map(|line| (line.path, line.status)).collect();
    let row = |path: &str, status| (path.to_owned(), status);
    let expected = [
        row("/boot.ipxe", 200),
        row("/vmlinuz", 200),
        row("/initramfs.img", 404),
        row("/vmlinuz", 200),
        row("/initramfs.img", 200),
        row(IMAGE_PATH, 200),
    ];
    same!(statuses, expected);
    Ok(())
}

/// The command line that the node got. The plan that it ran must be the one that `dayfly explain` makes of it.
fn explained(vm: &Vm) -> Result<String> {
    let cmdline = vm.check("cat /proc/cmdline")?;
    let text =
        run("dayfly explain", Command::new(dayfly()?).args(["explain", "--json", "--cmdline", &cmdline]))?;
    let told: Value = serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))?;
    let report = vm.boot_json()?;
    same!(report["plan"], told["plan"], "the plan that ran, and the one that is explained");
    same!(step(&report, "verify")?["outcome"], "done");
    Ok(cmdline)
}
