//! When to send again (RFC 8415 section 15): intervals that double, each moved by chance.

use std::time::Duration;

use crate::random::Random;

/// The parameters of one kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// The first interval (IRT).
    pub(super) first: Duration,
    /// The longest interval (MRT).
    pub(super) longest: Duration,
    /// Whether the first interval is never shorter than IRT: Advertises are collected that long (RFC 8415 18.2.1).
    pub(super) collects: bool,
}

/// The messages of one exchange: at once, then after intervals that double up to the longest, each up to a tenth shorter or
/// longer.
#[derive(Debug, Clone)]
pub(super) struct Retry {
    /// When to send next.
    pub(super) due: Duration,
    /// Messages sent.
    pub(super) sent: u32,
    interval: Duration,
    /// When the first one went out.
    began: Duration,
}

impl Retry {
    pub(super) fn new(due: Duration) -> Retry {
        Retry { due, sent: 0, interval: Duration::ZERO, began: due }
    }

    /// Hundredths of a second since the first message; 0 in the first one (RFC 8415 21.9).
    pub(super) fn elapsed(&self, now: Duration) -> u16 {
        if self.sent == 0 {
            return 0;
        }
        u16::try_from(now.saturating_sub(self.began).as_millis() / 10).unwrap_or(u16::MAX)
    }

    /// A message went out.
    pub(super) fn sent(&mut self, now: Duration, pace: Pace, random: &mut Random) {
        if self.sent == 0 {
            self.began = now;
            self.interval = if pace.collects {
                // More than IRT, by up to a tenth (RFC 8415 18.2.1).
                let tenth = pace.first.mul_f64(0.1);
                pace.first.saturating_add(Duration::from_millis(1)).saturating_add(random.below(tenth))
            } else {
                moved(pace.first, 1.0, random)
            };
        } else {
            self.interval = moved(self.interval, 2.0, random);
        }
        if self.interval > pace.longest {
            self.interval = moved(pace.longest, 1.0, random);
        }
        self.sent = self.sent.saturating_add(1);
        self.due = now.saturating_add(self.interval);
    }
}

/// `factor` times the interval, and up to a tenth of the interval less or more.
pub(super) fn moved(interval: Duration, factor: f64, random: &mut Random) -> Duration {
    interval.mul_f64(factor - 0.1).saturating_add(random.below(interval.mul_f64(0.2)))
}
