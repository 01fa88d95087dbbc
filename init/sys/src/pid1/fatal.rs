//! Handles the signals of fatal faults: a stack overflow, failed memory allocation, an abort.
//!
//! Without a handler, such a signal ends process 1, and the kernel panics without a message from Dayfly. The handler
//! writes a message to descriptors that were opened before, and schedules a restart of the machine. It runs on the
//! alternate stack that Rust's runtime sets up for the main thread and every thread of std (sigaltstack(2)).

use std::fs::OpenOptions;
use std::os::fd::{BorrowedFd, IntoRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::{memory, power};
use crate::kernel::{Tried, console, handover};
use crate::{Power, Result};

/// The signals of faults.
const SIGNALS: [(Signal, &str); 7] = [
    (Signal::SIGSEGV, "SIGSEGV"),
    (Signal::SIGBUS, "SIGBUS"),
    (Signal::SIGILL, "SIGILL"),
    (Signal::SIGFPE, "SIGFPE"),
    (Signal::SIGABRT, "SIGABRT"),
    (Signal::SIGTRAP, "SIGTRAP"),
    (Signal::SIGSYS, "SIGSYS"),
];
/// Extra time for the last message, in addition to the pause.
const SAY: Duration = Duration::from_secs(5);
/// An access this close to the end of the stack counts as a stack overflow: a large frame is probed page by page.
const NEAR: usize = 64 << 10;

/// The descriptors for the last message: the kernel log, and as many consoles as a machine can reasonably have.
static LOG: AtomicI32 = AtomicI32::new(-1);
static CONSOLES: [AtomicI32; 8] = [const { AtomicI32::new(-1) }; 8];
/// The pause before the restart in milliseconds; the maximum value means no restart.
static PAUSE: AtomicU64 = AtomicU64::new(u64::MAX);
/// Set by the first thread that fails, together with its id.
static FAILED: AtomicBool = AtomicBool::new(false);
static FAILED_THREAD: AtomicI32 = AtomicI32::new(0);

/// Installs the handler: a last message, then a restart after `pause` (`None`: the machine stays, like the kernel after
/// a panic). For process 1 only, after its first mounts.
#[allow(unsafe_code)]
pub fn handle_faults(pause: Option<Duration>) -> Result<()> {
    PAUSE.store(pause.map_or(u64::MAX, |pause| pause.as_millis() as u64), Ordering::SeqCst);
    let open = |path: &str| -> RawFd {
        let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
        // Skip a console that cannot be opened.
        OpenOptions::new().write(true).custom_flags(flags).open(path).map_or(-1, IntoRawFd::into_raw_fd)
    };
    LOG.store(open("/dev/kmsg"), Ordering::SeqCst);
    for (slot, name) in CONSOLES.iter().zip(console::present()) {
        slot.store(open(&format!("/dev/{name}")), Ordering::SeqCst);
    }
    // The signal is not blocked inside the handler, so a fault in the handler calls it again, and it then restarts at
    // once.
    let flags = SaFlags::SA_SIGINFO | SaFlags::SA_ONSTACK | SaFlags::SA_NODEFER;
    let action = SigAction::new(SigHandler::SigAction(on_fault), flags, SigSet::empty());
    for (signal, name) in SIGNALS {
        // SAFETY: the handler makes async-signal-safe calls only (signal-safety(7)): atomics, write(2), prctl(2),
        // nanosleep(2), reboot(2), futex(2); it allocates nothing and takes no lock.
        unsafe { sigaction(signal, &action) }.map_err(std::io::Error::from).tried("handle", name)?;
    }
    Ok(())
}

#[allow(unsafe_code)]
extern "C" fn on_fault(number: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    if !super::is_pid1() {
        // This is a child before its exec. It dies of its own fault, as it would without the handler.
        //
        // SAFETY: SIG_DFL installs no handler; the instruction is run again and ends the child.
        unsafe { libc::signal(number, libc::SIG_DFL) };
        return;
    }
    // SAFETY: the kernel passes a siginfo_t to a handler with SA_SIGINFO; `si_code` is valid for every signal.
    let code = unsafe { (*info).si_code };
    // SAFETY: a code of 0 or less means that a process sent the signal, so `si_pid` is valid.
    if code <= 0 && unsafe { (*info).si_pid() } != 1 {
        // Another process sent it with kill(2). It is not a fault, and without a handler process 1 would not have
        // received it.
        return;
    }
    let thread = rustix::thread::gettid().as_raw_nonzero().get();
    if FAILED.swap(true, Ordering::SeqCst) {
        if FAILED_THREAD.load(Ordering::SeqCst) == thread {
            // A second fault, inside the handler. If the restart is refused, only waiting is left.
            let _ = handover::reboot_now(Power::Reboot);
        }
        stay();
    }
    FAILED_THREAD.store(thread, Ordering::SeqCst);
    let pause = match PAUSE.load(Ordering::SeqCst) {
        u64::MAX => None,
        pause => Some(Duration::from_millis(pause)),
    };
    // Schedule the restart first, because a console can block the following writes.
    let kept = pause.is_none_or(|pause| power::end_within(Power::Reboot, pause + SAY));
    let mut line = Line::new();
    line.text("\ndayfly: process 1 cannot continue: ");
    // SAFETY: the kernel passes these pointers to a handler with SA_SIGINFO.
    let (address, stack) = unsafe { (address(info), stack_pointer(context)) };
    describe(&mut line, number, code, address, stack);
    line.text(" in the thread ");
    line.text_of(&thread_name());
    line.text(" [init.panic]; ");
    match pause {
        Some(pause) => {
            line.text("the machine restarts in ");
            line.number(pause.as_secs(), 10);
            line.text(" s\n");
        }
        None => line.text("the machine waits (panic=0). Press Ctrl-Alt-Del to restart it\n"),
    }
    for console in &CONSOLES {
        write(console, line.bytes());
    }
    // The kernel writes to its consoles synchronously, which can be slow. So write to its log only if that cannot delay
    // the restart.
    if kept {
        let mut record = Line::new();
        record.text("<2>");
        record.text_of(line.bytes().get(1..).unwrap_or_default());
        write(&LOG, record.bytes());
    }
    if let Some(pause) = pause {
        std::thread::sleep(pause);
        // If it is refused, the thread of the `power` module ends the machine.
        let _ = handover::reboot_now(Power::Reboot);
    }
    stay();
}

/// Stops the failed thread.
fn stay() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn describe(line: &mut Line, number: i32, code: i32, address: usize, stack: usize) {
    let name =
        SIGNALS.iter().find(|(signal, _)| *signal as i32 == number).map_or("a signal", |(_, name)| name);
    let room = memory::refused();
    if number == libc::SIGABRT && room > 0 {
        line.text("no memory for ");
        line.number(room as u64, 10);
        line.text(" bytes (");
        line.text(name);
        line.text(")");
        return;
    }
    if number == libc::SIGSEGV && code > 0 && address.abs_diff(stack) < NEAR {
        line.text("stack overflow (");
    } else {
        line.text("a fault (");
    }
    line.text(name);
    if code > 0 {
        line.text(" at 0x");
        line.number(address as u64, 16);
    }
    line.text(")");
}

/// `info` must be the pointer that the kernel passed to the handler.
#[allow(unsafe_code)]
unsafe fn address(info: *const libc::siginfo_t) -> usize {
    // SAFETY: the caller's promise; the field is within siginfo_t whatever the signal, and only a number here.
    unsafe { (*info).si_addr() as usize }
}

/// # Safety
/// `context` is what the kernel handed to a handler with `SA_SIGINFO`.
#[allow(unsafe_code)]
unsafe fn stack_pointer(context: *const libc::c_void) -> usize {
    let context = context.cast::<libc::ucontext_t>();
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's promise; the array has an entry for each register.
    let pointer = unsafe { (*context).uc_mcontext.gregs }.get(libc::REG_RSP as usize).copied().unwrap_or(0);
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the caller's promise.
    let pointer = unsafe { (*context).uc_mcontext.sp };
    pointer as usize
}

/// The kernel's name of the thread, NUL-terminated (PR_GET_NAME(2const)).
#[allow(unsafe_code)]
fn thread_name() -> [u8; 16] {
    let mut name = [0_u8; 16];
    // SAFETY: the kernel writes at most 16 bytes.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name
}

#[allow(unsafe_code)]
fn write(slot: &AtomicI32, bytes: &[u8]) {
    let raw = slot.load(Ordering::SeqCst);
    if raw >= 0 {
        // SAFETY: the descriptor was opened for this and is never closed.
        let fd = unsafe { BorrowedFd::borrow_raw(raw) };
        // A failure of this write cannot be reported anywhere.
        let _ = rustix::io::write(fd, bytes);
    }
}

/// A line buffer on the stack, because the handler must not allocate.
struct Line {
    bytes: [u8; 320],
    length: usize,
}

impl Line {
    fn new() -> Self {
        Self { bytes: [0; 320], length: 0 }
    }

    fn text(&mut self, text: &str) {
        self.text_of(text.as_bytes());
    }

    /// Appends the text up to a NUL.
    fn text_of(&mut self, text: &[u8]) {
        for byte in text.iter().take_while(|byte| **byte != 0) {
            if let Some(slot) = self.bytes.get_mut(self.length) {
                *slot = *byte;
                self.length += 1;
            }
        }
    }

    fn number(&mut self, number: u64, base: u64) {
        if number >= base {
            self.number(number / base, base);
        }
        let digit = (number % base) as usize;
        self.text_of(b"0123456789abcdef".get(digit..=digit).unwrap_or_default());
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_what_it_was() {
        for (number, code, address, stack, expected) in [
            (libc::SIGSEGV, 1, 0x7000_0ff8, 0x7000_1000, "stack overflow (SIGSEGV at 0x70000ff8)"),
            (libc::SIGSEGV, 1, 0, 0x7000_1000, "a fault (SIGSEGV at 0x0)"),
            (libc::SIGBUS, 2, 0xab, 0x7000_1000, "a fault (SIGBUS at 0xab)"),
            (libc::SIGABRT, -6, 0, 0x7000_1000, "a fault (SIGABRT)"),
        ] {
            let mut line = Line::new();
            describe(&mut line, number, code, address, stack);
            assert_eq!(std::str::from_utf8(line.bytes()).unwrap(), expected);
        }
    }

    #[test]
    fn a_line_ends_where_its_room_does() {
        let mut line = Line::new();
        for _ in 0..100 {
            line.text("0123456789");
        }
        line.number(u64::MAX, 10);
        assert_eq!(line.bytes().len(), 320);
    }
}
