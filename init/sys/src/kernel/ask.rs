//! A datagram to a server through one interface, and its answer: udp(7).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::{Duration, Instant};

use super::Tried;
use super::sockets::{bind_to_interface, receive_datagram};
use super::urls::look_up;
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
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => look_up(host, question.resolver, Some(index), limit)
            .map_err(|words| SysError::new("resolve", host, Cause::Connect, words))?,
    };
    let mut failed = SysError::new("ask", host, Cause::Connect, "it has no address");
    for address in addresses {
        let server = match address {
            // A link-local address is one of the interface's link.
            IpAddr::V6(v6) if v6.is_unicast_link_local() => {
                SocketAddrV6::new(v6, question.port, 0, index).into()
            }
            _ => SocketAddr::new(address, question.port),
        };
        let sent = connect(server, index)
            .and_then(|socket| socket.send(question.payload).map(|_| (socket, server, Instant::now())));
        match sent.tried("ask", server) {
            Ok(sent) => return Ok(sent),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// A socket that accepts packets from this server only. The kernel chooses a random port.
fn connect(server: SocketAddr, index: u32) -> io::Result<UdpSocket> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    bind_to_interface(&socket, index)?;
    socket.connect(server)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
