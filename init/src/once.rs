//! A value that the first caller makes; other callers wait meanwhile.
//!
//! Unlike [`std::sync::OnceLock`], a panic of the maker does not block the waiting threads for ever. This matters
//! because a panicked thread is parked here and never unwinds.

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
    /// Returns the value, and makes it if necessary. If the maker panics, the next caller or waiting thread makes it.
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
        // No code that can panic runs under the lock.
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
