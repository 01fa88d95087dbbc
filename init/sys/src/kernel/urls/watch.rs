//! The clock of an exchange, from the first name look-up to the last byte, including all redirects.
//!
//! ureq limits each of its phases, but restarts the limits with every redirect, and restarts the limit of a read with
//! every byte. Here, each wait for the network asks how long it may last. Only these waits count, so the code that
//! consumes a body may take its time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Limits;

impl Limits {
    /// The period over which the rate of a body is measured. After the longest allowed silence, the same time remains
    /// to catch up.
    pub(super) fn window(&self) -> Duration {
        self.stall.saturating_mul(2)
    }

    /// The deadline for the head of the final response.
    pub(super) fn head(&self) -> Duration {
        self.within.unwrap_or(self.connect.saturating_add(self.stall))
    }

    /// The minimum number of bytes per window. Without a floor it is 1, because a body without any bytes makes no
    /// progress, even if other data arrives.
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
    /// No connection.
    Connect,
    /// No complete head.
    Whole,
    /// No data at all.
    Silence,
    /// The rate is too low: this many bytes of the body arrived in a window.
    Rate(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The start of the connection attempt.
    Connect(Instant),
    Head,
    Body,
}

#[derive(Debug)]
struct State {
    part: Part,
    /// How long no data has arrived.
    silent: Duration,
    /// How long this window has waited, and the bytes that arrived.
    waited: Duration,
    came: u64,
    spent: Option<Spent>,
}

/// The clock of an exchange.
#[derive(Debug)]
pub(super) struct Watch {
    pub limits: Limits,
    started: Instant,
    state: Mutex<State>,
}

impl Watch {
    /// Starts the clock.
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

    /// Called before connecting to the server of a redirect.
    pub fn next_server(&self) {
        self.enter(Part::Connect(Instant::now()));
    }

    /// Called when the connection is established.
    pub fn is_connected(&self) {
        self.enter(Part::Head);
    }

    /// Called when the head is complete.
    pub fn has_head(&self) {
        self.enter(Part::Body);
    }

    /// How long the next wait may last, or why there is no time left.
    pub fn wait(&self) -> Result<Duration, Spent> {
        let limits = &self.limits;
        let mut state = self.state();
        let left = |since: Instant, limit: Duration| limit.saturating_sub(since.elapsed());
        let silence = limits.stall.saturating_sub(state.silent);
        let (wait, spent) = match state.part {
            Part::Connect(since) => {
                let whole = left(self.started, limits.head());
                let own = left(since, limits.connect);
                // After a redirect, the servers before this one may have used the time.
                let is_redirected = since > self.started;
                (own.min(whole), if is_redirected && whole < own { Spent::Whole } else { Spent::Connect })
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

    /// Records a wait, and whether any bytes arrived or were sent.
    pub fn waited(&self, time: Duration, moved: bool) {
        let mut state = self.state();
        state.waited += time;
        state.silent = if moved { Duration::ZERO } else { state.silent + time };
    }

    /// Records bytes of the body.
    pub fn came(&self, bytes: usize) {
        let mut state = self.state();
        state.came = state.came.saturating_add(bytes as u64);
    }

    /// Why the exchange ended, if it ran out of time.
    pub fn spent(&self) -> Option<Spent> {
        self.state().spent
    }

    /// Records why a wait ended without a result.
    pub fn is_spent(&self, spent: Spent) {
        self.state().spent = Some(spent);
    }

    fn enter(&self, part: Part) {
        let mut state = self.state();
        state.part = part;
        (state.silent, state.waited, state.came) = (Duration::ZERO, Duration::ZERO, 0);
    }

    /// The numbers are consistent even if a thread panicked while it held the lock.
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
        // The bytes that arrive per second of waiting, and after how many seconds the time is over.
        for (floor, bytes, over, why) in [
            (16 << 10, 1 << 10, Some(30), Spent::Rate(30 << 10)),
            (16 << 10, (16 << 10) - 1, Some(30), Spent::Rate(30 * ((16 << 10) - 1))),
            (16 << 10, 16 << 10, None, Spent::Silence),
            (16 << 10, 64 << 10, None, Spent::Silence),
            (0, 1, None, Spent::Silence),
            // Trailers, chunk headers and TLS records arrive, but no bytes of the body.
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
        let within = Some(Duration::from_millis(30));
        let limits = Limits { connect: 60 * SECOND, stall: Duration::ZERO, floor: 0, within };
        let watch = Watch::start(limits);
        for _ in 0..3 {
            watch.next_server();
            std::thread::sleep(Duration::from_millis(11));
        }
        watch.next_server();
        // This server did not have the time that a connection may take.
        assert_eq!(watch.wait(), Err(Spent::Whole));
        let watch = Watch::start(limits);
        assert!(watch.wait().is_ok_and(|wait| wait <= Duration::from_millis(30)));
        std::thread::sleep(Duration::from_millis(31));
        assert_eq!(watch.wait(), Err(Spent::Connect));
    }
}
