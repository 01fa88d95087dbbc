//! Nodes that boot like users' nodes: DHCP, a real iPXE, the script of `dayfly ipxe`, the files from `dayfly serve`.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use dayfly_qemu::{
    image::Image,
    lan::Lan,
    netboot::BootServer,
    server::HOST_FROM_GUEST,
    vm::{Nic, console_parameters, mac},
};

use crate::{
    Scenario,
    lab::{BOOT, Lab, dayfly, image_path, initramfs, kernel, ready, root, step},
    same,
};

pub const SCENARIOS: &[Scenario] = &[
    ("ipxe_bios", bios),
    ("ipxe_uefi_tries_again", uefi_tries_again),
    ("ipxe_after_uefi_pxe", after_uefi_pxe),
];
pub const RARE: &[Scenario] = &[("ipxe_after_uefi_http_boot", after_uefi_http_boot)];

/// The image's name, with characters that have a meaning for iPXE, the kernel and shells.
const IMAGE: &str = "os image #1 ${x}.squashfs";

/// Its path in a URL.
const IMAGE_PATH: &str = "/os%20image%20%231%20%24%7Bx%7D.squashfs";

/// The folder of Debian's package ipxe with the programs that firmware loads.
const PROGRAMS: &str = "/usr/lib/ipxe";

/// A boot server with all files of a node, for a user network.
fn site(lab: &Lab) -> Result<BootServer> {
    filled(BootServer::start(dayfly()?, &lab.log()?.with_extension("http"))?)
}

fn filled(server: BootServer) -> Result<BootServer> {
    server.add("vmlinuz", &kernel()?.image)?;
    server.add("initramfs.img", initramfs()?)?;
    server.add(IMAGE, &image_path(Image::Small)?)?;
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
    let cmdline = vm.check("cat /proc/cmdline")?;
    for word in [&format!(" BOOTIF=01-{hyphened} "), " note=\"two words\""] {
        ensure!(cmdline.contains(word), "{word:?} is not in: {cmdline}");
    }
    ensure!(
        cmdline.contains(&format!(" root=live:{} ", server.url(&IMAGE_PATH[1..]))),
        "no URL of the image in: {cmdline}"
    );
    same!(vm.check("hostname")?, format!("n-{hyphened}"));
    same!(step(&vm.boot_json()?, "verify")?["outcome"], "done");

    // Each file is requested once: three by iPXE, and the image by Dayfly.
    let requests: Vec<(String, u16, u64, bool)> = server
        .served()?
        .into_iter()
        .map(|line| (line.path, line.status, line.bytes, line.more.starts_with("iPXE/")))
        .collect();
    let bytes = |path: &Path| fs::metadata(path).map(|metadata| metadata.len());
    let script_bytes = requests.first().map_or(0, |line| line.2);
    let expected = [
        ("/boot.ipxe".to_owned(), 200, script_bytes, true),
        ("/vmlinuz".to_owned(), 200, bytes(&kernel()?.image)?, true),
        ("/initramfs.img".to_owned(), 200, bytes(initramfs()?)?, true),
        (IMAGE_PATH.to_owned(), 200, bytes(&image_path(Image::Small)?)?, false),
    ];
    same!(requests, expected);
    Ok(())
}

/// The initramfs is missing at first: the script does not give up, and the node boots when the file appears.
fn uefi_tries_again(lab: &Lab) -> Result<()> {
    let server = site(lab)?;
    let script = server.write_script(console_parameters()?)?;
    server.remove("initramfs.img")?;
    let vm = lab.netboot(&script)?.uefi().nic(Nic::user()).start()?;
    vm.expect("initramfs.img\\.\\.\\. No such file", BOOT)?;
    vm.expect("The boot failed; see the messages above\\.", BOOT)?;
    server.add("initramfs.img", initramfs()?)?;
    ready(&vm)?;
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

/// The firmware's PXE loads iPXE by TFTP.
fn after_uefi_pxe(lab: &Lab) -> Result<()> {
    after_firmware(lab, &[], "NBP filename is snponly\\.efi")
}

/// The firmware's HTTP boot loads iPXE from the test's server.
fn after_uefi_http_boot(lab: &Lab) -> Result<()> {
    // OVMF would try PXE first, and takes 80 s for each of IPv4 and IPv6 to give up.
    let without =
        ["IPv4PXESupport", "IPv6PXESupport"].map(|name| format!("name=opt/org.tianocore/{name},string=n"));
    let [v4, v6] = &without;
    after_firmware(lab, &["-fw_cfg", v4, "-fw_cfg", v6], "URI: http://.*/snponly\\.efi")
}

/// A card without iPXE, and dnsmasq with the configuration of the users' page.
fn after_firmware(lab: &Lab, qemu: &[&str], shows: &str) -> Result<()> {
    // Build everything before the scenario enters its own network.
    initramfs()?;
    image_path(Image::Small)?;
    Lan::apart(|lan| {
        let http = lab.log()?.with_extension("http");
        let server = filled(BootServer::start_at(dayfly()?, &http, HOST_FROM_GUEST, HOST_FROM_GUEST)?)?;
        server.add("snponly.efi", &Path::new(PROGRAMS).join("snponly.efi"))?;
        let script = server.write_script(console_parameters()?)?;
        let options = documented_dnsmasq(&server.url(""))?;
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        lan.serve_dhcp(&lab.log()?.with_extension("dhcp"), &options)?;
        let node = lab.netboot(&script)?.uefi().qemu(qemu);
        let vm = node.nic(lan.plug(1)?.without_rom()).start()?;
        vm.expect(shows, BOOT)?;
        ready(&vm)
    })
}

/// The options of dnsmasq on the page, for another server than the page's; the network sets interface and range itself.
fn documented_dnsmasq(url: &str) -> Result<Vec<String>> {
    let page = fs::read_to_string(root()?.join("docs/how-to/ipxe.md")).context("cannot read the page")?;
    let block = page.split_once("```ini\n").and_then(|(_, rest)| rest.split_once("```"));
    let (block, _) = block.context("the page has no configuration of dnsmasq")?;
    let lines = block.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let lines = lines.filter(|line| !line.starts_with("interface=") && !line.starts_with("dhcp-range="));
    Ok(lines.map(|line| format!("--{}", line.replace("http://192.0.2.1:8080/", url))).collect())
}
