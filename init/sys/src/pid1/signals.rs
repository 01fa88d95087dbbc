//! Signals of process 1, one after the other from a descriptor.

use std::io;

use nix::sys::signal::{SigSet, Signal as Number};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::kernel::{Tried, programs};
use crate::{Result, SysError};

/// A wish that reached process 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: ctrl-alt-del, after [`super::disable_ctrl_alt_del`].
    CtrlAltDel,
    /// SIGTERM.
    Terminate,
    /// SIGPWR: the power fails.
    PowerFails,
}

/// Blocks the signals in this thread and starts a thread that reaps orphans on SIGCHLD and reports the rest to `on`.
///
/// Call it in `main`, before other threads start: they inherit the mask, and a signal that one of them does not block
/// would reach that one. What [`crate::Sys::run`] waits for is never reaped here.
/// See [signalfd(2)](https://man7.org/linux/man-pages/man2/signalfd.2.html).
pub fn watch_signals(on: impl Fn(Signal) + Send + 'static) -> Result<()> {
    let subject = "the signals of process 1";
    let mut set = SigSet::empty();
    for number in [Number::SIGCHLD, Number::SIGINT, Number::SIGTERM, Number::SIGPWR] {
        set.add(number);
    }
    let failed = |errno: nix::Error| io::Error::from(errno);
    set.thread_block().map_err(failed).tried("block", subject)?;
    let descriptor =
        SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC).map_err(failed).tried("watch", subject)?;
    let watch = move || {
        // Children that died before anybody watched.
        programs::reap_orphans();
        loop {
            match descriptor.read_signal() {
                Ok(Some(info)) => match Number::try_from(info.ssi_signo as i32) {
                    Ok(Number::SIGCHLD) => drop(programs::reap_orphans()),
                    Ok(Number::SIGINT) => on(Signal::CtrlAltDel),
                    Ok(Number::SIGTERM) => on(Signal::Terminate),
                    Ok(Number::SIGPWR) => on(Signal::PowerFails),
                    // Not in the set.
                    _ => {}
                },
                Ok(None) | Err(nix::Error::EINTR) => {}
                // The descriptor is ours and valid: there is no way on, and orphans that stay cost a pid each.
                Err(_) => return,
            }
        }
    };
    match std::thread::Builder::new().name("signals".to_owned()).spawn(watch) {
        Ok(_) => Ok(()),
        Err(error) => Err(SysError::from_io("start the thread for", subject, &error)),
    }
}
