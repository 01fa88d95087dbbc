//! The kernel's panic timeout. The kernel panics if process 1 dies, and by default it then halts for ever. See
//! [proc_sys_kernel(5)](https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html), `panic`.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::Result;
use crate::kernel::{Tried, changes};

const FILE: &str = "/proc/sys/kernel/panic";
/// The value that Dayfly set, in seconds, if it was not changed since; else 0.
static OURS: AtomicU32 = AtomicU32::new(0);

/// Makes the kernel restart the machine `pause` after a panic, unless this is configured already: in the kernel
/// (`CONFIG_PANIC_TIMEOUT`) or on the command line (`panic=`, `sysctl.kernel.panic=`). Returns the effective pause;
/// `None` is no restart.
pub fn set_panic_timeout(pause: Duration) -> Result<Option<Duration>> {
    let text = fs::read_to_string(FILE).tried("read", FILE)?;
    match text.trim().parse::<i64>() {
        Ok(0) => {}
        Ok(seconds) => return Ok(Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))),
        // The value has an unknown format: do not change it.
        Err(_) => return Ok(Some(pause)),
    }
    let cmdline = fs::read_to_string("/proc/cmdline").tried("read", "/proc/cmdline")?;
    if is_decided(&cmdline) {
        return Ok(None);
    }
    let seconds = u32::try_from(pause.as_secs()).unwrap_or(u32::MAX).max(1);
    set(seconds)?;
    OURS.store(seconds, Ordering::SeqCst);
    Ok(Some(pause))
}

/// Whether the command line configures the panic timeout. Words after `--` are for init.
fn is_decided(cmdline: &str) -> bool {
    const WORDS: [&str; 3] = ["panic=", "sysctl.kernel.panic=", "sysctl.kernel/panic="];
    cmdline
        .split_whitespace()
        .take_while(|word| *word != "--")
        .any(|word| WORDS.iter().any(|start| word.starts_with(start)))
}

fn set(seconds: u32) -> Result<()> {
    changes::write(&crate::own(FILE), format!("{seconds}\n").as_bytes(), 0o644)
}

/// Called when a sysctl of the settings was written: the value then belongs to the node.
pub(crate) fn written(path: &Path) {
    if path == Path::new(FILE) {
        OURS.store(0, Ordering::SeqCst);
    }
}

/// Restores the kernel's default for the OS, which has its own policy. Returns the value that [`take`] needs.
pub(crate) fn give_back() -> u32 {
    let seconds = OURS.swap(0, Ordering::SeqCst);
    // If the kernel refuses, it still restarts the machine after a panic, which does no harm.
    let _ = if seconds == 0 { Ok(()) } else { set(0) };
    seconds
}

/// Undoes [`give_back`].
pub(crate) fn take(seconds: u32) {
    if seconds > 0 && set(seconds).is_ok() {
        OURS.store(seconds, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::is_decided;

    #[test]
    fn a_word_on_the_command_line_decides() {
        for (cmdline, decided) in [
            ("quiet panic=0 root=x", true),
            ("sysctl.kernel.panic=0", true),
            ("sysctl.kernel/panic=0", true),
            ("dayfly.panic=3 panic_on_warn=1 panic_print=1", false),
            ("quiet -- panic=0", false),
            ("", false),
        ] {
            assert_eq!(is_decided(cmdline), decided, "{cmdline}");
        }
    }
}
