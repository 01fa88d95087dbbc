//! The signals of process 1, read from a descriptor.

use std::io;

use nix::sys::signal::{SigSet, Signal as Number};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::kernel::{Tried, programs};
use crate::{Result, SysError};

/// A request to process 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: ctrl-alt-del, after [`super::disable_ctrl_alt_del`].
    CtrlAltDel,
    /// SIGTERM.
    Terminate,
    /// SIGPWR: the power fails.
    PowerFails,
}

/// Blocks the signals in this thread and starts a thread that reaps orphans on SIGCHLD and passes the other signals to
/// `on`.
///
/// Call it in `main`, before other threads start. They inherit the mask; a thread that does not block a signal could
/// receive it. Children of [`crate::Sys::run`] are never reaped here. See
/// [signalfd(2)](https://man7.org/linux/man-pages/man2/signalfd.2.html).
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
        // Reap children that died before the thread started.
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
                // This cannot happen with a valid descriptor. Stop then; each orphan that is not reaped occupies a pid.
                Err(_) => return,
            }
        }
    };
    match std::thread::Builder::new().name("signals".to_owned()).spawn(watch) {
        Ok(_) => Ok(()),
        Err(error) => Err(SysError::from_io("start the thread for", subject, &error)),
    }
}
