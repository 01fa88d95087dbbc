//! Runs the machine: at a terminal, or unattended until a check has ended. The machine ends with this process.

use std::io::{ErrorKind, Read, Write, stderr, stdout};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{SigSet, Signal};

use super::check::Report;

/// How often to check the machine.
const TICK: Duration = Duration::from_millis(100);

/// A signal has arrived that ends the try.
static ENDED: AtomicBool = AtomicBool::new(false);

/// From now on SIGINT, SIGTERM and SIGHUP end a running machine before this process, so that no QEMU is left behind. At a
/// terminal, QEMU reads Ctrl-C as a key.
pub fn catch_signals() -> Result<()> {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    // Programs that are started later get an empty mask, by std.
    signals.thread_block().context("cannot block signals")?;
    thread::spawn(move || {
        if signals.wait().is_ok() {
            ENDED.store(true, Ordering::Relaxed);
        }
    });
    Ok(())
}

/// A running QEMU. Dropping this ends it.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(command.spawn().context("cannot start QEMU")?))
    }

    /// The exit status, if QEMU has ended.
    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        if ENDED.load(Ordering::Relaxed) {
            bail!("ended by a signal");
        }
        self.0.try_wait().context("cannot wait for QEMU")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs QEMU at this terminal until it ends.
pub fn attended(mut command: Command) -> Result<()> {
    let mut machine = Running::start(&mut command)?;
    loop {
        if let Some(status) = machine.ended()? {
            if !status.success() {
                bail!("QEMU failed ({status}); see its messages above");
            }
            eprintln!("the machine has ended");
            return Ok(());
        }
        thread::sleep(TICK);
    }
}

/// The result of a check.
#[derive(Debug)]
pub struct Verdict {
    /// The command's exit status.
    pub status: u8,
    /// The node's boot.json.
    pub boot_json: Option<Vec<u8>>,
    /// The time since the start of the machine.
    pub after: Duration,
}

/// Runs QEMU until the check has ended, with the console on standard error and the command's output on standard output.
pub fn checked(mut command: Command, socket: &Path, token: &str, timeout: Duration) -> Result<Verdict> {
    let started = Instant::now();
    let listener = UnixListener::bind(socket).context("cannot listen for the check")?;
    listener.set_nonblocking(true).context("cannot listen for the check")?;
    let error = stderr().as_fd().try_clone_to_owned().context("cannot share standard error")?;
    let mut machine = Running::start(command.stdin(Stdio::null()).stdout(error))?;
    let mut port: Option<UnixStream> = None;
    let mut report = Report::new(token);
    let mut buffer = [0; 4096];
    loop {
        let ended = machine.ended()?;
        let mut has_more = false;
        match &mut port {
            None => match listener.accept() {
                Ok((stream, _)) => {
                    stream
                        .set_nonblocking(false)
                        .and_then(|()| stream.set_read_timeout(Some(TICK)))
                        .context("cannot use a socket")?;
                    port = Some(stream);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(TICK),
                Err(error) => return Err(error).context("QEMU cannot be reached"),
            },
            Some(stream) => match stream.read(&mut buffer) {
                // QEMU closes the socket when it ends.
                Ok(0) => thread::sleep(TICK),
                Ok(length) => {
                    has_more = true;
                    let said = report.feed(buffer.get(..length).unwrap_or_default())?;
                    let mut out = stdout().lock();
                    // The reader may have closed standard output; the exit status still counts.
                    let _ = out.write_all(&said).and_then(|()| out.flush());
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error).context("cannot read the check's answer"),
            },
        }
        let after = started.elapsed();
        if report.is_whole() || (ended.is_some() && !has_more && report.status.is_some()) {
            let status = report.status.context("the check has no status")?;
            return Ok(Verdict { status, boot_json: report.boot_json().map(<[u8]>::to_vec), after });
        }
        if let Some(status) = ended.filter(|_| !has_more) {
            let what = if report.has_begun() { "while the check ran" } else { "before the check could run" };
            if !status.success() {
                bail!("QEMU failed {what} ({status}); see its messages above");
            }
            bail!(
                "the machine ended or restarted {what}, after {:.0} s; its console above says why{}",
                after.as_secs_f32(),
                if report.has_begun() { "" } else { ": look for \"What went wrong\"" }
            );
        }
        if after > timeout {
            let what = if report.has_begun() {
                "the check did not end"
            } else {
                "the check did not begin: the OS was not up (it must be systemd or OpenRC with a /bin/sh)"
            };
            bail!("{what} within {} s; --timeout allows more time", timeout.as_secs());
        }
    }
}
