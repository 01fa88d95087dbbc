//! The kernel log and the consoles.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The kernel truncates a record at about 1000 bytes (PRINTKRB_RECORD_MAX), including the prefix.
const LINE_LIMIT: usize = 900;
/// Time limit for a text on one console. A serial line with flow control and no reader never accepts it.
const CONSOLE_LIMIT: Duration = Duration::from_secs(2);

pub(super) fn log(level: u8, line: &str) {
    let record = record(level, line);
    let written = OpenOptions::new()
        .write(true)
        .open("/dev/kmsg")
        .and_then(|mut kmsg| kmsg.write_all(record.as_bytes()));
    if written.is_err() {
        show(record.split_once('>').map_or(&*record, |(_, text)| text));
    }
}

/// Formats one line with its level, with at most [`LINE_LIMIT`] bytes of text.
fn record(level: u8, line: &str) -> String {
    let cut = cut(line.trim_end(), LINE_LIMIT);
    let flat: String = cut.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    format!("<{}>{flat}\n", level.min(7))
}

/// The longest prefix of at most `limit` bytes that ends at a character boundary.
fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

pub(super) fn show(text: &str) {
    let mut found = false;
    for name in present() {
        let opened = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
            .open(format!("/dev/{name}"));
        if let Ok(mut console) = opened {
            found = true;
            // Give up on a stuck console. The other consoles still get the text, and it is also in the log.
            let _ = write_in_time(&mut console, text.as_bytes(), CONSOLE_LIMIT);
        }
    }
    if !found {
        // A failure of this write cannot be reported anywhere.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// The names of the writable consoles, in the kernel's order.
pub(crate) fn present() -> Vec<String> {
    // Without /proc no console is known.
    let consoles = fs::read_to_string("/proc/consoles").unwrap_or_default();
    names(&consoles).map(str::to_owned).collect()
}

/// The devices in /proc/consoles: `ttyS0 -W- (EC p a) 4:64`. Skips those that cannot be written to (no `W`).
fn names(consoles: &str) -> impl Iterator<Item = &str> {
    consoles.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next()?;
        words.next()?.contains('W').then_some(name)
    })
}

fn write_in_time(console: &mut File, mut bytes: &[u8], limit: Duration) -> io::Result<()> {
    let deadline = Instant::now() + limit;
    while !bytes.is_empty() {
        match console.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(left.subsec_nanos().max(1_000_000)) };
                // A signal or a timeout: the next write shows the state.
                let _ =
                    poll(&mut [PollFd::from_borrowed_fd(console.as_fd(), PollFlags::OUT)], Some(&timeout));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;

    #[test]
    fn a_record_is_one_line_of_bounded_length() {
        for (level, line, expected) in [
            (6, "net: eth0 up", "<6>net: eth0 up\n"),
            (3, "two\nlines\r\n", "<3>two lines\n"),
            (99, "level", "<7>level\n"),
            (4, "esc\x1b[2J\0", "<4>esc [2J \n"),
            (4, "", "<4>\n"),
        ] {
            assert_eq!(record(level, line), expected);
        }
        // A two-byte character across the limit is dropped completely.
        let line = format!("{}é tail", "x".repeat(LINE_LIMIT - 1));
        assert_eq!(record(6, &line), format!("<6>{}\n", "x".repeat(LINE_LIMIT - 1)));
    }

    #[test]
    fn consoles_that_can_be_written_are_named() {
        let text = "tty0                 -WU (EC  p  )    4:1\nttyS0                -W- (E   p a)    4:64\nram -R- (p) 1:1\n\nx\n";
        assert_eq!(names(text).collect::<Vec<_>>(), ["tty0", "ttyS0"]);
        assert_eq!(names("").count(), 0);
    }

    #[test]
    fn a_console_that_never_drains_ends_the_write_in_time() {
        let (_reader, writer) = io::pipe().unwrap();
        let writer = OwnedFd::from(writer);
        rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
        let start = Instant::now();
        let error = write_in_time(&mut File::from(writer), &vec![b'x'; 1 << 20], Duration::from_millis(50))
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
