//! Removes interim responses (1xx, RFC 9110 §15.2) before the library sees them. The library refuses a 100 with header
//! fields, which real servers send, and does not limit their number.

use std::sync::Arc;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use super::watch::Watch;

/// The most interim responses before a final one.
const MOST: u32 = 32;

/// The layer above TLS.
#[derive(Debug)]
pub(super) struct Answers(pub Arc<Watch>);

impl<In: Transport> Connector<In> for Answers {
    type Out = Answer<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Answer<In>>, Error> {
        self.0.is_connected();
        Ok(chained.map(|inner| Answer { inner, interim: 0, is_final: false }))
    }
}

/// A connection for one response.
#[derive(Debug)]
pub(super) struct Answer<In> {
    inner: In,
    interim: u32,
    is_final: bool,
}

impl<In: Transport> Transport for Answer<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let moved = self.inner.await_input(timeout)?;
        while !self.is_final {
            match start(self.inner.buffers().input()) {
                Start::Unclear => break,
                Start::Final => self.is_final = true,
                Start::Interim(length) => {
                    self.interim += 1;
                    if self.interim > MOST {
                        return Err(Error::Other(Box::new(TooMany)));
                    }
                    self.inner.buffers().input_consume(length);
                }
            }
        }
        Ok(moved)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// The error for too many interim responses.
#[derive(Debug)]
struct TooMany;

impl std::fmt::Display for TooMany {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "more than {MOST} interim responses (1xx) arrived without a final one")
    }
}

impl std::error::Error for TooMany {}

#[derive(Debug, PartialEq, Eq)]
enum Start {
    /// More input is needed.
    Unclear,
    /// A final response, for the library.
    Final,
    /// An interim response of this many bytes.
    Interim(usize),
}

/// Classifies the start of a stream of responses. 101 (Switching Protocols) counts as final, because it was not
/// requested.
fn start(input: &[u8]) -> Start {
    // A recipient skips empty lines before the status line (RFC 9112 §2.2).
    let skipped = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let answer = input.get(skipped..).unwrap_or_default();
    let Some(line) = answer.get(..12) else {
        return if b"HTTP/1.".starts_with(answer.get(..7).unwrap_or(answer)) {
            Start::Unclear
        } else {
            Start::Final
        };
    };
    if !line.starts_with(b"HTTP/1.") || line.get(8..10) != Some(b" 1") || line.get(10..12) == Some(b"01") {
        return Start::Final;
    }
    let mut before = 0;
    for (index, byte) in answer.iter().enumerate() {
        match byte {
            // An empty line ends the head.
            b'\n' if before == 1 => return Start::Interim(skipped + index + 1),
            b'\n' => before = 1,
            b'\r' => {}
            _ => before = 2,
        }
    }
    Start::Unclear
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interim_answers_are_told_from_the_one_that_counts() {
        for (input, expected) in [
            ("", Start::Unclear),
            ("HTT", Start::Unclear),
            ("HTTP/1.1 ", Start::Unclear),
            ("HTTP/1.1 200", Start::Final),
            ("HTTP/1.1 101 Switching", Start::Final),
            ("HTTP/2 100", Start::Final),
            ("SSH-2.0-x", Start::Final),
            ("HTTP/1.1 100 Continue\r\n", Start::Unclear),
            ("HTTP/1.1 100 Continue\r\nServer: x\r\n", Start::Unclear),
            ("HTTP/1.1 100 Continue\r\n\r\n", Start::Interim(25)),
            ("HTTP/1.1 100 Continue\r\nServer: x\r\n\r\nHTTP/1.1 200", Start::Interim(36)),
            ("HTTP/1.0 103 Early Hints\nLink: </a>\n\nHTTP", Start::Interim(37)),
            ("\r\nHTTP/1.1 102\r\n\r\n", Start::Interim(18)),
        ] {
            assert_eq!(start(input.as_bytes()), expected, "{input:?}");
        }
    }
}
