//! UDP ports on one interface, for IPv4.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

use super::Tried;
use super::sockets::{bind_to_interface, receive_datagram};
use crate::{Result, UdpPort};

/// The largest payload of a UDP datagram.
const PAYLOAD: usize = 65_507;

pub(super) struct Port {
    socket: UdpSocket,
    subject: String,
    buffer: Vec<u8>,
}

impl Port {
    /// The port is not bound to an address: a server answers with a broadcast if it refuses a request.
    pub(super) fn open(index: u32, port: u16) -> Result<Self> {
        let subject = format!("interface {index}");
        let operation = format!("open UDP port {port} on");
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None).tried(&operation, &subject)?;
        bind_to_interface(&socket, index).tried(&operation, &subject)?;
        sockopt::set_socket_broadcast(&socket, true).tried(&operation, &subject)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)).tried(&operation, &subject)?;
        Ok(Self { socket: socket.into(), subject, buffer: vec![0; PAYLOAD] })
    }
}

impl UdpPort for Port {
    fn send(&mut self, payload: &[u8], to: SocketAddrV4) -> Result<()> {
        self.socket.send_to(payload, to).map(drop).tried("send a datagram on", &self.subject)
    }

    fn receive(&mut self, limit: Duration) -> Result<Option<Vec<u8>>> {
        let deadline = Instant::now() + limit;
        let received = receive_datagram(&self.socket, &mut self.buffer, deadline, &self.subject)?;
        Ok(received.map(|(payload, _)| payload))
    }
}
