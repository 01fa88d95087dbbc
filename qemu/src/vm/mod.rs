//! Virtual machines: built, started, talked to, and ended for certain.

pub mod accel;
pub mod agent;
pub mod console;
pub mod device;
mod machine;
pub mod qmp;

pub use accel::Accel;
pub use agent::Output;
pub use console::Match;
pub use device::{Drive, Nic, mac};
pub use machine::{Ending, Vm};

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::kernel::Kernel;

/// A machine on the drawing board. The defaults: one CPU, 1024 MiB, the host's kernel, no card, no disk, `console=ttyS0`.
#[derive(Debug, Clone)]
pub struct Builder {
    name: String,
    memory: u32,
    cpus: u32,
    kernel: Option<PathBuf>,
    initrd: Option<PathBuf>,
    cmdline: String,
    nics: Vec<Nic>,
    drives: Vec<Drive>,
    extra: Vec<String>,
    reboots: bool,
    icount: bool,
    interactive: bool,
    log: Option<PathBuf>,
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
            nics: Vec::new(),
            drives: Vec::new(),
            extra: Vec::new(),
            reboots: false,
            icount: false,
            interactive: false,
            log: None,
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

    /// Adds words to the kernel command line, which begins with the console and what the accelerator needs.
    pub fn cmdline(mut self, words: &str) -> Self {
        self.cmdline = format!("{} {words}", self.cmdline);
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

    /// Adds an SMBIOS structure in QEMU's words: `type=1,uuid=…,serial=…`, `type=11,value=…`.
    pub fn smbios(self, structure: &str) -> Self {
        self.qemu(&["-smbios", structure])
    }

    /// Adds a file to QEMU's firmware configuration; the guest reads it as /sys/firmware/qemu_fw_cfg/by_name/`name`/raw.
    pub fn fw_cfg(self, name: &str, file: &Path) -> Self {
        self.qemu(&["-fw_cfg", &format!("name={name},file={}", file.display())])
    }

    /// Adds arguments of QEMU as they are.
    pub fn qemu(mut self, arguments: &[&str]) -> Self {
        self.extra.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Lets the machine boot again after a reset; without this QEMU ends instead, which [`Vm::wait_end`] tells.
    pub fn reboots(mut self) -> Self {
        self.reboots = true;
        self
    }

    /// Counts instructions instead of time: the guest's clock moves by 1 ns with each, and jumps over the time in which it waits.
    /// How fast or busy the host is no longer shows. Always under TCG (QEMU's docs/devel/tcg-icount.rst).
    pub fn icount(mut self) -> Self {
        self.icount = true;
        self
    }

    /// Gives the console to the terminal this process runs in (Ctrl-A X ends QEMU); [`Vm::expect`] does not work then.
    pub fn interactive(mut self) -> Self {
        self.interactive = true;
        self
    }

    /// Where the console's log goes, with host times; a temporary file by default.
    pub fn log(mut self, path: impl AsRef<Path>) -> Self {
        self.log = Some(path.as_ref().to_owned());
        self
    }

    /// Starts it.
    pub fn start(self) -> Result<Vm> {
        Vm::start(self)
    }

    fn arguments(&self, kernel: &Path, accel: Accel) -> Vec<String> {
        let mut all: Vec<String> = ["-name", &self.name, "-nodefaults", "-vga", "none", "-display", "none"]
            .iter()
            .map(|&word| word.to_owned())
            .collect();
        all.extend(accel.arguments().map(str::to_owned));
        if self.icount {
            all.extend(["-icount".into(), "shift=0,sleep=off".into()]);
        }
        all.extend(["-m".into(), self.memory.to_string(), "-smp".into(), self.cpus.to_string()]);
        all.extend(["-kernel".into(), kernel.to_string_lossy().into_owned()]);
        if let Some(initrd) = &self.initrd {
            all.extend(["-initrd".into(), initrd.to_string_lossy().into_owned()]);
        }
        all.extend(["-append".into(), format!("console=ttyS0{}{}", accel.parameters(), self.cmdline)]);
        all.extend(
            ["-object", "rng-random,id=rng0,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng0"]
                .map(str::to_owned),
        );
        if !self.reboots {
            all.push("-no-reboot".into());
        }
        all.extend(self.nics.iter().enumerate().flat_map(|(index, nic)| nic.arguments(index)));
        all.extend(self.drives.iter().enumerate().flat_map(|(index, drive)| drive.arguments(index)));
        all.extend(self.extra.iter().cloned());
        all
    }
}

/// The host's kernel and the accelerator for it, when the builder names none.
fn kernel_and_accel(builder: &Builder) -> Result<(PathBuf, Accel)> {
    let host = Kernel::of_host()?;
    let accel = if builder.icount { Accel::Tcg } else { Accel::choose(&host)? };
    Ok((builder.kernel.clone().unwrap_or(host.image), accel))
}
