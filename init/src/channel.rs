//! A channel whose receiver waits with the machine's clock ([`Platform`]). std's channel waits with std's own clock,
//! but the deadlines are set with the machine's clock, which tests replace.

use std::marker::PhantomData;
use std::sync::mpsc;
use std::thread::{self, Thread};
use std::time::Duration;

use dayfly_sys::Platform;

/// The sending end; cheap to clone, never waits.
pub struct Sender<T> {
    sender: mpsc::Sender<T>,
    receiver: Thread,
}

/// The receiving end. It stays with the thread that made it, because the sender wakes that thread.
pub struct Receiver<T> {
    receiver: mpsc::Receiver<T>,
    not_send: PhantomData<*const ()>,
}

/// Makes a channel. The calling thread is the receiver.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel();
    (Sender { sender, receiver: thread::current() }, Receiver { receiver, not_send: PhantomData })
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), receiver: self.receiver.clone() }
    }
}

impl<T> Sender<T> {
    /// Sends a value. Does nothing if the receiver is gone, because its thread may have stopped waiting.
    pub fn send(&self, value: T) {
        if self.sender.send(value).is_ok() {
            self.receiver.unpark();
        }
    }
}

impl<T> Receiver<T> {
    /// Waits for the next value, at the latest until `until`.
    pub fn receive(&self, sys: &dyn Platform, until: Duration) -> Option<T> {
        loop {
            if let Ok(value) = self.receiver.try_recv() {
                return Some(value);
            }
            let left = until.checked_sub(sys.now()).filter(|left| !left.is_zero())?;
            sys.park(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use dayfly_sys::Kernel;

    use super::*;
    use crate::threads;

    #[test]
    fn what_is_sent_wakes_who_waits() {
        let (sender, receiver) = channel();
        let other = sender.clone();
        let send = move || {
            thread::sleep(Duration::from_millis(20));
            other.send(7);
        };
        threads::start("sends", |_| {}, send).unwrap();
        assert_eq!(receiver.receive(&Kernel::new(), Duration::MAX), Some(7));
        sender.send(8);
        assert_eq!(receiver.receive(&Kernel::new(), Duration::ZERO), Some(8), "the value was sent before");
    }

    #[test]
    fn a_wait_ends_at_its_moment() {
        let (sender, receiver) = channel::<()>();
        let sys = Kernel::new();
        let until = sys.now() + Duration::from_millis(20);
        assert_eq!(receiver.receive(&sys, until), None);
        assert!(sys.now() >= until);
        drop(receiver);
        sender.send(());
    }
}
