//! Tasks of process 1: the first mounts, its console, its signals.

mod fatal;
mod memory;
pub(crate) mod panic_timeout;
pub(crate) mod power;
mod signals;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::{CWD, FileType, Mode, OFlags, makedev, mknodat, open};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::system::{RebootCommand, reboot};

use crate::kernel::{Tried, handover, mounts};
use crate::{Mount, MountFlags, Result, SysError};

pub use fatal::handle_faults;
pub use memory::Allocator;
pub use panic_timeout::set_panic_timeout;
pub use power::keep_power;
pub use signals::{Signal, watch_signals};

/// True in process 1 ([getpid(2)](https://man7.org/linux/man-pages/man2/getpid.2.html)).
pub fn is_pid1() -> bool {
    std::process::id() == 1
}

/// True if the kernel started this process from an initramfs, false on a mounted root (`init=`). Needs /proc.
pub fn is_initramfs() -> bool {
    handover::is_initramfs()
}

/// Mounts /proc, /sys, /dev (devtmpfs) and /run (tmpfs, 0755), if nothing is mounted there yet. Returns the errors: the
/// boot continues, so that it can report them.
pub fn early_mounts() -> Vec<SysError> {
    let strict = MountFlags { read_only: false, nodev: true, nosuid: true, noexec: true, noatime: false };
    let devices = MountFlags { nodev: false, noexec: false, ..strict };
    let runtime = MountFlags { noexec: false, ..strict };
    [
        ("proc", "/proc", strict, None),
        ("sysfs", "/sys", strict, None),
        ("devtmpfs", "/dev", devices, Some("0755")),
        ("tmpfs", "/run", runtime, Some("0755")),
    ]
    .into_iter()
    .filter_map(|(fstype, target, flags, mode)| early_mount(fstype, target, flags, mode).err())
    .collect()
}

fn early_mount(fstype: &str, target: &str, flags: MountFlags, mode: Option<&str>) -> Result<()> {
    if mounts::is_mount_point(Path::new(target)) {
        return Ok(());
    }
    match rustix::fs::mkdir(target, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(errno) => return Err(errno).tried("create the directory", target),
    }
    let mount = Mount::New {
        fstype: fstype.to_owned(),
        source: fstype.to_owned(),
        target: crate::own(target),
        options: mode.map(|mode| ("mode".to_owned(), Some(mode.to_owned()))).into_iter().collect(),
        flags,
    };
    match mounts::apply(&mount) {
        // The kernel mounted it already (CONFIG_DEVTMPFS_MOUNT).
        Err(error) if error.errno() == Some(libc::EBUSY) => Ok(()),
        done => done,
    }
}

/// Opens /dev/console as descriptors 0 to 2 if they are closed or /dev/null (Rust's runtime opens that for closed ones
/// before `main`). Creates the node if there is no devtmpfs. See
/// [console(4)](https://man7.org/linux/man-pages/man4/console.4.html).
pub fn open_console() -> Result<()> {
    let null = makedev(1, 3);
    let unusable = |fd: &dyn Fn() -> rustix::io::Result<rustix::fs::Stat>| {
        fd().map_or(true, |stat| {
            FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == null
        })
    };
    let stdin = unusable(&|| rustix::fs::fstat(io::stdin()));
    let stdout = unusable(&|| rustix::fs::fstat(io::stdout()));
    let stderr = unusable(&|| rustix::fs::fstat(io::stderr()));
    if !(stdin || stdout || stderr) {
        return Ok(());
    }
    let path = "/dev/console";
    let open_it = || open(path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty());
    let console = match open_it() {
        Err(rustix::io::Errno::NOENT) => {
            mknodat(CWD, path, FileType::CharacterDevice, Mode::RUSR | Mode::WUSR, makedev(5, 1))
                .tried("create the node", path)?;
            open_it()
        }
        opened => opened,
    }
    .tried("open", path)?;
    if stdin {
        dup2_stdin(&console).tried("put on stdin", path)?;
    }
    if stdout {
        dup2_stdout(&console).tried("put on stdout", path)?;
    }
    if stderr {
        dup2_stderr(&console).tried("put on stderr", path)?;
    }
    Ok(())
}

/// Reopens the console as a non-blocking stderr, because Rust's runtime writes its last message there and a stuck
/// console must not block it. [`restore_stderr`] undoes this for the OS, whose standard streams must block.
pub fn unblock_stderr() -> Result<()> {
    let path = "/dev/console";
    let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let console = open(path, flags, Mode::empty()).tried("open", path)?;
    let kept = rustix::io::fcntl_dupfd_cloexec(io::stderr(), 3).tried("keep", "stderr")?;
    // A second call would save the stderr of the first one.
    if STDERR.set(kept).is_ok() {
        dup2_stderr(&console).tried("put on stderr", path)?;
    }
    Ok(())
}

/// Restores the stderr from before [`unblock_stderr`].
pub(crate) fn restore_stderr() {
    if let Some(kept) = STDERR.get() {
        // An error is ignored: the OS's init opens its own log.
        let _ = dup2_stderr(kept);
    }
}

/// The original stderr. It is static, because a process has one stderr.
static STDERR: OnceLock<OwnedFd> = OnceLock::new();

/// Disables the rate limit of /dev/kmsg (`printk.devkmsg=on`), which drops lines of a busy boot. If the kernel command
/// line sets it, the kernel refuses a change, and the log is rate-limited as configured. See
/// [proc_sys_kernel(5)](https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html).
pub fn unlimit_kmsg() -> Result<()> {
    let path = "/proc/sys/kernel/printk_devkmsg";
    std::fs::write(path, "on\n").tried("write \"on\" to", path)
}

/// Makes ctrl-alt-del send SIGINT to process 1 instead of an immediate reset
/// ([reboot(2)](https://man7.org/linux/man-pages/man2/reboot.2.html), `RB_DISABLE_CAD`).
pub fn disable_ctrl_alt_del() -> Result<()> {
    reboot(RebootCommand::CadOff).tried("take over", "ctrl-alt-del")
}

/// Undoes [`disable_ctrl_alt_del`]: an immediate reset is better than a key combination without effect.
pub fn enable_ctrl_alt_del() -> Result<()> {
    reboot(RebootCommand::CadOn).tried("give back", "ctrl-alt-del")
}
