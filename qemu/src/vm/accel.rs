//! Which accelerator works. Nested hosts may have a KVM that cannot run a stock kernel, so it is tried.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};

use super::console::Console;
use crate::{
    cache::{Cache, Key},
    command::say,
    kernel::Kernel,
};

/// How long KVM may take until a kernel panics without a root; a working one needs about two seconds.
const PROBE: Duration = Duration::from_secs(20);

/// How the guest's instructions are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// In hardware.
    Kvm,
    /// Translated, on any host: ten times slower.
    Tcg,
}

impl Accel {
    /// `$DAYFLY_ACCEL` (`kvm` or `tcg`), else KVM if it can start the kernel, else TCG. The cache keeps the result until the next boot
    /// of the host.
    pub fn choose(kernel: &Kernel) -> Result<Self> {
        match env::var("DAYFLY_ACCEL").as_deref() {
            Ok("kvm") => return Ok(Self::Kvm),
            Ok("tcg") => return Ok(Self::Tcg),
            Ok(other) => anyhow::bail!("DAYFLY_ACCEL={other} is neither kvm nor tcg"),
            Err(_) => {}
        }
        if !Path::new("/dev/kvm").exists() {
            return Ok(Self::Tcg);
        }
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .context("cannot read the host's boot id")?;
        let verdict =
            Cache::open()?.get("accel.txt", Key::new().with(&kernel.version).with(boot), |path| {
                let verdict = if kvm_works(kernel)? { "kvm" } else { "tcg" };
                Ok(fs::write(path, verdict)?)
            })?;
        Ok(if fs::read_to_string(verdict)? == "kvm" { Self::Kvm } else { Self::Tcg })
    }

    /// QEMU's arguments, with a suitable CPU model.
    pub(super) fn arguments(self) -> [&'static str; 4] {
        match self {
            Self::Kvm => ["-accel", "kvm", "-cpu", "host"],
            Self::Tcg => ["-accel", "tcg", "-cpu", "qemu64,+rdrand"],
        }
    }

    /// The console, and kernel parameters that prevent artefacts of the accelerator.
    pub(super) fn parameters(self) -> &'static str {
        match self {
            Self::Kvm => "console=ttyS0",
            Self::Tcg => "console=ttyS0 norandmaps no_timer_check",
        }
    }
}

/// Starts the kernel without a root. The panic about the missing root proves that it ran.
fn kvm_works(kernel: &Kernel) -> Result<bool> {
    say("vm: try whether KVM can start the kernel (once per boot of this host)");
    let mut child = Command::new("qemu-system-x86_64")
        .args([
            "-accel",
            "kvm",
            "-cpu",
            "host",
            "-m",
            "256",
            "-nodefaults",
            "-no-reboot",
            "-vga",
            "none",
            "-display",
            "none",
        ])
        .args(["-serial", "stdio", "-append", "console=ttyS0 panic=-1", "-kernel"])
        .arg(&kernel.image)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start qemu-system-x86_64")?;
    let stdout = child.stdout.take().context("QEMU has no output")?;
    let ran = Console::read(stdout, tempfile::tempfile()?)
        .expect("Unable to mount root fs|No working init", PROBE)
        .is_ok();
    // It may have ended by itself.
    let _ = child.kill();
    child.wait().context("cannot wait for QEMU")?;
    say(if ran { "vm: KVM works" } else { "vm: KVM does not start it; using TCG" });
    Ok(ran)
}
