//! The one clock of an exchange: from the first look-up of a name to the last byte, over every redirect.
//!
//! ureq bounds each of its phases, but starts them again with every redirect, and a single read as often as a byte comes.
//! Here each wait for the network asks how long it may last, and only the waits count: who takes a body's bytes may take
//! its time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Limits;

impl Limits {
    /// The time over which a body's rate is taken: a silence that is allowed leaves as long again to make up for it.
    pub(super) fn window(&self) -> Duration {
        self.stall.saturating_mul(2)
    }

    /// When the head of the last answer has to be there.
    pub(super) fn head(&self) -> Duration {
        self.within.unwrap_or(self.connect.saturating_add(self.stall))
    }

    /// The bytes of a window. Without a floor it is one: a body without bytes moves nothing, whatever is sent around it.
    fn least(&self) -> u64 {
        self.floor
            .saturating_mul(self.window().as_millis().try_into().unwrap_or(u64::MAX))
            .div_ceil(1000)
            .max(1)
    }
}

/// Why an exchange has no time left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spent {
    /// There was no connection.
    Connect,
    /// There was no whole answer.
    Whole,
    /// Nothing came.
    Silence,
    /// So many bytes of the body came in a window.
    Rate(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Since then.
    Connect(Instant),
    Head,
    Body,
}

#[derive(Debug)]
struct State {
    part: Part,
    /// How long nothing has come.
    silent: Duration,
    /// How long was waited in this window, and what came of it.
    waited: Duration,
    came: u64,
    spent: Option<Spent>,
}

/// The clock.
#[derive(Debug)]
pub(super) struct Watch {
    pub limits: Limits,
    started: Instant,
    state: Mutex<State>,
}

impl Watch {
    /// The clock runs.
    pub fn start(limits: Limits) -> Self {
        let started = Instant::now();
        let state = State {
            part: Part::Connect(started),
            silent: Duration::ZERO,
            waited: Duration::ZERO,
            came: 0,
            spent: None,
        };
        Self { limits, started, state: Mutex::new(state) }
    }

    /// Another server is turned to.
    pub fn next_server(&self) {
        self.enter(Part::Connect(Instant::now()));
    }

    /// The connection stands.
    pub fn is_connected(&self) {
        self.enter(Part::Head);
    }

    /// The head is there.
    pub fn has_head(&self) {
        self.enter(Part::Body);
    }

    /// How long the next wait may last, or why there can be none.
    pub fn wait(&self) -> Result<Duration, Spent> {
        let limits = &self.limits;
        let mut state = self.state();
        let left = |since: Instant, limit: Duration| limit.saturating_sub(since.elapsed());
        let silence = limits.stall.saturating_sub(state.silent);
        let (wait, spent) = match state.part {
            Part::Connect(since) => {
                let whole = left(self.started, limits.head());
                (left(since, limits.connect).min(whole), Spent::Connect)
            }
            Part::Head => {
                let whole = left(self.started, limits.head());
                (whole.min(silence), if whole.is_zero() { Spent::Whole } else { Spent::Silence })
            }
            Part::Body => {
                if state.waited >= limits.window() {
                    if state.came < limits.least() {
                        let spent = Spent::Rate(state.came);
                        state.spent = Some(spent);
                        return Err(spent);
                    }
                    (state.waited, state.came) = (Duration::ZERO, 0);
                }
                let whole = limits.within.map_or(Duration::MAX, |limit| left(self.started, limit));
                let window = limits.window().saturating_sub(state.waited);
                let spent = if whole.is_zero() { Spent::Whole } else { Spent::Silence };
                (whole.min(silence).min(window), spent)
            }
        };
        if wait.is_zero() {
            state.spent = Some(spent);
            return Err(spent);
        }
        Ok(wait)
    }

    /// A wait has ended, with or without a byte that moved.
    pub fn waited(&self, time: Duration, moved: bool) {
        let mut state = self.state();
        state.waited += time;
        state.silent = if moved { Duration::ZERO } else { state.silent + time };
    }

    /// Bytes of the body have come.
    pub fn came(&self, bytes: usize) {
        let mut state = self.state();
        state.came = state.came.saturating_add(bytes as u64);
    }

    /// Why the exchange has ended, if its time did it.
    pub fn spent(&self) -> Option<Spent> {
        self.state().spent
    }

    /// What a wait without a result means.
    pub fn is_spent(&self, spent: Spent) {
        self.state().spent = Some(spent);
    }

    fn enter(&self, part: Part) {
        let mut state = self.state();
        state.part = part;
        (state.silent, state.waited, state.came) = (Duration::ZERO, Duration::ZERO, 0);
    }

    /// Whoever panicked while it held the lock left whole numbers.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn watch(floor: u64, within: Option<Duration>) -> Watch {
        Watch::start(Limits { connect: 10 * SECOND, stall: 15 * SECOND, floor, within })
    }

    #[test]
    fn a_body_is_given_up_below_the_least_rate_of_a_window_and_not_before() {
        // Bytes that come with each second of waiting, and after how many seconds it is over.
        for (floor, bytes, over, why) in [
            (16 << 10, 1 << 10, Some(30), Spent::Rate(30 << 10)),
            (16 << 10, (16 << 10) - 1, Some(30), Spent::Rate(30 * ((16 << 10) - 1))),
            (16 << 10, 16 << 10, None, Spent::Silence),
            (16 << 10, 64 << 10, None, Spent::Silence),
            (0, 1, None, Spent::Silence),
            // Trailers, chunk heads and TLS records move, but nothing of the body comes.
            (0, 0, Some(30), Spent::Rate(0)),
        ] {
            let watch = watch(floor, None);
            watch.has_head();
            let mut seconds = 0;
            let ended = loop {
                match watch.wait() {
                    Ok(wait) => assert!(wait <= 15 * SECOND, "{wait:?}"),
                    Err(spent) => break Some(spent),
                }
                if seconds == 300 {
                    break None;
                }
                watch.waited(SECOND, true);
                watch.came(bytes);
                seconds += 1;
            };
            assert_eq!(ended, over.map(|_| why), "{floor} {bytes}");
            assert_eq!(seconds, over.unwrap_or(300), "{floor} {bytes}");
        }
    }

    #[test]
    fn a_silence_below_the_limit_can_be_made_up_for() {
        let watch = watch(16 << 10, None);
        watch.has_head();
        watch.waited(14 * SECOND, false);
        assert_eq!(watch.wait(), Ok(SECOND));
        for _ in 0..16 {
            watch.waited(SECOND, true);
            watch.came(32 << 10);
            assert!(watch.wait().is_ok());
        }
        watch.waited(15 * SECOND, false);
        assert_eq!(watch.wait(), Err(Spent::Silence));
        assert_eq!(watch.spent(), Some(Spent::Silence));
    }

    #[test]
    fn what_takes_the_bytes_may_take_its_time() {
        let watch = watch(1 << 20, None);
        watch.has_head();
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(watch.wait(), Ok(15 * SECOND), "only waits for the network count");
    }

    #[test]
    fn redirects_share_one_time() {
        let watch = Watch::start(Limits {
            connect: 60 * SECOND,
            stall: Duration::ZERO,
            floor: 0,
            within: Some(Duration::from_millis(30)),
        });
        for _ in 0..3 {
            watch.next_server();
            assert!(watch.wait().is_ok_and(|wait| wait <= Duration::from_millis(30)));
            std::thread::sleep(Duration::from_millis(11));
        }
        watch.next_server();
        assert_eq!(watch.wait(), Err(Spent::Connect));
    }
}
