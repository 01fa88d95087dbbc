//! The connection to the agent in a booted test image: the second serial port, where `recipe/agent` answers.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use base64::{Engine, prelude::BASE64_STANDARD};

/// The output of a script in the guest, and its exit status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit status as the shell reports it.
    pub status: i32,
    /// Standard output and standard error, as they came.
    pub text: String,
}

/// The agent's report when the OS is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Seconds since the guest's kernel started, with a fraction.
    pub uptime: String,
    /// The services that failed: `none`, or a list with commas.
    pub failed: String,
}

/// The connection to the agent.
pub struct Agent {
    socket: UnixStream,
    lines: Receiver<String>,
    next: u64,
}

impl Agent {
    /// Uses a connected socket; sends nothing before the first script.
    pub fn new(socket: UnixStream) -> Result<Self> {
        let reader = BufReader::new(socket.try_clone().context("cannot share the agent's socket")?);
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in reader.split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).trim().to_owned()).is_err() {
                    break;
                }
            }
        });
        Ok(Self { socket, lines, next: 0 })
    }

    /// Waits for the agent to report that the OS is up; `None` if it has not within `deadline`.
    pub fn wait_ready(&mut self, deadline: Duration) -> Result<Option<Ready>> {
        let Some(said) = self.wait("DAYFLY-TEST READY ", deadline)? else { return Ok(None) };
        let facts = said.strip_prefix("uptime=").and_then(|rest| rest.split_once(" failed="));
        let (uptime, failed) = facts.with_context(|| format!("the agent in the guest says {said:?}"))?;
        Ok(Some(Ready { uptime: uptime.to_owned(), failed: failed.to_owned() }))
    }

    /// Sends a bash script to the agent and waits for its result.
    pub fn run(&mut self, script: &str, deadline: Duration) -> Result<Output> {
        self.send(script)?;
        let answer =
            self.wait(&format!("DAYFLY-TEST RESULT {} ", self.next), deadline)?.with_context(|| {
                format!("no answer from the agent in the guest within {:.0} s", deadline.as_secs_f32())
            })?;
        let (status, text) = answer.split_once(' ').unwrap_or((answer.as_str(), ""));
        let text = BASE64_STANDARD.decode(text).context("the agent's answer is not base64")?;
        let status =
            status.parse().with_context(|| format!("the agent's exit status is {status:?}, not a number"))?;
        Ok(Output { status, text: String::from_utf8_lossy(&text).into_owned() })
    }

    /// Sends a script whose end the guest may not live to see, such as a reboot.
    pub fn send(&mut self, script: &str) -> Result<()> {
        self.next += 1;
        let line = format!("{} {}\n", self.next, BASE64_STANDARD.encode(script));
        self.socket.write_all(line.as_bytes()).context("cannot write to the agent in the guest")
    }

    /// The rest of the first line that begins with `prefix`; `None` if none arrives within `deadline`.
    fn wait(&mut self, prefix: &str, deadline: Duration) -> Result<Option<String>> {
        let end = Instant::now() + deadline;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix(prefix) {
                        return Ok(Some(rest.to_owned()));
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("no answer from the agent in the guest: the machine ended")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_go_out_and_results_come_back() {
        let (host, guest) = UnixStream::pair().unwrap();
        let mut agent = Agent::new(host).unwrap();
        let answering = std::thread::spawn(move || {
            let mut writer = guest.try_clone().unwrap();
            writer.write_all(b"noise\nDAYFLY-TEST READY uptime=6.57 failed=a.service,b\r\n").unwrap();
            let line = BufReader::new(guest).lines().next().unwrap().unwrap();
            assert_eq!(line, format!("1 {}", BASE64_STANDARD.encode("echo hi")));
            writer
                .write_all(format!("DAYFLY-TEST RESULT 1 3 {}\n", BASE64_STANDARD.encode("hi\n")).as_bytes())
                .unwrap();
        });
        assert_eq!(
            agent.wait_ready(Duration::from_secs(5)).unwrap(),
            Some(Ready { uptime: "6.57".into(), failed: "a.service,b".into() })
        );
        assert_eq!(agent.wait_ready(Duration::from_millis(20)).unwrap(), None);
        assert_eq!(
            agent.run("echo hi", Duration::from_secs(5)).unwrap(),
            Output { status: 3, text: "hi\n".into() }
        );
        answering.join().unwrap();
        assert!(agent.run("true", Duration::from_millis(20)).is_err());
    }
}
