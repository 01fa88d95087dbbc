//! Limits how many scenarios work at a time, because emulated CPUs need real ones. A scenario that only waits gives its turn to another.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// As many more may wait.
pub const WAITING: usize = 3;

static FREE: Mutex<usize> = Mutex::new(0);
static CHANGED: Condvar = Condvar::new();

/// The right to work, until it is dropped.
pub struct Turn(());

/// Sets the number of turns; called once, before the first one is taken.
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

/// For a scenario with a turn: waits for this time while others work, then continues at its next turn.
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
