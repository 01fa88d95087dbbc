//! Starts threads with a panic callback, and runs work that may hang with a time limit.

use std::io;
use std::time::Duration;

use dayfly_sys::Platform;

use crate::channel::channel;
use crate::{Failure, panic};

/// Starts a thread. If it panics, it is parked for ever with everything that it holds, and `on_panic` is called.
#[allow(clippy::disallowed_methods, reason = "the only code that starts threads")]
pub fn start(
    name: impl Into<String>,
    on_panic: impl FnOnce(Failure) + Send + 'static,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let run = move || {
        panic::tell(on_panic);
        body();
    };
    std::thread::Builder::new().name(name.into()).spawn(run).map(drop)
}

/// Runs `work` on a new thread and waits for it, for `limit` at most. The error says why there is no result.
pub fn within<T: Send + 'static>(
    sys: &dyn Platform,
    name: &'static str,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let until = sys.now() + limit;
    let (sender, receiver) = channel();
    let failed = sender.clone();
    let on_panic = move |failure: Failure| failed.send(Err(failure.wrong));
    let started = start(name, on_panic, move || sender.send(Ok(work())));
    started.map_err(|error| format!("the thread could not be started: {error}"))?;
    let ended = receiver.receive(sys, until);
    ended.unwrap_or_else(|| Err(format!("it did not end in {} s", limit.as_secs())))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use dayfly_sys::Kernel;

    use super::*;

    #[test]
    fn what_hangs_is_left_behind() {
        let sys = Kernel::new();
        assert_eq!(within(&sys, "quick", Duration::from_secs(600), || 7), Ok(7));
        let (_keep, never) = sync_channel::<()>(1);
        let hung = within(&sys, "slow", Duration::from_millis(10), move || never.recv().is_ok());
        assert_eq!(hung, Err("it did not end in 0 s".to_owned()));
    }
}
