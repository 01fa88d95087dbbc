//! What the kernel does when it panics, as it does over the death of process 1: by default it stops for ever.
//! See [proc_sys_kernel(5)](https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html), `panic`.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::Result;
use crate::kernel::{Tried, files};

const FILE: &str = "/proc/sys/kernel/panic";
/// What we have set and nobody has changed since, in seconds; 0 where the value is somebody else's.
static OURS: AtomicU32 = AtomicU32::new(0);

/// Has the kernel restart the machine `pause` after a panic, unless somebody has decided about that: who built the kernel
/// (`CONFIG_PANIC_TIMEOUT`) or who wrote the command line (`panic=`, `sysctl.kernel.panic=`). Returns the pause that holds;
/// `None` is for ever.
pub fn set_panic_timeout(pause: Duration) -> Result<Option<Duration>> {
    let text = fs::read_to_string(FILE).tried("read", FILE)?;
    match text.trim().parse::<i64>() {
        Ok(0) => {}
        Ok(seconds) => return Ok(Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))),
        // A kernel that counts in something else knows what it does.
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

/// Whether the command line says what follows a panic. Behind `--` the words are for init.
fn is_decided(cmdline: &str) -> bool {
    const WORDS: [&str; 3] = ["panic=", "sysctl.kernel.panic=", "sysctl.kernel/panic="];
    cmdline
        .split_whitespace()
        .take_while(|word| *word != "--")
        .any(|word| WORDS.iter().any(|start| word.starts_with(start)))
}

fn set(seconds: u32) -> Result<()> {
    files::write(&crate::own(FILE), format!("{seconds}\n").as_bytes(), 0o644)
}

/// Notes that a setting of the node has been written: the value is the node's own then.
pub(crate) fn written(path: &Path) {
    if path == Path::new(FILE) {
        OURS.store(0, Ordering::SeqCst);
    }
}

/// Puts the kernel's default back for the OS, whose policy it is from now on; gives what [`take`] needs.
pub(crate) fn give_back() -> u32 {
    let seconds = OURS.swap(0, Ordering::SeqCst);
    // A kernel that refuses keeps restarting the machine over a panic, which is no harm.
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
