//! The serial console: everything the guest printed, without terminal codes, and a position up to which it was read.

use std::{
    fs,
    io::{Read, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use regex::Regex;

/// How many console lines an error shows.
const TAIL: usize = 40;

/// What [`Console::expect`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The whole match, then its groups; a group that did not take part is empty.
    pub groups: Vec<String>,
    /// Host time since the machine was started.
    pub at: Duration,
}

impl Match {
    /// The n-th group, 0 being the whole match; empty if it does not exist.
    pub fn group(&self, index: usize) -> &str {
        self.groups.get(index).map_or("", String::as_str)
    }
}

/// A shared view on the console.
#[derive(Clone)]
pub struct Console {
    shared: Arc<(Mutex<State>, Condvar)>,
    started: Instant,
}

#[derive(Default)]
struct State {
    text: String,
    read_to: usize,
    closed: bool,
}

impl State {
    fn unread(&self) -> &str {
        &self.text[self.read_to..]
    }

    /// Why no more output will come.
    fn trouble(&self) -> Option<&'static str> {
        if self.closed {
            Some("the machine ended")
        } else if self.unread().contains("end Kernel panic") {
            Some("the kernel panicked")
        } else {
            None
        }
    }
}

impl Console {
    /// Reads `from` to its end on a thread; writes every finished line to `log` with the seconds since now.
    pub fn read(from: impl Read + Send + 'static, log: fs::File) -> Self {
        let console = Self { shared: Arc::default(), started: Instant::now() };
        let copy = console.clone();
        std::thread::spawn(move || copy.pump(from, log));
        console
    }

    fn pump(&self, mut from: impl Read, mut log: fs::File) {
        let (mut cleaner, mut buffer, mut line) = (Cleaner::default(), [0; 4096], String::new());
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let text = cleaner.clean(&buffer[..length]);
            for piece in text.split_inclusive('\n') {
                line.push_str(piece);
                if line.ends_with('\n') {
                    // A full disk must not end the test; the text is in memory too.
                    let _ = write!(log, "[{:9.3}] {line}", self.started.elapsed().as_secs_f32());
                    line.clear();
                }
            }
            self.state().text.push_str(&text);
            self.shared.1.notify_all();
        }
        // As above.
        let _ = writeln!(log, "[{:9.3}] {line}", self.started.elapsed().as_secs_f32());
        self.state().closed = true;
        self.shared.1.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything printed so far.
    pub fn text(&self) -> String {
        self.state().text.clone()
    }

    /// Host time since the console was opened.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits until the output after the previous match matches `pattern`, at most for `deadline`. Ends early if the console closes or
    /// the kernel panics. A pattern that ends with `$` sees complete lines only. The error shows the last lines.
    pub fn expect(&self, pattern: &str, deadline: Duration) -> Result<Match> {
        let regex = Regex::new(&format!("(?m){pattern}"))?;
        let end = Instant::now() + deadline;
        let mut state = self.state();
        loop {
            let mut unread = state.unread();
            if pattern.ends_with('$') {
                // The end of the output so far may not be the end of a line.
                unread = &unread[..unread.rfind('\n').map_or(0, |newline| newline + 1)];
            }
            if let Some(found) = regex.captures(unread) {
                let groups = found
                    .iter()
                    .map(|group| group.map_or(String::new(), |group| group.as_str().to_owned()))
                    .collect();
                let to = state.read_to + found.get(0).map_or(0, |whole| whole.end());
                state.read_to = to;
                return Ok(Match { groups, at: self.started.elapsed() });
            }
            let left = end.saturating_duration_since(Instant::now());
            let why = if let Some(trouble) = state.trouble() {
                trouble.to_owned()
            } else if left.is_zero() {
                format!("{:.0} s have passed", deadline.as_secs_f32())
            } else {
                state = self.shared.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            };
            bail!("waited for /{pattern}/ on the console, but {why}. Its last lines:\n{}", tail(&state.text));
        }
    }

    /// Marks the output so far as read.
    pub fn skip(&self) {
        let mut state = self.state();
        state.read_to = state.text.len();
    }

    /// Why no more output will come: the machine ended, or its kernel panicked after the part that was read.
    pub fn trouble(&self) -> Option<&'static str> {
        self.state().trouble()
    }

    /// The last lines, for an error.
    pub fn tail(&self) -> String {
        tail(&self.state().text)
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].iter().flat_map(|line| ["    | ", line, "\n"]).collect()
}

/// Removes ANSI escape sequences and carriage returns from a stream that arrives in pieces.
#[derive(Default)]
struct Cleaner {
    state: Escape,
    bytes: Vec<u8>,
}

#[derive(Default, Clone, Copy)]
enum Escape {
    #[default]
    None,
    Start,
    /// `ESC [` until a byte of 0x40 to 0x7e (ECMA-48, 5.4).
    Csi,
    /// `ESC ]` until BEL or `ESC \`.
    Osc,
    /// `ESC (` and the like: one more byte.
    One,
}

impl Cleaner {
    fn clean(&mut self, piece: &[u8]) -> String {
        for &byte in piece {
            self.state = match (self.state, byte) {
                (_, 0x1b) => Escape::Start,
                (Escape::None, b'\r' | 0 | 7) => Escape::None,
                (Escape::None, byte) => {
                    self.bytes.push(byte);
                    Escape::None
                }
                (Escape::Start, b'[') => Escape::Csi,
                (Escape::Start, b']') => Escape::Osc,
                (Escape::Start, b'(' | b')' | b'#' | b'%') => Escape::One,
                (Escape::Csi, 0x40..=0x7e) | (Escape::Osc, 7) | (Escape::Start | Escape::One, _) => {
                    Escape::None
                }
                (state, _) => state,
            };
        }
        self.take_text()
    }

    /// The complete UTF-8 so far; the beginning of a character stays for the next piece.
    fn take_text(&mut self) -> String {
        let mut text = String::new();
        let whole = match std::str::from_utf8(&self.bytes) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.bytes.len(),
        };
        text.push_str(&String::from_utf8_lossy(&self.bytes[..whole]));
        self.bytes.drain(..whole);
        text
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn cleans_pieces() {
        let table: [(&[&[u8]], &str); 6] = [
            (&[b"plain\r\n"], "plain\n"),
            (&[b"\x1b[0;1;31mred\x1b[0m"], "red"),
            (&[b"a\x1b", b"[3", b"1mb"], "ab"),
            (&[b"\x1b]0;title\x07x\x1b(By\x1bcz"], "xyz"),
            (&[b"caf\xc3", b"\xa9"], "café"),
            (&[b"bad \xff byte"], "bad \u{fffd} byte"),
        ];
        for (pieces, expected) in table {
            let mut cleaner = Cleaner::default();
            assert_eq!(pieces.iter().map(|piece| cleaner.clean(piece)).collect::<String>(), expected);
        }
    }

    #[test]
    fn expects_in_order_and_tells_why_not() {
        let (mut guest, host) = UnixStream::pair().unwrap();
        let console = Console::read(host, tempfile::tempfile().unwrap());
        guest.write_all(b"one 1\r\ntwo 2\r\n").unwrap();
        assert_eq!(console.expect(r"(\w+) (\d)$", Duration::from_secs(5)).unwrap().group(1), "one");
        assert_eq!(console.expect(r"(\w+) (\d)$", Duration::from_secs(5)).unwrap().group(2), "2");
        let late = console.expect("one", Duration::from_millis(50)).unwrap_err().to_string();
        assert!(late.contains("0 s have passed") && late.contains("| two 2"), "{late}");
        guest.write_all(b"value=12").unwrap();
        assert!(console.expect(r"value=(\d+)$", Duration::from_millis(50)).is_err());
        guest.write_all(b"34\n").unwrap();
        assert_eq!(console.expect(r"value=(\d+)$", Duration::from_secs(5)).unwrap().group(1), "1234");
        assert_eq!(console.trouble(), None);
        guest.write_all(b"value=5\n").unwrap();
        console.expect("=5$", Duration::from_secs(5)).unwrap();
        guest.write_all(b"six\n").unwrap();
        while !console.text().ends_with("six\n") {
            std::thread::yield_now();
        }
        console.skip();
        assert!(console.expect("six", Duration::from_millis(50)).is_err());
        guest.write_all(b"---[ end Kernel panic - not syncing\n").unwrap();
        assert!(
            console
                .expect("three", Duration::from_secs(5))
                .unwrap_err()
                .to_string()
                .contains("the kernel panicked")
        );
        assert_eq!(console.trouble(), Some("the kernel panicked"));
        console.skip();
        drop(guest);
        assert!(
            console
                .expect("three", Duration::from_secs(5))
                .unwrap_err()
                .to_string()
                .contains("the machine ended")
        );
    }
}
