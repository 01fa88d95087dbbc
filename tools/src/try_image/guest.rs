//! The guest: QEMU's arguments, and whether KVM can run them.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::size;

/// How long KVM may take until a kernel panics without a root; a working one needs about two seconds.
const PROBE: Duration = Duration::from_secs(12);

/// How the guest's instructions are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Accel {
    /// In hardware; needs /dev/kvm
    Kvm,
    /// Translated: on any host, ten times slower
    Tcg,
}

/// The configuration of the virtual machine.
#[derive(Debug)]
pub struct Guest<'a> {
    pub accel: Accel,
    pub memory: u64,
    pub cpus: usize,
    pub kernel: &'a Path,
    pub initramfs: &'a Path,
    pub cmdline: &'a str,
    pub state_disk: Option<&'a Path>,
    pub console: Console<'a>,
}

/// Where the machine's console goes.
#[derive(Debug, Clone, Copy)]
pub enum Console<'a> {
    /// The terminal of this process; Ctrl-A X ends the machine.
    Terminal,
    /// Standard output. The check comes as a file of settings and answers to a socket.
    Check { settings: &'a Path, socket: &'a Path },
}

impl Guest<'_> {
    /// QEMU's arguments.
    pub fn arguments(&self) -> Vec<String> {
        let path = |path: &Path| path.to_string_lossy().replace(',', ",,");
        let mut all: Vec<String> = Vec::new();
        let mut add = |words: &[&str]| all.extend(words.iter().map(|&word| word.to_owned()));
        add(&["-name", "dayfly-try", "-nodefaults", "-no-reboot", "-vga", "none", "-display", "none"]);
        add(match self.accel {
            Accel::Kvm => &["-accel", "kvm", "-cpu", "host"],
            Accel::Tcg => &["-accel", "tcg", "-cpu", "max"],
        });
        add(&["-m", &self.memory.to_string(), "-smp", &self.cpus.to_string()]);
        add(&["-kernel", &self.kernel.to_string_lossy(), "-initrd", &self.initramfs.to_string_lossy()]);
        add(&["-append", self.cmdline]);
        add(&["-object", "rng-random,id=rng0,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng0"]);
        add(&["-netdev", "user,id=net0", "-device", "virtio-net-pci,netdev=net0,romfile="]);
        if let Some(disk) = self.state_disk {
            add(&["-drive", &format!("if=none,id=disk0,format=raw,file={}", path(disk))]);
            add(&["-device", "virtio-blk-pci,drive=disk0,serial=state"]);
        }
        match self.console {
            Console::Terminal => add(&["-serial", "mon:stdio"]),
            Console::Check { settings, socket } => {
                add(&["-serial", "stdio", "-serial", &format!("unix:{}", path(socket))]);
                let name = "opt/io.systemd.credentials/dayfly.toml";
                add(&["-fw_cfg", &format!("name={name},file={}", path(settings))]);
            }
        }
        all
    }
}

/// The kernel parameters for the accelerator: without them, emulated time and randomized addresses make old kernels fail.
pub fn parameters(accel: Accel) -> &'static str {
    match accel {
        Accel::Kvm => "",
        Accel::Tcg => " norandmaps no_timer_check",
    }
}

/// The memory for the image, the tmpfs over it and the OS, in MiB.
pub fn memory_for(image: u64) -> u64 {
    (1024 + 2 * image.div_ceil(1 << 20)).next_multiple_of(128).max(1280) - 256
}

/// KVM if it exists, can be opened and starts the kernel. Otherwise TCG, and the reason.
pub fn choose_accel(qemu: &Path, kernel: &Path) -> Result<(Accel, Option<String>)> {
    let slow = "so the CPU is emulated, which is about ten times slower";
    let kvm = Path::new("/dev/kvm");
    if std::env::consts::ARCH != "x86_64" {
        return Ok((Accel::Tcg, Some(format!("this host is no x86-64, {slow}"))));
    }
    if !kvm.exists() {
        let why =
            "there is no /dev/kvm (virtualization is off in the firmware, or this is a VM without nesting)";
        return Ok((Accel::Tcg, Some(format!("{why}, {slow}"))));
    }
    if let Err(error) = OpenOptions::new().read(true).write(true).open(kvm) {
        let how = "\"sudo usermod -aG kvm $USER\" and a new login give access";
        return Ok((Accel::Tcg, Some(format!("/dev/kvm cannot be opened ({error}; {how}), {slow}"))));
    }
    if kvm_starts(qemu, kernel)? {
        return Ok((Accel::Kvm, None));
    }
    Ok((
        Accel::Tcg,
        Some(format!("KVM is there but does not start the kernel, {slow} (--accel tcg skips this test)")),
    ))
}

/// Nested hosts may have a KVM that runs no kernel. So start one without a root file system: if it panics for that reason, KVM works.
fn kvm_starts(qemu: &Path, kernel: &Path) -> Result<bool> {
    let mut child = Command::new(qemu)
        .args(["-accel", "kvm", "-cpu", "host", "-m", "512", "-nodefaults", "-no-reboot", "-vga", "none"])
        .args(["-display", "none", "-serial", "stdio", "-append", "console=ttyS0 panic=-1", "-kernel"])
        .arg(kernel)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start QEMU")?;
    let mut console = child.stdout.take().context("QEMU has no output")?;
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = console.read(&mut buffer) {
            if sender.send(buffer.get(..length).unwrap_or_default().to_vec()).is_err() {
                break;
            }
        }
    });
    let end = Instant::now() + PROBE;
    let mut said = Vec::new();
    let mut has_panicked = false;
    while let Ok(bytes) = receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
        said.extend(bytes);
        let text = String::from_utf8_lossy(&said);
        has_panicked =
            ["Unable to mount root fs", "No working init"].iter().any(|words| text.contains(words));
        if has_panicked {
            break;
        }
    }
    // It may have ended by itself.
    let _ = child.kill();
    child.wait().context("cannot wait for QEMU")?;
    Ok(has_panicked)
}

/// The disk that keeps the node's state: a file that exists, or FILE[:SIZE] of a new one, with a unit. Returns the size of a new one.
pub fn state_disk(argument: &str) -> Result<(PathBuf, Option<u64>)> {
    let path = PathBuf::from(argument);
    if path.exists() {
        return Ok((path, None));
    }
    let (path, size) = match argument.rsplit_once(':') {
        Some((path, size)) => {
            let size = size::parse(size).with_context(|| format!("--state-disk {argument}"))?;
            (PathBuf::from(path), size)
        }
        None => (path, 2 << 30),
    };
    let is_there = path.exists();
    Ok((path, (!is_there).then_some(size)))
}

/// Makes a state disk with the label that Dayfly looks for. The file is sparse.
pub fn make_state_disk(path: &Path, size: u64) -> Result<()> {
    let tool = crate::pack::tool::MKFS_EXT4;
    tool.find()?;
    let failed = || format!("cannot make the state disk {}", path.display());
    let file = OpenOptions::new().write(true).create_new(true).open(path).with_context(failed)?;
    file.set_len(size).with_context(failed)?;
    let made = tool.call([std::ffi::OsStr::new("-q"), "-L".as_ref(), "state".as_ref(), path.as_os_str()]);
    if made.is_err() {
        // The next try would take an incomplete file for a state disk.
        let _ = fs::remove_file(path);
    }
    made.with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_by_console_and_disk() {
        let plain = Guest {
            accel: Accel::Kvm,
            memory: 1024,
            cpus: 2,
            kernel: Path::new("/k"),
            initramfs: Path::new("/i"),
            cmdline: "console=ttyS0 a b",
            state_disk: None,
            console: Console::Terminal,
        };
        let common = "-name dayfly-try -nodefaults -no-reboot -vga none -display none -accel kvm -cpu host -m 1024 -smp 2 \
                      -kernel /k -initrd /i -append console=ttyS0 a b -object rng-random,id=rng0,filename=/dev/urandom \
                      -device virtio-rng-pci,rng=rng0 -netdev user,id=net0 -device virtio-net-pci,netdev=net0,romfile=";
        assert_eq!(plain.arguments().join(" "), format!("{common} -serial mon:stdio"));
        let checked = Guest {
            state_disk: Some(Path::new("/a,b")),
            console: Console::Check { settings: Path::new("/s"), socket: Path::new("/o") },
            ..plain
        };
        assert_eq!(
            checked.arguments().join(" "),
            format!(
                "{common} -drive if=none,id=disk0,format=raw,file=/a,,b -device virtio-blk-pci,drive=disk0,serial=state \
                 -serial stdio -serial unix:/o -fw_cfg name=opt/io.systemd.credentials/dayfly.toml,file=/s"
            )
        );
        let emulated = Guest { accel: Accel::Tcg, ..checked };
        assert!(emulated.arguments().join(" ").contains("-accel tcg -cpu max"));
    }

    #[test]
    fn memory_grows_with_the_image() {
        for (mebibytes, expected) in [(0, 1024), (60, 1024), (500, 1792), (2000, 4864)] {
            assert_eq!(memory_for(mebibytes << 20), expected, "{mebibytes}");
        }
    }

    #[test]
    fn a_state_disk_is_made_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("there"), "").expect("a file");
        std::fs::write(path("a:b"), "").expect("a file");
        for (argument, name, size) in [
            ("there", "there", None),
            ("there:4G", "there", None),
            ("a:b", "a:b", None),
            ("new", "new", Some(2 << 30)),
            ("new:512M", "new", Some(512 << 20)),
            ("new:4GiB", "new", Some(4 << 30)),
        ] {
            assert_eq!(state_disk(&path(argument)).expect(argument), (path(name).into(), size), "{argument}");
        }
        for wrong in ["new:4", "new:G", "new:4T"] {
            assert!(state_disk(&path(wrong)).is_err(), "{wrong}");
        }
    }
}
