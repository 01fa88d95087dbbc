//! Threads, each with what its panic means; and work that may hang, for which nobody waits longer than a limit.

use std::io;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use crate::{Failure, panic};

/// Starts a thread. A panic in it parks it for ever with all that it holds, and `on_panic` tells those who wait for it.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
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

/// Does something on a thread of its own and waits for it, but no longer than `limit`; says why there is no result.
pub fn within<T: Send + 'static>(
    name: &'static str,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (sender, receiver) = sync_channel(1);
    let failed = sender.clone();
    // Whoever waited may have stopped, in both.
    let on_panic = move |failure: Failure| drop(failed.send(Err(failure.wrong)));
    let started = start(name, on_panic, move || drop(sender.send(Ok(work()))));
    started.map_err(|error| format!("no thread for it: {error}"))?;
    receiver.recv_timeout(limit).unwrap_or_else(|_| Err(format!("it did not end in {} s", limit.as_secs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_left_behind() {
        assert_eq!(within("quick", Duration::from_secs(20), || 7), Ok(7));
        let (_keep, never) = sync_channel::<()>(1);
        let hung = within("slow", Duration::from_millis(10), move || never.recv().is_ok());
        assert_eq!(hung, Err("it did not end in 0 s".to_owned()));
    }
}
