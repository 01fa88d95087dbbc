//! A small client of QEMU's machine protocol: JSON lines over a socket (qemu's docs/interop/qmp-spec).

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// How long QEMU may take to answer. It answers from its main loop, in milliseconds unless the host is overloaded.
const ANSWER: Duration = Duration::from_secs(20);

/// A connection to one machine.
pub struct Qmp {
    socket: UnixStream,
    shared: Arc<(Mutex<State>, Condvar)>,
    next: u64,
}

#[derive(Default)]
struct State {
    answers: Vec<Value>,
    events: Vec<Value>,
    closed: bool,
}

impl Qmp {
    /// Does the handshake on a connected socket.
    pub fn new(socket: UnixStream) -> Result<Self> {
        let reader = BufReader::new(socket.try_clone().context("cannot share the QMP socket")?);
        let shared: Arc<(Mutex<State>, Condvar)> = Arc::default();
        let copy = Arc::clone(&shared);
        std::thread::spawn(move || pump(reader, &copy));
        let mut qmp = Self { socket, shared, next: 0 };
        qmp.execute("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared)
    }

    /// Sends a command and waits for its answer: the value of `return`, or QEMU's message as an error.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        self.next += 1;
        let id = self.next;
        let line = format!("{}\n", json!({ "execute": command, "arguments": arguments, "id": id }));
        self.socket.write_all(line.as_bytes()).with_context(|| format!("cannot send {command} to QEMU"))?;
        let end = Instant::now() + ANSWER;
        let mut state = self.state();
        loop {
            if let Some(index) = state.answers.iter().position(|answer| answer["id"] == json!(id)) {
                let mut answer = state.answers.swap_remove(index);
                if let Some(reason) = answer["error"]["desc"].as_str() {
                    bail!("QEMU refused {command} {arguments}: {reason}");
                }
                return Ok(answer["return"].take());
            }
            let left = end.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() {
                bail!(
                    "QEMU did not answer {command}: {}",
                    if state.closed { "it ended" } else { "20 s have passed" }
                );
            }
            state = self.shared.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until an event of that name has arrived; an earlier one counts too.
    pub fn wait_event(&self, name: &str, deadline: Duration) -> Result<Value> {
        let end = Instant::now() + deadline;
        let mut state = self.state();
        loop {
            if let Some(event) = state.events.iter().find(|event| event["event"] == name) {
                return Ok(event.clone());
            }
            let left = end.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() {
                bail!(
                    "no event {name} from QEMU: {}",
                    if state.closed { "it ended" } else { "the time-out has expired" }
                );
            }
            state = self.shared.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// All events so far, oldest first.
    pub fn events(&self) -> Vec<Value> {
        self.state().events.clone()
    }
}

fn lock(shared: &(Mutex<State>, Condvar)) -> MutexGuard<'_, State> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pump(reader: impl BufRead, shared: &(Mutex<State>, Condvar)) {
    for line in reader.lines().map_while(Result::ok) {
        if let Ok(value) = serde_json::from_str::<Value>(&line) {
            let mut state = lock(shared);
            if value.get("event").is_some() {
                state.events.push(value);
            } else if value.get("id").is_some() {
                state.answers.push(value);
            }
        }
        shared.1.notify_all();
    }
    lock(shared).closed = true;
    shared.1.notify_all();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_errors_and_events_are_told_apart() {
        let (host, qemu) = UnixStream::pair().unwrap();
        let served = std::thread::spawn(move || {
            let mut writer = qemu.try_clone().unwrap();
            let mut lines = BufReader::new(qemu).lines();
            let replies = [
                "{\"QMP\":{}}\n{\"return\":{},\"id\":1}\n",
                "{\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,\"reason\":\"guest-reset\"}}\n{\"return\":7,\"id\":2}\n",
                "{\"error\":{\"class\":\"X\",\"desc\":\"no such device\"},\"id\":3}\n",
            ];
            for reply in replies {
                lines.next().unwrap().unwrap();
                writer.write_all(reply.as_bytes()).unwrap();
            }
        });
        let mut qmp = Qmp::new(host).unwrap();
        assert_eq!(qmp.execute("query", &json!({})).unwrap(), json!(7));
        assert_eq!(
            qmp.wait_event("SHUTDOWN", Duration::from_secs(5)).unwrap()["data"]["reason"],
            "guest-reset"
        );
        let error = qmp.execute("set_link", &json!({"name": "x"})).unwrap_err().to_string();
        assert_eq!(error, "QEMU refused set_link {\"name\":\"x\"}: no such device");
        served.join().unwrap();
        assert!(qmp.execute("quit", &json!({})).is_err());
    }
}
