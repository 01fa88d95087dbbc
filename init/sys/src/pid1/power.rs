//! The machine's end that nothing in this process can hold up.
//!
//! A disk that does not answer holds sync(2) and fsync(2) for ever, a serial line whose other end says "wait" holds a write,
//! and a machine without memory has no new thread. So a thread is made while there is room, and only waits: once the end
//! of the machine has a time, it comes at that time.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::kernel::handover;
use crate::{Power, Result, SysError};

/// How long reboot(2) may take: the kernel asks each driver to shut its device down, and a dead one may not answer.
const KERNEL_LIMIT: Duration = Duration::from_secs(30);
/// How often what was refused is tried again.
const AGAIN: Duration = Duration::from_secs(60);

const NEVER: u64 = u64::MAX;
/// When the machine ends, in milliseconds since it started. Statics, because a machine has one end, whoever asks for it, and a
/// signal handler can reach nothing else.
static DUE: AtomicU64 = AtomicU64::new(NEVER);
static HOW: AtomicU8 = AtomicU8::new(REBOOT);
static KEEPER: OnceLock<Thread> = OnceLock::new();

const REBOOT: u8 = 0;
const POWER_OFF: u8 = 1;
const HALT: u8 = 2;

/// Starts the thread that [`end_within`] needs. Call it after [`super::watch_signals`], whose mask it inherits.
pub fn keep_power() -> Result<()> {
    // Opened now: later there may be no /proc here, and no room.
    let sysrq = OpenOptions::new().write(true).open("/proc/sysrq-trigger").ok();
    match thread::Builder::new().name("power".to_owned()).spawn(move || keep(sysrq.as_ref())) {
        Ok(handle) => {
            // A second call changes nothing: one keeper is enough.
            let _ = KEEPER.set(handle.thread().clone());
            Ok(())
        }
        Err(error) => Err(SysError::from_io("start the thread for", "the end of the machine", &error)),
    }
}

/// Has the machine end after `limit` at the latest, whatever hangs meanwhile; an earlier end stays as it is. False where nobody
/// sees to it, as in a process that is not process 1. Async-signal-safe (signal-safety(7)): atomics and one futex(2).
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

/// True once the machine's end has a time.
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
    // By a thread that may hang in it. Without one, by this: then the worst case is a reboot(2) that hangs.
    let asked = thread::Builder::new().name("reboot".to_owned()).spawn(move || handover::reboot_now(power));
    if asked.is_ok() {
        thread::sleep(KERNEL_LIMIT);
    }
    loop {
        // Refused, it is followed by what no driver is asked for.
        let _ = handover::reboot_now(power);
        if let Some(mut sysrq) = sysrq {
            // The kernel's own last resort, which asks no driver (Documentation/admin-guide/sysrq.rst); it has no halt.
            let key: &[u8] = match power {
                Power::Reboot => b"b",
                Power::PowerOff => b"o",
                Power::Halt => b"",
            };
            // Nothing is left to report a refusal to.
            let _ = sysrq.write(key);
        }
        thread::sleep(AGAIN);
    }
}
