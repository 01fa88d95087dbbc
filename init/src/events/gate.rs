//! Rate-limits log lines. Some lines are logged per received packet, so any host on the network could flood the log.
//!
//! Each step may log a number of lines per level in a time window. The first lines are logged, the rest is only
//! counted. Levels are counted separately, so debug lines cannot suppress a warning.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dayfly_plan::StepId;

use super::Level;

/// The number of lines that are logged …
const MOST: u32 = 200;
/// … in this time. A busy step of a real boot logs a tenth of it.
const WHILE: Duration = Duration::from_secs(10);
/// The longest line, in bytes.
const LONGEST: usize = 2000;

/// The step that logs, and the level.
pub type Speaker = (Option<StepId>, Level);

#[derive(Debug, Default)]
struct Window {
    since: Duration,
    said: u32,
    left_out: u64,
}

/// The state of the rate limit.
#[derive(Debug, Default)]
pub struct Gate(Mutex<BTreeMap<Speaker, Window>>);

impl Gate {
    /// Whether a line may be logged now, and how many lines were suppressed before it.
    pub fn admit(&self, speaker: Speaker, now: Duration) -> (bool, u64) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(speaker).or_insert_with(|| Window { since: now, ..Window::default() });
        let mut left_out = 0;
        if now.saturating_sub(window.since) >= WHILE {
            left_out = window.left_out;
            *window = Window { since: now, said: 0, left_out: 0 };
        }
        let fits = window.said < MOST;
        if fits {
            window.said += 1;
        } else {
            window.left_out += 1;
        }
        (fits, left_out)
    }

    /// Returns the counts of the suppressed lines and resets them.
    pub fn settle(&self) -> Vec<(Speaker, u64)> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows
            .iter_mut()
            .map(|(speaker, window)| (*speaker, std::mem::take(&mut window.left_out)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

/// The line that reports suppressed lines.
pub fn left_out(count: u64) -> String {
    format!("{count} more lines of this kind were suppressed by the rate limit")
}

/// Shortens a text to the longest allowed line.
pub fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        let bytes = text.len();
        let end = (0..=LONGEST).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
        // Writing to a String cannot fail.
        let _ = write!(text, "… ({bytes} bytes)");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_are_said_and_the_rest_is_counted() {
        let gate = Gate::default();
        let speaker = (Some(StepId::Network), Level::Debug);
        let second = Duration::from_secs(1);
        let said = (0..100_000).filter(|_| gate.admit(speaker, second).0).count();
        assert_eq!(said, 200);
        assert_eq!(
            gate.admit((Some(StepId::Network), Level::Warning), second),
            (true, 0),
            "warnings have their own limit"
        );
        assert_eq!(
            gate.admit((Some(StepId::Fetch), Level::Debug), second),
            (true, 0),
            "another step has its own limit"
        );
        assert_eq!(gate.admit(speaker, 10 * second), (false, 0));
        assert_eq!(gate.admit(speaker, 11 * second), (true, 99_801), "a window later");
        assert_eq!(gate.settle(), []);
        assert_eq!((0..300).filter(|_| gate.admit(speaker, 12 * second).0).count(), 199);
        assert_eq!(gate.settle(), [(speaker, 101)]);
        assert_eq!(gate.settle(), [], "reported once");
    }

    #[test]
    fn a_line_has_an_end() {
        assert_eq!(cut("short".to_owned()), "short");
        assert!(cut("ä".repeat(100_000)).len() < LONGEST + 30);
    }
}
