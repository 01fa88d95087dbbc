//! A value that is made once, by the first who asks for it; whoever asks meanwhile waits.
//!
//! Unlike std's, it does not keep those who wait for ever when the maker panics: a thread that has panicked is parked, and never
//! comes back to say that it failed.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::panic;

/// See the module.
pub struct Once<T>(Arc<Inner<T>>);

struct Inner<T> {
    value: OnceLock<T>,
    making: Mutex<bool>,
    made: Condvar,
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(Arc::new(Inner { value: OnceLock::new(), making: Mutex::new(false), made: Condvar::new() }))
    }
}

impl<T: Send + Sync + 'static> Once<T> {
    /// The value, made now if it is not there. If its maker panics, the next who asks or waits makes it.
    pub fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        let inner = &*self.0;
        let mut making = inner.lock();
        loop {
            if let Some(value) = inner.value.get() {
                return value;
            }
            if !*making {
                break;
            }
            making = inner.made.wait(making).unwrap_or_else(PoisonError::into_inner);
        }
        *making = true;
        // Nothing that can panic runs under the lock.
        drop(making);
        let lost = Arc::clone(&self.0);
        let value = panic::during(move |_| lost.end(), make);
        let value = inner.value.get_or_init(|| value);
        inner.end();
        value
    }
}

impl<T> Inner<T> {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        *self.lock() = false;
        self.made.notify_all();
    }
}
