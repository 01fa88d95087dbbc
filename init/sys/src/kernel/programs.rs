//! Runs programs, and replaces this process by one.
//!
//! PID 1 inherits every orphan and must reap it. But the exit status of a program that [`run`] waits for must reach
//! `run`. Both use the same list of children, under one lock.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, signal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

use super::Tried;
use crate::pid1::{self, panic_timeout, power};
use crate::{Result, SysError};

/// The children that [`run`] waits for. It is static, because the kernel keeps one list of children per process.
static AWAITED: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn awaited() -> MutexGuard<'static, Vec<u32>> {
    AWAITED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In process 1, reaps every dead child that is not on the list, and returns their number. In other processes it does
/// nothing, because an unknown child may belong to a library or another test that waits for it.
pub(crate) fn reap_orphans() -> usize {
    if !pid1::is_pid1() {
        return 0;
    }
    let awaited = awaited();
    let mut reaped = 0;
    while let Some(pid) = dead_child() {
        if awaited.contains(&pid.as_raw_nonzero().get().unsigned_abs()) {
            // `run` reaps this child, and then calls this function again for the ones behind it.
            break;
        }
        if waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG).is_err() {
            break;
        }
        reaped += 1;
    }
    reaped
}

/// Returns the next dead child without reaping it ([waitid(2)](https://man7.org/linux/man-pages/man2/waitid.2.html),
/// `WNOWAIT`). Uses libc, because rustix does not return the pid, and nix fails for a child that was ended by a
/// real-time signal.
#[allow(unsafe_code)]
fn dead_child() -> Option<Pid> {
    // SAFETY: all-zero bytes are a valid siginfo_t, which is plain data.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` is a whole siginfo_t that the kernel fills.
    let result = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options) };
    // SAFETY: after waitid(2), the pid is the field in use; it stays 0 where there was no dead child.
    let pid = unsafe { info.si_pid() };
    if result == 0 { Pid::from_raw(pid) } else { None }
}

pub(super) fn run(program: &Path, args: &[&str], limit: Option<Duration>) -> Result<i32> {
    let mut command = Command::new(program);
    command.args(args);
    prepare(&mut command);
    let shown = &program.display();
    let mut child = spawn(&mut command).tried("run", shown)?;
    let ended = wait(&mut child, limit, &mut Unheard).tried("wait for", shown);
    forget(&child);
    ended.map(|(status, _)| code(status))
}

/// Starts a child that only [`wait`] reaps. Call [`forget`] afterwards.
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    // Hold the lock until the child is on the list. Otherwise it could die and be reaped before.
    let mut awaited = awaited();
    let child = command.spawn()?;
    awaited.push(child.id());
    Ok(child)
}

/// Removes a child from the list, and reaps the orphans that were waiting behind it.
pub(super) fn forget(child: &Child) {
    awaited().retain(|pid| *pid != child.id());
    reap_orphans();
}

/// The exit status in the form of a shell.
pub(super) fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// An input that is read while a child runs.
pub(super) trait Watch {
    /// The descriptor to wait for.
    fn source(&self) -> Option<BorrowedFd<'_>>;
    /// Reads the available input.
    fn hear(&mut self);
}

/// No input, for a program on the console.
struct Unheard;

impl Watch for Unheard {
    fn source(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn hear(&mut self) {}
}

/// Waits for a child. After the time limit, it is killed together with its process group, and the result is false.
pub(super) fn wait(
    child: &mut Child,
    limit: Option<Duration>,
    watch: &mut dyn Watch,
) -> io::Result<(ExitStatus, bool)> {
    let deadline = limit.map(|limit| Instant::now() + limit);
    let pid = process(child);
    // pidfd_open exists since Linux 5.3; without it, poll every 20 ms.
    let handle = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status, true));
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            end_group(child);
            child.kill()?;
            return Ok((child.wait()?, false));
        }
        let step = if handle.is_some() { Duration::from_secs(60) } else { Duration::from_millis(20) };
        let look = left.unwrap_or(Duration::MAX).min(step);
        let timeout = Timespec { tv_sec: look.as_secs() as i64, tv_nsec: i64::from(look.subsec_nanos()) };
        let handles = handle.iter().map(AsFd::as_fd).chain(watch.source());
        let mut fds: Vec<PollFd<'_>> =
            handles.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        // A signal or a timeout: the loop checks again.
        let _ = poll(&mut fds, Some(&timeout));
        watch.hear();
    }
}

/// Kills the process group of a child, which is its leader.
pub(super) fn end_group(child: &Child) {
    if let Some(pid) = process(child) {
        // It may have ended in the meantime, so ignore the error.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

fn process(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Gives the child its own session on /dev/console, default signal handlers and an empty signal mask.
#[allow(unsafe_code)]
fn prepare(command: &mut Command) {
    let console = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open("/dev/console");
    let mut on_console = false;
    // Without a console, the program inherits our streams.
    if let Ok(console) = console
        && let (Ok(input), Ok(output)) = (console.try_clone(), console.try_clone())
    {
        command.stdin(Stdio::from(input)).stdout(Stdio::from(output)).stderr(Stdio::from(console));
        on_console = true;
    }
    let setup = move || {
        clean_signals();
        close_on_exec();
        rustix::process::setsid()?;
        if on_console {
            take_terminal(&io::stdin());
        }
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe calls are made: sigaction, sigprocmask, close_range, setsid, ioctl; no
    // allocation and no lock.
    unsafe { command.pre_exec(setup) };
}

/// Makes the console the controlling terminal, so that a shell has job control (ioctl_tty(2), `TIOCSCTTY`).
#[allow(unsafe_code)]
fn take_terminal(terminal: &impl AsRawFd) {
    // The argument 1 also takes the terminal from another session.
    //
    // SAFETY: TIOCSCTTY takes an integer and touches no memory. A console that is not a terminal refuses it, and the
    // program then runs without job control.
    let _ = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 1) };
}

/// Sets every signal to its default and unblocks all, as programs expect. Only ignored signals survive execve(2).
#[allow(unsafe_code)]
pub(super) fn clean_signals() {
    // These calls cannot fail for the signals in this list. And a program with an unusual mask is better than no
    // program.
    for one in Signal::iterator().filter(|one| !matches!(one, Signal::SIGKILL | Signal::SIGSTOP)) {
        // SAFETY: SIG_DFL installs no handler of ours.
        let _ = unsafe { signal(one, SigHandler::SigDfl) };
    }
    let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

#[allow(unsafe_code)]
pub(super) fn exec(program: &Path, args: &[String]) -> SysError {
    if power::is_ending() {
        // The end of the machine was requested, by a signal or a fault. Do not start the OS any more.
        loop {
            std::thread::park();
        }
    }
    let panic_timeout = panic_timeout::give_back();
    pid1::restore_stderr();
    let mut blocked = SigSet::empty();
    // The mask is restored if exec fails, because PID 1 continues then.
    let known = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), Some(&mut blocked)).is_ok();
    close_on_exec();
    // std restores SIGPIPE, the only signal that Rust ignores; a handler does not survive execve(2).
    let error = Command::new(program).args(args).exec();
    panic_timeout::take(panic_timeout);
    // Undo what std changed before the exec.
    //
    // SAFETY: SIG_IGN installs no handler of ours; it cannot fail for SIGPIPE.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
    if known {
        // This was the mask before, so it is valid.
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&blocked), None);
    }
    SysError::from_io("exec", program.display().to_string(), &error)
}

/// Marks all descriptors above stderr as close-on-exec, in case a library has not (close_range(2), Linux 5.11).
#[allow(unsafe_code)]
pub(super) fn close_on_exec() {
    // SAFETY: the call takes three integers and closes nothing now. Without it in the kernel, the descriptors stay as
    // they are; ours are all opened close-on-exec.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
}
