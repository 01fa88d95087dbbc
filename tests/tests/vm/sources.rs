//! Settings from every source, all real: the image, the initramfs, nginx, disks, SMBIOS, fw_cfg, the kernel command line.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use dayfly_qemu::{
    image::{self, IMAGE_SETTINGS, Image},
    vm::{Drive, Nic, Vm},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Scenario,
    lab::{BOOT, Lab, Site, boot, fails, step},
    same,
};

pub const SCENARIOS: &[Scenario] = &[
    ("settings_from_every_place", settings_from_every_place),
    ("settings_on_a_cd_name_the_image", settings_on_a_cd_name_the_image),
    ("settings_url_is_a_must", settings_url_is_a_must),
];

/// From the lowest precedence to the highest.
const PLACES: [&str; 7] = ["image", "initramfs", "url", "config", "smbios", "fw_cfg", "cmdline"];
const UUID: &str = "4c4c4544-0051-4410-8052-b4c04f4e4d32";
/// A secret, or a comment in the settings files: no search in the OS may find it.
pub const TOKEN: &str = "t0ken-of-nobody";

/// A settings file that sets the size of a tmpfs for its source and all higher ones: as many MiB as the source's rank.
fn layer(place: usize) -> String {
    let entries = PLACES[place..].iter().map(|name| format!("\"/srv/{name}\" = \"tmpfs({}M)\"\n", place + 1));
    format!("version = 1\n# {TOKEN}\n[layout]\n{}", entries.collect::<String>())
}

/// Files for one scenario, by name.
struct Files(TempDir);

impl Files {
    fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    fn write(&self, name: &str, text: &str) -> Result<String> {
        let path = self.0.path().join(name);
        fs::write(&path, text)?;
        Ok(path.to_string_lossy().into_owned())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }
}

fn setting(report: &Value, name: &str) -> Result<(String, String)> {
    let rows = report["settings"].as_array().context("boot.json has no settings")?;
    let row = rows.iter().find(|row| row["name"] == name).with_context(|| format!("no setting {name}"))?;
    let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
    Ok((text("value"), text("source")))
}

fn settings_from_every_place(lab: &Lab) -> Result<()> {
    let files = Files::new()?;
    let rules = "[[match]]\nwhen = { mac = \"52:54:00:12:34:56\" }\nfailure.pause = 7\n\
        [[match]]\nwhen = { mac = \"52:54:00:12:34:57\" }\nfailure.pause = 8\n\
        [[match]]\nwhen = { uuid = \"4C4C4544-0051-4410-8052-B4C04F4E4D32\", hostname = \"worker-[a-z]*\" }\nreport_wait = 9\n";
    // Over plain HTTP a layout is accepted only if the initramfs allows it.
    let free = layer(1).replace("[layout]", "settings.trust = \"any\"\n[layout]");
    let own = files.write("initramfs.toml", &format!("{free}{rules}"))?;
    let site = Site::start(Image::WithSettings)?;
    let page = format!("nodes/52:54:00:12:34:56/{UUID}/SN%2042.toml");
    site.write(&page.replace("%20", " "), &layer(2))?;
    files.write("dayfly.toml", &layer(3))?;
    let disk = files.path("config.vfat");
    image::vfat_with(Path::new(&disk), "CONFIG", &[("dayfly.toml", Path::new(&files.path("dayfly.toml")))])?;
    let smbios = files.write("smbios.toml", &layer(4))?;
    let fw_cfg = files.write("fw_cfg.toml", &layer(5))?;
    let other = files.write("other", TOKEN)?;
    let url = site.server.guest_url("nodes/${mac}/${uuid}/${serial}.toml");

    let node = lab
        .bare_node(&lab.own_initramfs(&["--settings", &own])?)?
        .nic(Nic::user())
        .drive(Drive::snapshot(&disk))
        .smbios(&format!("type=1,uuid={UUID},serial=SN 42"))
        .smbios("type=11,value=io.systemd.credential:dayfly.hostname=worker-smbios")
        .smbios(&format!("type=11,value=io.systemd.credential.binary:dayfly.toml={}", base64(&smbios)?))
        .fw_cfg("opt/io.systemd.credentials/dayfly.toml", Path::new(&fw_cfg))
        .fw_cfg("opt/io.systemd.credentials/somebody.else", Path::new(&other))
        .cmdline(&site.parameters())
        .cmdline(&format!("dayfly.settings.url={url} dayfly.layout./srv/cmdline=tmpfs(7M)"));
    let image = files.write("image.toml", IMAGE_SETTINGS)?;
    let served = files.write("url.toml", &layer(2))?;
    let config = files.path("dayfly.toml");
    let credential = format!("dayfly.toml=@{fw_cfg}");
    let node =
        node.explain(&["--image-settings", &image, "--settings", &own, "--settings-url-file", &served]);
    let node =
        node.explain(&["--config", &config, "--credential", &credential, "--mac", "52:54:00:12:34:56"]);

    let mut vm = node.start()?;
    same!(vm.wait_ready(BOOT)?.failed, "none", "failed services");
    let table = files.path("DMI");
    fs::write(&table, decode(&vm.check("base64 -w0 /sys/firmware/dmi/tables/DMI")?)?)?;
    vm.explain(&["--smbios", &table]);
    // The plan and every setting are those that `dayfly explain` makes from the same inputs.
    let report = vm.boot_json()?;
    same!(report["problems"].as_array().map(Vec::len), Some(0), "{}", report["problems"]);
    for (place, name) in (1..).zip(PLACES) {
        let source = match name {
            "url" => "url (no TLS)",
            "config" => "/config",
            "smbios" => "smbios dayfly.toml",
            "fw_cfg" => "fw_cfg dayfly.toml",
            "cmdline" => "cmdline dayfly.layout./srv/cmdline=",
            other => other,
        };
        let expected = (format!("tmpfs({})", place << 20), source.to_owned());
        same!(setting(&report, &format!("layout./srv/{name}"))?, expected, "{name}");
        let mounted = vm.check(&format!("findmnt -no FSTYPE,SIZE /srv/{name}"))?;
        same!(mounted.split_whitespace().collect::<Vec<_>>(), ["tmpfs", &format!("{place}M")], "{name}");
    }
    same!(setting(&report, "failure.pause")?, ("7".to_owned(), "initramfs, match 1".to_owned()));
    same!(setting(&report, "report_wait")?, ("9".to_owned(), "initramfs, match 3".to_owned()));
    same!(setting(&report, "hostname")?, ("worker-smbios".to_owned(), "smbios dayfly.hostname".to_owned()));
    same!(vm.check("hostname")?, "worker-smbios");
    let asked: Vec<String> = site.server.requests()?.into_iter().map(|request| request.uri).collect();
    same!(asked, [format!("/{page}"), "/os.squashfs".to_owned()]);
    // Dayfly reads the same values from SMBIOS as the kernel.
    same!(
        vm.check("cat /sys/class/dmi/id/product_uuid /sys/class/dmi/id/product_serial")?,
        format!("{UUID}\nSN 42")
    );

    out_of_reach(&vm, "/dev/vda")?;
    nobody_finds(&vm, TOKEN, "worker-smbios")
}

/// The settings disk is in no mount table, no process has it open, and it can be opened exclusively.
fn out_of_reach(vm: &Vm, disk: &str) -> Result<()> {
    same!(vm.run(&format!("grep -e {disk} -e /run/dayfly/config /proc/*/mountinfo"))?.status, 1, "a mount");
    same!(vm.run("ls -d /run/dayfly/config")?.status, 2, "the folder of the settings disk");
    same!(
        vm.check(&format!("ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c {disk} || true"))?,
        "0",
        "open files"
    );
    // O_EXCL on a block device fails if the device is in use (open(2)). Check that it really does.
    let alone = format!("perl -e 'use Fcntl; sysopen(F, \"{disk}\", O_RDONLY | O_EXCL) or die $!'");
    let busy = vm.run(&format!("mount -o ro {disk} /mnt && {{ {alone}; umount /mnt; }}"))?;
    ensure!(
        busy.text.contains("Device or resource busy"),
        "a mounted disk, opened exclusively: {}",
        busy.text
    );
    vm.check(&alone)?;
    Ok(())
}

/// A user does not find the secret anywhere, and root does not find it in a log; both find the node's name.
pub fn nobody_finds(vm: &Vm, secret: &str, name: &str) -> Result<()> {
    const PLACES: &str = "/run /etc /var /tmp /home /root /srv /opt /dev/shm /proc/cmdline";
    let search = |text: &str| {
        format!("setpriv --reuid=65534 --regid=65534 --clear-groups -- grep -rslF -e {text} {PLACES} || true")
    };
    let found = vm.check(&search(name))?;
    ensure!(
        found.contains("/etc/hostname") && found.contains("/run/dayfly/boot.json"),
        "the search: {found}"
    );
    same!(vm.check(&search(secret))?, "", "the secret, found by an unprivileged user");
    let logs = "cat /proc/cmdline /run/dayfly/boot.json /run/dayfly/boot.log; dmesg; journalctl --no-pager --output=export";
    same!(vm.check(&format!("({logs}) | grep -c -e {name}"))?.parse::<u32>()? > 2, true, "the logs");
    same!(vm.check(&format!("({logs}) | grep -c -e {secret} || true"))?, "0", "the secret in a log");
    ensure!(!vm.console().contains(secret), "the secret is on the console");
    Ok(())
}

/// No root= at all: an ISO 9660 in a CD drive names the image, and gives this node's name by its serial number.
fn settings_on_a_cd_name_the_image(lab: &Lab) -> Result<()> {
    let files = Files::new()?;
    let site = Site::start(Image::Debian)?;
    let text = format!(
        "version = 1\nhostname = \"nobody\"\n[image]\nurl = \"{}\"\nsha256 = \"{}\"\n\
         [[match]]\nwhen.serial = [\"other\", \"SN42\"]\nhostname = \"from-cd\"\n",
        site.server.guest_url("os.squashfs"),
        site.sha256
    );
    let config = files.write("dayfly.toml", &text)?;
    let disc = files.path("config.iso");
    image::iso_with(Path::new(&disc), "mine", &[("dayfly.toml", Path::new(&config))])?;
    let node = lab
        .node()?
        .smbios("type=1,serial=SN42")
        .qemu(&["-drive", &format!("if=none,id=cd,media=cdrom,format=raw,readonly=on,file={disc}")])
        .qemu(&["-device", "virtio-scsi-pci", "-device", "scsi-cd,drive=cd"])
        .cmdline("dayfly.config.device=LABEL=mine")
        .explain(&["--config", &config, "--serial", "SN42"]);
    let vm = boot(node)?;
    same!(vm.check("hostname")?, "from-cd");
    let report = vm.boot_json()?;
    same!(setting(&report, "image.url")?.1, "/config");
    same!(setting(&report, "hostname")?.1, "/config, match 1");
    same!(step(&report, "verify")?["outcome"], "done");
    out_of_reach(&vm, "/dev/sr0")
}

/// A server without the node's settings: retried for the set time, then the boot fails. If they are not required, the boot continues.
fn settings_url_is_a_must(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::NoInit)?;
    let url = site.server.guest_url("nodes/${mac:hexhyp}.toml");
    let words = format!("{} panic=1 dayfly.settings.url={url} dayfly.settings.wait=6", site.parameters());
    let console = fails(lab.node()?.cmdline(&words), "config.answer")?;
    ensure!(console.contains("/nodes/52-54-00-12-34-56.toml"), "the message has the URL:\n{console}");
    ensure!(console.contains("HTTP 404 Not Found"), "the message has the server's status:\n{console}");
    same!(
        site.server.requests()?.iter().filter(|request| request.uri == "/os.squashfs").count(),
        0,
        "fetches"
    );
    let optional = format!("{words} dayfly.settings.required=no");
    fails(lab.node()?.cmdline(&optional), "handover.no-init")?;
    // Over plain HTTP anyone on the path can read a secret: it is refused by its name, and the message does not repeat it.
    site.write(
        "nodes/52-54-00-12-34-56.toml",
        &format!("version = 1\nfile.\"/etc/token\".secret = \"{TOKEN}\"\n"),
    )?;
    let console = fails(lab.node()?.cmdline(&words), "config.secret")?;
    ensure!(console.contains("file./etc/token.secret is a secret"), "the setting is named:\n{console}");
    ensure!(!console.contains(TOKEN), "the secret is on the console");
    Ok(())
}

fn base64(file: &str) -> Result<String> {
    dayfly_qemu::command::call("encode", "base64", &["-w0", file])
}

fn decode(text: &str) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let (from, to) = (folder.path().join("text"), folder.path().join("bytes"));
    fs::write(&from, text)?;
    let script = format!("base64 -d {} >{}", from.display(), to.display());
    dayfly_qemu::command::call("decode", "sh", &["-c", &script])?;
    Ok(fs::read(to)?)
}
