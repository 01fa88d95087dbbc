//! Machines with several consoles: each must show a failure, since the administrator may be at any of them.

use std::{fs, time::Duration};

use anyhow::{Result, ensure};
use dayfly_qemu::{
    image::Image,
    vm::{Ending, Nic},
};

use crate::{
    Scenario,
    lab::{BOOT, Lab, Site},
    same,
};

pub const SCENARIOS: &[Scenario] = &[("failure_on_every_console", failure_on_every_console)];

fn failure_on_every_console(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::NoInit)?;
    let url = site.server.guest_url("missing.squashfs");
    let folder = tempfile::tempdir()?;
    let other = folder.path().join("hvc0");
    // The kernel makes only one serial port a console (Documentation/admin-guide/serial-console.rst), so the second console is of
    // another kind; its driver is a module.
    let initramfs = lab.own_initramfs(&["--add-module", "virtio_console"])?;
    let chardev = format!("file,id=other,path={}", other.display());
    let node = lab.bare_node(&initramfs)?.nic(Nic::user());
    let mut vm = node
        .qemu(&["-chardev", &chardev, "-device", "virtio-serial-pci", "-device", "virtconsole,chardev=other"])
        .cmdline(&format!(
            "console=tty0 console=hvc0 console=ttyS0 root=live:{url} ip=dhcp rd.retry=5 panic=2"
        ))
        .start()?;
    vm.expect("Code: +image\\.http-status$", BOOT)?;
    same!(vm.wait_end(Duration::from_secs(60))?, Ending::Reset, "the end after the failure");
    let first = vm.console();
    let second = String::from_utf8_lossy(&fs::read(&other)?).replace('\r', "");
    for (name, console) in [("ttyS0", &first), ("hvc0", &second)] {
        let screens = console.matches("DAYFLY COULD NOT BOOT THIS NODE").count();
        same!(screens, 1, "failure screens on {name}, which shows:\n{console}\n");
        for part in ["What was tried: ", "What went wrong: ", "How to fix it: ", "What happens now: "] {
            ensure!(console.contains(part), "{name} lacks {part:?}");
        }
        let code =
            console.lines().find_map(|line| line.strip_prefix("Code:")).map(|code| code.trim().to_owned());
        same!(code.as_deref(), Some("image.http-status"), "the code on {name}");
    }
    Ok(())
}
