//! `dayfly try`: boots an image in a virtual machine of this host, as a node would boot it.

mod check;
mod console;
mod guest;
mod kernel;
mod source;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use dayfly_plan::settings::gather;
use dayfly_plan::{Facts, Severity};

use crate::pack::tool;
use crate::{ipxe, serve};
use console::Verdict;
use guest::{Accel, Console, Guest};
use kernel::Kernel;

/// The exit status if the `--check` command did not run to its end: 125, like docker run's; git bisect run skips such a commit.
const NOT_RUN: u8 = 125;

/// This host's address for a guest in QEMU's user network.
const HOST: &str = "10.0.2.2";

/// Boots an image in a virtual machine here: a squashfs, an erofs, a root folder or a container's archive
///
/// Finds QEMU and a kernel, builds the initramfs, serves the image and leaves you at the machine's console; Ctrl-A X ends it.
/// Does not change the image.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// A squashfs or erofs; a root folder; an archive of skopeo, podman or docker; any other image that Dayfly boots
    image: PathBuf,
    /// More kernel parameters, in one argument
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    cmdline: String,
    /// Settings to pack into the initramfs
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// A disk that keeps the state; a missing file is created with SIZE or, without it, 2 GiB
    #[arg(long, value_name = "FILE[:SIZE]")]
    state_disk: Option<String>,
    /// Run this shell command when the OS is up, and exit with its status; 125 if it could not run
    #[arg(long, value_name = "COMMAND")]
    check: Option<String>,
    /// How many seconds the boot and the check may take
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    /// With --check, the file to write the node's boot.json to
    #[arg(long, value_name = "FILE", requires = "check")]
    boot_json: Option<PathBuf>,
    /// The kernel to boot [default: the image's own, else this host's]
    #[arg(long, value_name = "FILE")]
    kernel: Option<PathBuf>,
    /// The folder of its modules [default: those in the image or on this host]
    #[arg(long, value_name = "DIR", requires = "kernel")]
    modules: Option<PathBuf>,
    /// The static init program [default: that of `dayfly initramfs`]
    #[arg(long, value_name = "FILE")]
    init: Option<PathBuf>,
    /// Memory of the machine [default: by the size of the image, at least 1024]
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    /// CPUs of the machine [default: 2 with KVM, else 1]
    #[arg(long, value_name = "NUMBER")]
    cpus: Option<usize>,
    /// How the machine runs [default: KVM if it works, else tcg]
    #[arg(long, value_enum)]
    accel: Option<Accel>,
}

/// Runs the command and returns the exit code of the process.
pub fn run(args: &TryArgs) -> Result<ExitCode> {
    match attempt(args) {
        Err(error) if args.check.is_some() => {
            eprintln!("dayfly: {error:#}");
            Ok(ExitCode::from(NOT_RUN))
        }
        outcome => outcome,
    }
}

fn attempt(args: &TryArgs) -> Result<ExitCode> {
    let qemu = tool::QEMU.find()?;
    check_settings(args)?;
    let state = args.state_disk.as_deref().map(guest::state_disk).transpose()?;
    console::catch_signals()?;
    let work =
        tempfile::Builder::new().prefix("dayfly-try.").tempdir().context("cannot make a temporary folder")?;
    let work = work.path();

    let image = source::prepare(&args.image, work)?;
    kernel::check_machine(&image.tree)?;
    let kernel = match &args.kernel {
        Some(file) => kernel::given(file, args.modules.as_deref(), &image.tree, Path::new("/"))?,
        None => kernel::choose(&image.tree, Path::new("/"))?,
    };
    eprintln!("kernel {}, {}: {}", kernel.release, kernel.of, kernel.file.display());
    for note in &image.notes {
        eprintln!("note: {note}");
    }
    if !kernel::has_modules(&image.tree, &kernel.release) {
        eprintln!(
            "note: the image has no modules of this kernel (/usr/lib/modules/{}), so its OS has only the drivers of the initramfs",
            kernel.release
        );
    }
    let initramfs = work.join("initramfs.img");
    build_initramfs(args, &kernel, &initramfs)?;
    let (accel, why) = match args.accel {
        Some(accel) => (accel, None),
        None => guest::choose_accel(&qemu, &kernel.file)?,
    };
    if let Some(why) = why {
        eprintln!("note: {why}");
    }
    if let Some((path, Some(size))) = &state {
        guest::make_state_disk(path, *size)?;
    }

    let www = work.join("www");
    fs::create_dir(&www).context("cannot make a folder")?;
    let file = image.file.canonicalize().with_context(|| format!("cannot find {}", image.file.display()))?;
    symlink(&file, www.join("image")).context("cannot make a link")?;
    let length = fs::metadata(&file).context("cannot look at the image")?.len();
    let sha256 = ipxe::sha256(&file)?;
    let port = serve::in_background(&www)?.port();
    let cmdline = cmdline(accel, port, &sha256, &args.cmdline);
    check_cmdline(args, &cmdline)?;

    let token = format!("{:08x}", token(&sha256));
    let (settings, socket) = (work.join("check.toml"), work.join("check.socket"));
    let console = match &args.check {
        Some(command) => {
            fs::write(&settings, check::settings(command, &token)).context("cannot write the check")?;
            Console::Check { settings: &settings, socket: &socket }
        }
        None => Console::Terminal,
    };
    let guest = Guest {
        accel,
        memory: args.memory.unwrap_or_else(|| guest::memory_for(length)),
        cpus: args.cpus.unwrap_or(if accel == Accel::Kvm { 2 } else { 1 }),
        kernel: &kernel.file,
        initramfs: &initramfs,
        cmdline: &cmdline,
        state_disk: state.as_ref().map(|(path, _)| path.as_path()),
        console,
    };
    eprintln!(
        "boot: {} MiB of memory, {}",
        guest.memory,
        if accel == Accel::Kvm { "KVM" } else { "emulated" }
    );
    eprintln!("kernel parameters: {cmdline}");
    let mut command = Command::new(&qemu);
    command.args(guest.arguments());
    if args.check.is_none() {
        eprintln!("this terminal is the machine's console now; Ctrl-A X ends it");
        console::attended(command)?;
        return Ok(ExitCode::SUCCESS);
    }
    let verdict = console::checked(command, &socket, &token, Duration::from_secs(args.timeout))?;
    conclude(args, &verdict)
}

/// Prints the check's result, and writes boot.json if requested.
fn conclude(args: &TryArgs, verdict: &Verdict) -> Result<ExitCode> {
    if let Some(boot) = &verdict.boot_json {
        let seconds = serde_json::from_slice::<serde_json::Value>(boot)
            .ok()
            .and_then(|boot| boot["finished_s"].as_f64());
        if let Some(seconds) = seconds {
            eprintln!("Dayfly started the OS's init {seconds:.1} s after the kernel's start");
        }
        if let Some(path) = &args.boot_json {
            crate::output::write_whole(path, boot)?;
        }
    } else if args.boot_json.is_some() {
        eprintln!("note: the guest had no boot.json, so --boot-json writes none");
    }
    eprintln!("check: status {} after {:.1} s", verdict.status, verdict.after.as_secs_f32());
    Ok(ExitCode::from(verdict.status))
}

fn cmdline(accel: Accel, port: u16, sha256: &str, more: &str) -> String {
    let url = format!("dayfly.image.url=http://{HOST}:{port}/image dayfly.image.sha256={sha256}");
    let more = if more.is_empty() { String::new() } else { format!(" {more}") };
    format!("console=ttyS0{} {url}{more}", guest::parameters(accel))
}

/// Refuses settings that a node would refuse, before anything is built.
fn check_settings(args: &TryArgs) -> Result<()> {
    let Some(path) = &args.settings else { return Ok(()) };
    let text =
        fs::read_to_string(path).with_context(|| format!("--settings: cannot read {}", path.display()))?;
    refuse("--settings", &Facts::default().with_file(text))
}

/// Refuses settings and kernel parameters that a node would refuse together.
fn check_cmdline(args: &TryArgs, cmdline: &str) -> Result<()> {
    let mut facts = Facts::from_cmdline(cmdline);
    if let Some(path) = &args.settings {
        facts = facts
            .with_file(fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    refuse("settings and kernel parameters", &facts)
}

fn refuse(what: &str, facts: &Facts) -> Result<()> {
    let (_, problems) = gather(facts);
    let refused = problems.iter().filter(|problem| problem.severity == Severity::Refuse);
    let refused: Vec<String> = refused.map(|problem| format!("  {problem} [{}]", problem.code)).collect();
    if refused.is_empty() {
        return Ok(());
    }
    bail!("{what}: a node would refuse to boot with this:\n{}", refused.join("\n"))
}

/// Runs `dayfly initramfs`. Shows all of its output if it fails, else only its notes.
fn build_initramfs(args: &TryArgs, kernel: &Kernel, to: &Path) -> Result<()> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(&program);
    command
        .args(["initramfs", "--profile", "virtio", "--kernel", &kernel.release, "--modules"])
        .arg(&kernel.modules);
    match &kernel.conf {
        None => {}
        Some(folders) if folders.is_empty() => drop(command.args(["--modprobe-config", "none"])),
        Some(folders) => drop(
            folders.iter().fold(&mut command, |command, folder| command.arg("--modprobe-config").arg(folder)),
        ),
    }
    for (option, file) in [("--settings", &args.settings), ("--init", &args.init)] {
        if let Some(file) = file {
            command.arg(option).arg(file);
        }
    }
    let said = tool::call(&program, command.arg("--output").arg(to)).context("cannot build the initramfs")?;
    said.lines().filter(|line| line.starts_with("note: ")).for_each(|line| eprintln!("{line}"));
    Ok(())
}

/// A number that a command in the guest cannot have in its output by chance.
fn token(sha256: &str) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_names_the_image() {
        let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let line = cmdline(Accel::Kvm, 4321, hash, "dayfly.hostname=n1");
        assert_eq!(
            line,
            format!(
                "console=ttyS0 dayfly.image.url=http://10.0.2.2:4321/image dayfly.image.sha256={hash} dayfly.hostname=n1"
            )
        );
        assert!(cmdline(Accel::Tcg, 1, hash, "").contains("ttyS0 norandmaps no_timer_check dayfly"));
        for (facts, refused) in [
            (Facts::from_cmdline(line.as_str()), false),
            (
                Facts::from_cmdline(line.as_str()).with_file("version = 1\nimage.url = \"http://boot/os\""),
                false,
            ),
            (Facts::from_cmdline(format!("{line} dayfly.retry=soon")), true),
            (Facts::default().with_file("version = 2"), true),
        ] {
            assert_eq!(refuse("x", &facts).is_err(), refused, "{facts:?}");
        }
    }
}
