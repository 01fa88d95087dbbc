//! When to send again (RFC 2131 4.1): intervals that double, with a random part.

use std::time::Duration;

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

/// SplitMix64 (Steele, Lea, Flood 2014): good enough to make hosts differ, and repeatable in tests.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A time below `limit`, in whole milliseconds.
    fn below(&mut self, limit: Duration) -> Duration {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.next().checked_rem(limit).unwrap_or(0))
    }
}
