//! A program that runs beside a test: a child in the foreground, with its output in a log. It ends with the thread that started it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result};

/// How many lines of a log an error shows.
const TAIL: usize = 15;

/// A running program. Dropping this kills it.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `program` with `arguments`, and appends its output to `log`. It runs in the network namespace of this thread.
    pub fn start(name: &str, program: &Path, arguments: &[String], log: &Path) -> Result<Self> {
        let output = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot open {}", log.display()))?;
        // The kernel ends it when this thread ends, for whatever reason: a killed test leaves nothing behind.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).args(arguments);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {name} ({}); run qemu/provision", program.display()))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// The exit status, if the program has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot wait for {}", self.name))
    }

    /// The program's name and the end of its log, for an error.
    pub fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        format!("{} last said (all of it is in {}):\n{tail}", self.name, self.log.display())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        // A drop cannot handle an error.
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn keeps_what_was_said_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let script = ["-c".to_owned(), "echo the reason >&2; exit 3".to_owned()];
        let mut daemon = Daemon::start("greeter", Path::new("/bin/sh"), &script, &log).unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        let status = loop {
            match daemon.ended().unwrap() {
                Some(status) => break status,
                None if Instant::now() > end => panic!("it does not end"),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        assert_eq!(status.code(), Some(3));
        assert!(daemon.last_words().ends_with("the reason"), "{}", daemon.last_words());
    }
}
