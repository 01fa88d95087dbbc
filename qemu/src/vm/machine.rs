//! A running machine.

use std::{
    fs,
    io::Write,
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Builder, Match, Output, Ready, agent::Agent, console::Console, explain, kernel_and_accel, qmp::Qmp,
};

/// How long QEMU may take from its start to the connection of its sockets.
const CONNECT: Duration = Duration::from_secs(30);

/// How often to check a booting machine for a kernel panic.
const LOOK: Duration = Duration::from_millis(500);

/// How a machine ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The guest powered off.
    PowerOff,
    /// The guest asked for a reset (and the machine was built not to boot again).
    Reset,
    /// Anything else, in QEMU's terms.
    Other(String),
}

/// A running machine. Dropping this ends it.
pub struct Vm {
    name: String,
    child: Child,
    stdin: Option<Mutex<ChildStdin>>,
    console: Console,
    qmp: Mutex<Qmp>,
    agent: Mutex<Agent>,
    dir: TempDir,
    explain: Vec<String>,
}

impl Vm {
    /// Starts the machine that `builder` describes.
    pub(super) fn start(builder: Builder) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("dayfly-vm.")
            .tempdir()
            .context("cannot make a temporary folder")?;
        let (kernel, accel) = kernel_and_accel(&builder)?;
        let (qmp, agent) = (listen(&dir, "qmp")?, listen(&dir, "agent")?);
        let log = match &builder.log {
            Some(path) => {
                fs::File::create(path).with_context(|| format!("cannot make the log {}", path.display()))?
            }
            None => tempfile::tempfile()?,
        };
        let errors = dir.path().join("stderr");
        // The kernel ends QEMU when this thread ends, for whatever reason: a killed test leaves no machine behind.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        command.args(builder.arguments(&kernel, accel, dir.path())?);
        command.args(["-serial", if builder.interactive { "mon:stdio" } else { "stdio" }]);
        command.arg("-chardev").arg(format!("socket,id=agent,path={}", dir.path().join("agent").display()));
        command.args(["-serial", "chardev:agent"]);
        command.arg("-chardev").arg(format!("socket,id=qmp,path={}", dir.path().join("qmp").display()));
        command.args(["-mon", "chardev=qmp,mode=control"]);
        if !builder.interactive {
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            command.stderr(fs::File::create(&errors).context("cannot make a file for QEMU's errors")?);
        }
        let mut child = Guard(Some(
            command.spawn().context("cannot start setpriv qemu-system-x86_64; run qemu/provision")?,
        ));
        let running = child.get()?;
        let stdin = running.stdin.take().map(Mutex::new);
        let console = match running.stdout.take() {
            Some(stdout) => Console::read(stdout, log),
            None => Console::read(std::io::empty(), log),
        };
        let agent = Agent::new(accept(&agent, running, &errors)?)?;
        let qmp = Qmp::new(accept(&qmp, running, &errors)?)?;
        let child = child.0.take().context("QEMU is gone")?;
        Ok(Self {
            name: builder.name,
            child,
            stdin,
            console,
            qmp: Mutex::new(qmp),
            agent: Mutex::new(agent),
            dir,
            explain: builder.explain,
        })
    }

    /// Waits for text on the console after the previous match; see [`Console::expect`].
    pub fn expect(&self, pattern: &str, deadline: Duration) -> Result<Match> {
        self.console.expect(pattern, deadline).with_context(|| format!("machine {}", self.name))
    }

    /// Waits for the agent of the test image to report that its services are started. Later matches are for later console output.
    pub fn wait_ready(&self, deadline: Duration) -> Result<Ready> {
        let end = Instant::now() + deadline;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let said = self.agent().wait_ready(left.min(LOOK));
            let why = match said {
                Ok(Some(ready)) => {
                    self.console.skip();
                    return Ok(ready);
                }
                Ok(None) if left.is_zero() => format!("{:.0} s have passed", deadline.as_secs_f32()),
                Ok(None) => match self.console.trouble() {
                    Some(trouble) => trouble.to_owned(),
                    None => continue,
                },
                Err(error) => format!("{error:#}"),
            };
            let tail = self.console.tail();
            bail!("machine {}: the OS is not up: {why}. Its last lines:\n{tail}", self.name);
        }
    }

    /// Everything the console printed, without terminal codes.
    pub fn console(&self) -> String {
        self.console.text()
    }

    /// Host time since the machine was started.
    pub fn elapsed(&self) -> Duration {
        self.console.elapsed()
    }

    /// Types text into the console.
    pub fn send(&self, text: &str) -> Result<()> {
        let stdin = self.stdin.as_ref().context("an interactive machine listens to the terminal only")?;
        let mut stdin = stdin.lock().unwrap_or_else(PoisonError::into_inner);
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).context("cannot type into the console")
    }

    fn agent(&self) -> std::sync::MutexGuard<'_, Agent> {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a bash script in the booted test image, as root, and returns its output. Call [`Vm::wait_ready`] first.
    pub fn run(&self, script: &str) -> Result<Output> {
        self.agent()
            .run(script, Duration::from_secs(120))
            .with_context(|| format!("machine {}: {script}", self.name))
    }

    /// Like [`Vm::run`], but a status other than 0 is an error with the output. Returns the output without the last newline.
    pub fn check(&self, script: &str) -> Result<String> {
        let output = self.run(script)?;
        if output.status != 0 {
            bail!(
                "machine {}: `{script}` ended with {} and printed:\n{}",
                self.name,
                output.status,
                output.text
            );
        }
        Ok(output.text.trim_end().to_owned())
    }

    /// Sends a script and does not wait for its end, for `systemctl reboot` for example.
    pub fn run_unattended(&self, script: &str) -> Result<()> {
        self.agent().send(script)
    }

    /// /run/dayfly/boot.json of the booted system. An error if its plan differs from that of `dayfly explain`.
    pub fn boot_json(&self) -> Result<Value> {
        let text = self.check("cat /run/dayfly/boot.json")?;
        let report: Value = serde_json::from_str(&text)
            .with_context(|| format!("machine {}: boot.json is not JSON:\n{text}", self.name))?;
        // Under dracut, the parameters that its initramfs adds to the command line count too.
        let cmdline = self.check("cat /run/dayfly/cmdline 2>/dev/null || cat /proc/cmdline")?;
        explain::compare(&report, &cmdline, &self.explain)
            .with_context(|| format!("machine {}: {cmdline}", self.name))?;
        Ok(report)
    }

    /// Adds arguments for [`super::Builder::explain`] that are known only when the machine runs.
    pub fn explain(&mut self, arguments: &[&str]) {
        self.explain.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    }

    /// Executes a QMP command and returns its answer.
    pub fn qmp(&self, command: &str, arguments: &Value) -> Result<Value> {
        self.qmp.lock().unwrap_or_else(PoisonError::into_inner).execute(command, arguments)
    }

    /// The QMP events so far, oldest first.
    pub fn events(&self) -> Vec<Value> {
        self.qmp.lock().unwrap_or_else(PoisonError::into_inner).events()
    }

    /// Presses the power button.
    pub fn power_button(&self) -> Result<()> {
        self.qmp("system_powerdown", &json!({})).map(|_| ())
    }

    /// Connects or disconnects the cable of the n-th card.
    pub fn set_link(&self, nic: usize, up: bool) -> Result<()> {
        self.qmp("set_link", &json!({ "name": format!("nic{nic}"), "up": up })).map(|_| ())
    }

    /// The host memory that QEMU holds, in KiB: `VmRSS` of /proc/PID/status.
    pub fn host_rss(&self) -> Result<u64> {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).context("QEMU is gone")?;
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc")?;
        line.trim().trim_end_matches(" kB").parse().context("VmRSS is not a number")
    }

    /// Waits until QEMU has ended and returns why the guest ended.
    pub fn wait_end(&mut self, deadline: Duration) -> Result<Ending> {
        let end = Instant::now() + deadline;
        while self.child.try_wait().context("cannot wait for QEMU")?.is_none() {
            if Instant::now() > end {
                bail!(
                    "machine {} still runs after {:.0} s. Its last lines:\n{}",
                    self.name,
                    deadline.as_secs_f32(),
                    self.console.tail()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // QEMU sent the event before it ended, but the thread that reads it may be behind.
        let shutdown = self
            .qmp
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .wait_event("SHUTDOWN", Duration::from_secs(5));
        let reason = shutdown.ok().and_then(|event| event["data"]["reason"].as_str().map(str::to_owned));
        Ok(match reason.as_deref() {
            Some("guest-shutdown") => Ending::PowerOff,
            Some("guest-reset") => Ending::Reset,
            Some(other) => Ending::Other(other.to_owned()),
            None => Ending::Other(fs::read_to_string(self.dir.path().join("stderr")).unwrap_or_default()),
        })
    }

    /// Whether QEMU has ended.
    pub fn has_ended(&self) -> bool {
        !Path::new(&format!("/proc/{}/fd", self.child.id()))
            .read_dir()
            .is_ok_and(|mut fds| fds.next().is_some())
    }

    /// Waits until the person at the terminal has ended an interactive machine.
    pub fn wait_interactive(&mut self) -> Result<()> {
        self.child.wait().map(|_| ()).context("cannot wait for QEMU")
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        // A drop cannot handle an error.
        let _ = self.child.wait();
    }
}

/// Ends the child unless it was taken out.
struct Guard(Option<Child>);

impl Guard {
    fn get(&mut self) -> Result<&mut Child> {
        self.0.as_mut().context("QEMU is gone")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // As for `Vm`.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn listen(dir: &TempDir, name: &str) -> Result<UnixListener> {
    let listener = UnixListener::bind(dir.path().join(name))
        .with_context(|| format!("cannot make the socket {name}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Waits for QEMU to connect. If QEMU ends first, the error has its messages.
fn accept(listener: &UnixListener, child: &mut Child, errors: &Path) -> Result<UnixStream> {
    let end = Instant::now() + CONNECT;
    loop {
        match listener.accept() {
            Ok((socket, _)) => {
                socket.set_nonblocking(false)?;
                return Ok(socket);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("cannot accept QEMU's connection"),
        }
        if let Some(status) = child.try_wait()? {
            bail!("QEMU ended at once ({status}): {}", fs::read_to_string(errors).unwrap_or_default());
        }
        if Instant::now() > end {
            bail!("QEMU did not connect within {} s", CONNECT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
