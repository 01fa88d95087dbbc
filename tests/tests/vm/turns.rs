//! How many scenarios work at a time: emulated CPUs want real ones. One that only waits lets another one in.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// As many may wait beside those that work.
pub const WAITING: usize = 3;

static FREE: Mutex<usize> = Mutex::new(0);
static CHANGED: Condvar = Condvar::new();

/// The right to work, until it is dropped.
pub struct Turn(());

/// How many turns there are; said once, before the first one is taken.
pub fn allow(turns: usize) {
    *FREE.lock().unwrap_or_else(PoisonError::into_inner) = turns;
}

impl Turn {
    /// Waits for a turn.
    pub fn take() -> Self {
        acquire();
        Self(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        release();
    }
}

/// For a scenario, which has a turn: does nothing for this time while others work, and goes on at its next turn.
pub fn pause(time: Duration) {
    release();
    std::thread::sleep(time);
    acquire();
}

fn acquire() {
    let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut free = CHANGED.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
    *free -= 1;
}

fn release() {
    *FREE.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    CHANGED.notify_one();
}
