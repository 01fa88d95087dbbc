//! A datagram to a server through one interface, and its answer: udp(7).

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::Tried;
use super::sockets::{connect_udp, receive_datagram};
use super::targets::targets;
use crate::{Answer, Cause, Question, Result, SysError};

/// The largest payload that is read. A longer one is cut off.
const PAYLOAD: usize = 1500;

pub(super) fn ask(
    question: &Question<'_>,
    index: u32,
    is_answer: &mut dyn FnMut(&[u8]) -> bool,
    limit: Duration,
) -> Result<Answer> {
    let deadline = Instant::now() + limit;
    let (socket, server, sent) = send(question, index, limit)?;
    let subject = server.to_string();
    let mut buffer = [0; PAYLOAD];
    loop {
        // Datagrams that are no answer must not extend the wait.
        let is_over = Instant::now() >= deadline;
        let received =
            if is_over { None } else { receive_datagram(&socket, &mut buffer, deadline, &subject)? };
        let took = sent.elapsed();
        let Some((payload, from)) = received else {
            let words = format!("no answer within {:.1} s", took.as_secs_f64());
            return Err(SysError::new("ask", subject, Cause::TimedOut, words));
        };
        if is_answer(&payload) {
            return Ok(Answer { payload, from, took });
        }
    }
}

/// Sends the question to the first address of the server to which the kernel has a route. Returns also when it was sent.
fn send(question: &Question<'_>, index: u32, limit: Duration) -> Result<(UdpSocket, SocketAddr, Instant)> {
    let host = question.host;
    let mut failed = SysError::new("ask", host, Cause::Connect, "it has no address");
    for server in targets(host, question.port, question.resolver, index, None, limit)? {
        let sent = connect_udp(server, Some(index))
            .and_then(|socket| socket.send(question.payload).map(|_| (socket, server, Instant::now())));
        match sent.tried("ask", server) {
            Ok(sent) => return Ok(sent),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
