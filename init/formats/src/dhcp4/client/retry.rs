//! When to send again (RFC 2131 4.1): intervals that double, with a random part.

use std::time::Duration;

use crate::random::Random;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(16);

/// The send times of one message: at once, then after about 1, 2, 4, 8, 16, 16 … seconds, each up to a quarter shorter
/// or longer.
#[derive(Debug, Clone)]
pub(super) struct Retry {
    /// When to send next.
    pub(super) due: Duration,
    interval: Duration,
}

impl Retry {
    pub(super) fn new(now: Duration) -> Retry {
        Retry { due: now, interval: FIRST }
    }

    /// Records that the message was sent.
    pub(super) fn sent(&mut self, now: Duration, random: &mut Random) {
        self.postpone(now, random);
        self.interval = self.interval.saturating_mul(2).min(LONGEST);
    }

    /// Waits one interval before the next packet, without doubling the interval.
    pub(super) fn postpone(&mut self, now: Duration, random: &mut Random) {
        // 3/4 of the interval is fixed, and up to 2/4 is random.
        let fixed = self.interval.saturating_sub(self.interval.div_f64(4.0));
        self.due = now.saturating_add(fixed).saturating_add(random.below(self.interval.div_f64(2.0)));
    }
}
