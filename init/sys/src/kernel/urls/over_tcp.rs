//! A query to a name server over TCP (RFC 7766). It never blocks, because other servers may answer meanwhile.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use crate::kernel::sockets::bind_to_interface;

/// One query with its own connection.
pub(super) struct OverTcp {
    stream: TcpStream,
    /// The bytes that are not sent yet.
    unsent: Vec<u8>,
    /// The bytes received so far. In both directions, the message is preceded by its length.
    came: Vec<u8>,
}

impl OverTcp {
    pub fn start(server: SocketAddr, interface: Option<u32>, message: &[u8]) -> io::Result<Self> {
        let length = u16::try_from(message.len()).map_err(io::Error::other)?;
        let family = if server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(family, SocketType::STREAM, flags, None)?;
        if let Some(index) = interface {
            bind_to_interface(&socket, index)?;
        }
        match connect(&socket, &server) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let unsent = [&length.to_be_bytes(), message].concat();
        Ok(Self { stream: TcpStream::from(socket), unsent, came: Vec::new() })
    }

    /// The event to wait for.
    pub fn poll(&self) -> PollFd<'_> {
        let flags = if self.unsent.is_empty() { PollFlags::IN } else { PollFlags::OUT };
        PollFd::new(&self.stream, flags)
    }

    /// Sends and reads as much as possible. Returns the answer when it is complete.
    pub fn advance(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let done = if self.unsent.is_empty() { self.read() } else { self.send() };
            match done {
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                done => return done,
            }
        }
    }

    fn send(&mut self) -> io::Result<Option<Vec<u8>>> {
        let count = self.stream.write(&self.unsent)?;
        self.unsent.drain(..count);
        Ok(None)
    }

    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let length = self.came.first_chunk().map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
        let mut buffer = vec![0; 2 + length - self.came.len()];
        let count = self.stream.read(&mut buffer)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.came.extend(buffer.get(..count).unwrap_or_default());
        let is_whole = length > 0 && self.came.len() == 2 + length;
        Ok(is_whole.then(|| self.came.split_off(2)))
    }
}
