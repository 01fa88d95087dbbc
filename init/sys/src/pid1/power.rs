//! Ends the machine in a way that nothing in this process can block.
//!
//! A disk that does not answer blocks sync(2) and fsync(2) for ever. A serial line with flow control can block a write.
//! A machine without free memory cannot start a thread. So a thread is started early and only waits. Once the end of
//! the machine is scheduled, it happens at that time.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::kernel::handover;
use crate::{Power, Result, SysError};

/// Time limit for reboot(2): the kernel calls each driver to shut its device down, and a broken device may not answer.
const KERNEL_LIMIT: Duration = Duration::from_secs(30);
/// The interval between attempts if the kernel refuses.
const AGAIN: Duration = Duration::from_secs(60);

const NEVER: u64 = u64::MAX;
/// The time of the end of the machine, in milliseconds since it started. It is static, because there is only one, and
/// because a signal handler can access nothing else.
static DUE: AtomicU64 = AtomicU64::new(NEVER);
static HOW: AtomicU8 = AtomicU8::new(REBOOT);
static KEEPER: OnceLock<Thread> = OnceLock::new();

const REBOOT: u8 = 0;
const POWER_OFF: u8 = 1;
const HALT: u8 = 2;

/// Starts the thread that [`end_within`] needs. Call it after [`super::watch_signals`], whose mask it inherits.
pub fn keep_power() -> Result<()> {
    // Open it now: later /proc may not be mounted, or memory may be missing.
    let sysrq = OpenOptions::new().write(true).open("/proc/sysrq-trigger").ok();
    match thread::Builder::new().name("power".to_owned()).spawn(move || keep(sysrq.as_ref())) {
        Ok(handle) => {
            // A second call has no effect: one thread is enough.
            let _ = KEEPER.set(handle.thread().clone());
            Ok(())
        }
        Err(error) => Err(SysError::from_io("start the thread for", "the end of the machine", &error)),
    }
}

/// Schedules the end of the machine after `limit`; an earlier time is kept. Returns false if the thread does not run,
/// as in a process other than process 1. Async-signal-safe (signal-safety(7)): atomics and one futex(2).
pub(crate) fn end_within(power: Power, limit: Duration) -> bool {
    let Some(keeper) = KEEPER.get() else { return false };
    let due = now().saturating_add(limit.as_millis() as u64).min(NEVER - 1);
    if due < DUE.fetch_min(due, Ordering::SeqCst) {
        let how = match power {
            Power::Reboot => REBOOT,
            Power::PowerOff => POWER_OFF,
            Power::Halt => HALT,
        };
        HOW.store(how, Ordering::SeqCst);
    }
    keeper.unpark();
    true
}

/// True if the end of the machine is scheduled.
pub(crate) fn is_ending() -> bool {
    DUE.load(Ordering::SeqCst) != NEVER
}

fn now() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}

fn keep(sysrq: Option<&File>) {
    loop {
        match DUE.load(Ordering::SeqCst) {
            NEVER => thread::park(),
            due => match due.saturating_sub(now()) {
                0 => break,
                left => thread::park_timeout(Duration::from_millis(left)),
            },
        }
    }
    let power = match HOW.load(Ordering::SeqCst) {
        POWER_OFF => Power::PowerOff,
        HALT => Power::Halt,
        _ => Power::Reboot,
    };
    // Use another thread, because reboot(2) may hang. If it cannot be started, this thread calls it; in the worst case
    // it hangs.
    let asked = thread::Builder::new().name("reboot".to_owned()).spawn(move || handover::reboot_now(power));
    if asked.is_ok() {
        thread::sleep(KERNEL_LIMIT);
    }
    loop {
        // If it is refused, sysrq follows, which does not call any driver.
        let _ = handover::reboot_now(power);
        if let Some(mut sysrq) = sysrq {
            // The last resort of the kernel, which does not call any driver (Documentation/admin-guide/sysrq.rst). It
            // cannot halt.
            let key: &[u8] = match power {
                Power::Reboot => b"b",
                Power::PowerOff => b"o",
                Power::Halt => b"",
            };
            // A refusal cannot be reported anywhere.
            let _ = sysrq.write(key);
        }
        thread::sleep(AGAIN);
    }
}
