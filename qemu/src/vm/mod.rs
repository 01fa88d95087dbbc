//! Virtual machines: configured, started, controlled, and always ended.

pub mod accel;
pub mod agent;
mod bios;
pub mod console;
pub mod device;
mod explain;
mod machine;
pub mod qmp;

pub use accel::Accel;
pub use agent::{Output, Ready};
pub use console::Match;
pub use device::{Drive, Nic, has_model, mac};
pub use machine::{Ending, Vm};

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::kernel::Kernel;

/// The configuration of a machine. The defaults: one CPU, 1024 MiB, the host's kernel, no card, no disk, `console=ttyS0`.
#[derive(Debug, Clone)]
pub struct Builder {
    name: String,
    memory: u32,
    cpus: u32,
    kernel: Option<PathBuf>,
    initrd: Option<PathBuf>,
    cmdline: String,
    script: Option<String>,
    uefi: bool,
    nics: Vec<Nic>,
    drives: Vec<Drive>,
    extra: Vec<String>,
    reboots: bool,
    icount: bool,
    interactive: bool,
    log: Option<PathBuf>,
    explain: Vec<String>,
}

impl Builder {
    /// A machine called `name` (in messages and in the name of its log).
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            memory: 1024,
            cpus: 1,
            kernel: None,
            initrd: None,
            cmdline: String::new(),
            script: None,
            uefi: false,
            nics: Vec::new(),
            drives: Vec::new(),
            extra: Vec::new(),
            reboots: false,
            icount: false,
            interactive: false,
            log: None,
            explain: Vec::new(),
        }
    }

    /// RAM in MiB.
    pub fn memory(mut self, mebibytes: u32) -> Self {
        self.memory = mebibytes;
        self
    }

    /// Number of CPUs. More than one is slower under TCG.
    pub fn cpus(mut self, cpus: u32) -> Self {
        self.cpus = cpus;
        self
    }

    /// Another kernel than the host's.
    pub fn kernel(mut self, bzimage: impl AsRef<Path>) -> Self {
        self.kernel = Some(bzimage.as_ref().to_owned());
        self
    }

    /// The initramfs.
    pub fn initrd(mut self, path: impl AsRef<Path>) -> Self {
        self.initrd = Some(path.as_ref().to_owned());
        self
    }

    /// Adds kernel parameters after those for the console and the accelerator.
    pub fn cmdline(mut self, words: &str) -> Self {
        self.cmdline = format!("{} {words}", self.cmdline);
        self
    }

    /// Boots from the network, without a kernel, initramfs or command line given here. The firmware starts the iPXE of the first card,
    /// the DHCP server there gives it the URL `script`, and the script names the rest. On a user network, this sets the option of QEMU's
    /// DHCP server; in a network of its own, [`crate::lan::Lan::serve_dhcp`] does.
    /// The script's command line needs [`console_parameters`]. The address in the URL is the one that guests see.
    pub fn netboot(mut self, script: &str) -> Self {
        self.script = Some(script.to_owned());
        self
    }

    /// UEFI (OVMF) instead of a BIOS.
    pub fn uefi(mut self) -> Self {
        self.uefi = true;
        self
    }

    /// Adds a network card.
    pub fn nic(mut self, nic: Nic) -> Self {
        self.nics.push(nic);
        self
    }

    /// Adds a virtio disk.
    pub fn drive(mut self, drive: Drive) -> Self {
        self.drives.push(drive);
        self
    }

    /// Adds an SMBIOS structure in QEMU's syntax: `type=1,uuid=…,serial=…`, `type=11,value=…`.
    pub fn smbios(self, structure: &str) -> Self {
        self.qemu(&["-smbios", structure])
    }

    /// Adds a file to QEMU's firmware configuration; the guest reads it as /sys/firmware/qemu_fw_cfg/by_name/`name`/raw.
    pub fn fw_cfg(self, name: &str, file: &Path) -> Self {
        self.qemu(&["-fw_cfg", &format!("name={name},file={}", file.display())])
    }

    /// Gives the guest a credential of that name over fw_cfg, with the content of `file`.
    pub fn credential(self, name: &str, file: &Path) -> Self {
        self.fw_cfg(&format!("opt/io.systemd.credentials/{name}"), file)
            .explain(&["--credential", &format!("{name}=@{}", file.display())])
    }

    /// Adds arguments of QEMU as they are.
    pub fn qemu(mut self, arguments: &[&str]) -> Self {
        self.extra.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Lets the machine boot again after a reset. Without this QEMU ends instead, and [`Vm::wait_end`] returns that.
    pub fn reboots(mut self) -> Self {
        self.reboots = true;
        self
    }

    /// Counts instructions instead of time: the guest's clock advances by 1 ns with each, and jumps over idle time. So the host's speed
    /// and load have no effect. Always under TCG (QEMU's docs/devel/tcg-icount.rst).
    pub fn icount(mut self) -> Self {
        self.icount = true;
        self
    }

    /// Gives the console to the terminal this process runs in (Ctrl-A X ends QEMU); [`Vm::expect`] does not work then.
    pub fn interactive(mut self) -> Self {
        self.interactive = true;
        self
    }

    /// The file for the console's log, with host times; a temporary file by default.
    pub fn log(mut self, path: impl AsRef<Path>) -> Self {
        self.log = Some(path.as_ref().to_owned());
        self
    }

    /// Arguments for `dayfly explain` beside the command line, such as `--settings FILE`, so that it makes the node's plan.
    /// [`Vm::boot_json`] compares the two.
    pub fn explain(mut self, arguments: &[&str]) -> Self {
        self.explain.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Starts the machine.
    pub fn start(self) -> Result<Vm> {
        Vm::start(self)
    }

    /// QEMU's arguments. `kernel` is the host's, `folder` is for files of this run.
    fn arguments(&self, kernel: &Path, accel: Accel, folder: &Path) -> Result<Vec<String>> {
        let mut all: Vec<String> = ["-name", &self.name, "-nodefaults", "-vga", "none", "-display", "none"]
            .iter()
            .map(|&word| word.to_owned())
            .collect();
        all.extend(accel.arguments().map(str::to_owned));
        if self.icount {
            all.extend(["-icount".into(), "shift=0,sleep=off".into()]);
        }
        all.extend(["-m".into(), self.memory.to_string(), "-smp".into(), self.cpus.to_string()]);
        if self.uefi {
            all.extend(bios::uefi(folder)?);
        }
        if let Some(script) = &self.script {
            self.check_netboot(script)?;
            all.extend(bios::NETBOOT.map(str::to_owned));
        } else {
            let kernel = self.kernel.as_deref().unwrap_or(kernel);
            all.extend(["-kernel".into(), kernel.to_string_lossy().into_owned()]);
            if let Some(initrd) = &self.initrd {
                all.extend(["-initrd".into(), initrd.to_string_lossy().into_owned()]);
            }
            all.extend(["-append".into(), format!("{}{}", accel.parameters(), self.cmdline)]);
        }
        all.extend(
            ["-object", "rng-random,id=rng0,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng0"]
                .map(str::to_owned),
        );
        if !self.reboots {
            all.push("-no-reboot".into());
        }
        let script = self.script.as_deref();
        all.extend(self.nics.iter().enumerate().flat_map(|(index, nic)| nic.arguments(index, script)));
        all.extend(self.drives.iter().enumerate().flat_map(|(index, drive)| drive.arguments(index)));
        all.extend(self.extra.iter().cloned());
        Ok(all)
    }

    /// Checks what a machine that boots from the network must and must not have.
    fn check_netboot(&self, script: &str) -> Result<()> {
        let name = &self.name;
        ensure!(
            self.kernel.is_none() && self.initrd.is_none() && self.cmdline.is_empty(),
            "machine {name}: it boots from the network, so the script must name its kernel, initramfs and command line"
        );
        ensure!(
            self.nics.iter().any(Nic::is_bootable),
            "machine {name}: it needs a card with a DHCP server to boot from"
        );
        ensure!(
            script.len() < bios::BOOT_FILE,
            "machine {name}: DHCP's {} bytes are too few for the URL {script}",
            bios::BOOT_FILE - 1
        );
        Ok(())
    }
}

/// The beginning of every kernel command line in these machines: the console, and the accelerator's parameters.
pub fn console_parameters() -> Result<&'static str> {
    Ok(Accel::choose(&Kernel::of_host()?)?.parameters())
}

/// The host's kernel, and the accelerator that can start it.
fn kernel_and_accel(builder: &Builder) -> Result<(PathBuf, Accel)> {
    let host = Kernel::of_host()?;
    let accel = if builder.icount { Accel::Tcg } else { Accel::choose(&host)? };
    Ok((host.image, accel))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_netboot_that_cannot_work_is_refused() {
        let script = "http://10.0.2.2:1/boot.ipxe";
        let node = || Builder::new("n").netboot(script);
        let table = [
            (node(), "needs a card"),
            (node().nic(Nic::silent()), "needs a card"),
            (node().nic(Nic::user()).initrd("/i"), "the script must name"),
            (node().nic(Nic::user()).cmdline("quiet"), "the script must name"),
            (Builder::new("n").netboot(&"x".repeat(128)).nic(Nic::user()), "127 bytes"),
        ];
        for (builder, expected) in table {
            let refused = builder.arguments(Path::new("/k"), Accel::Tcg, Path::new("/tmp"));
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
        let fine = node().nic(Nic::user()).arguments(Path::new("/k"), Accel::Tcg, Path::new("/tmp")).unwrap();
        assert!(!fine.iter().any(|argument| argument == "-kernel" || argument == "-append"), "{fine:?}");
    }
}
