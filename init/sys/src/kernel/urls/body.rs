//! A response body whose read errors have the kinds described at [`crate::Response::body`].

use std::io::{self, Read};
use std::sync::Arc;

use super::watch::Watch;
use super::words;

pub(super) struct Body {
    pub inner: ureq::BodyReader<'static>,
    pub peer: String,
    pub watch: Arc<Watch>,
    pub received: u64,
    pub length: Option<u64>,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            // ureq checks the length; check again in case it does not.
            Ok(0) if !buffer.is_empty() && self.length.is_some_and(|length| self.received < length) => {
                Err(self.ended_early())
            }
            Ok(count) => {
                self.watch.came(count);
                self.received += count as u64;
                Ok(count)
            }
            Err(error) => Err(self.told(error)),
        }
    }
}

impl Body {
    fn ended_early(&self) -> io::Error {
        let of = self.length.map_or_else(String::new, |length| format!(" of {length}"));
        let words = format!("{} closed the connection after {}{of} bytes", self.peer, self.received);
        io::Error::new(io::ErrorKind::UnexpectedEof, words)
    }

    fn told(&self, error: io::Error) -> io::Error {
        if let Some(spent) = self.watch.spent() {
            let words = format!(
                "{}, after {} bytes",
                words::of_spent(spent, &self.watch.limits, &self.peer),
                self.received
            );
            return io::Error::new(io::ErrorKind::TimedOut, words);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted => self.ended_early(),
            _ => error,
        }
    }
}
