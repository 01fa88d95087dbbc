//! Socket options that rustix has no call for, and waits with a deadline.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use dayfly_formats::scoped::ScopedAddr;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use super::Tried;
use super::mounts::last_errno;
use crate::Result;

/// [setsockopt(2)](https://man7.org/linux/man-pages/man2/setsockopt.2.html) with an `int`.
pub(super) fn set_option(
    socket: &OwnedFd,
    level: i32,
    option: i32,
    value: i32,
) -> std::result::Result<(), Errno> {
    set_option_bytes(socket, level, option, &value.to_ne_bytes())
}

/// Restricts a socket to one interface, `SO_BINDTODEVICE` of
/// [socket(7)](https://man7.org/linux/man-pages/man7/socket.7.html). `ENODEV` if there is no such interface.
pub(super) fn bind_to_interface(socket: &impl AsFd, index: u32) -> std::result::Result<(), Errno> {
    // SO_BINDTOIFINDEX would not need the name, but came only with Linux 5.0.
    let name = rustix::net::netdevice::index_to_name_inlined(socket, index)?;
    set_option_bytes(socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, name.as_bytes())
}

/// The socket address of a port, with the scope id of its interface.
pub(super) fn scoped(address: &ScopedAddr, port: u16) -> std::result::Result<SocketAddr, String> {
    let (IpAddr::V6(v6), Some(name)) = (address.address, &address.interface) else {
        return Ok(SocketAddr::new(address.address, port));
    };
    let index = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| Ok(rustix::net::netdevice::name_to_index(&socket, name)?))
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ENODEV) => format!("this machine has no interface {name}"),
            _ => format!("the interface {name} is not found: {error}"),
        })?;
    Ok(SocketAddrV6::new(v6, port, 0, index).into())
}

#[allow(unsafe_code)]
fn set_option_bytes(
    socket: &impl AsFd,
    level: i32,
    option: i32,
    value: &[u8],
) -> std::result::Result<(), Errno> {
    let length = value.len() as libc::socklen_t;
    // SAFETY: pointer and length are those of `value`, which lives through the call and is only read; the kernel copies it
    // byte by byte and so needs no alignment.
    let result =
        unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, value.as_ptr().cast(), length) };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

/// A socket that accepts packets from this server only. The kernel chooses a random port.
pub(super) fn connect_udp(server: SocketAddr, interface: Option<u32>) -> std::io::Result<UdpSocket> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    if let Some(index) = interface {
        bind_to_interface(&socket, index)?;
    }
    socket.connect(server)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Waits until there is something to read; false when the deadline has passed.
pub(super) fn wait_readable(socket: &impl AsFd, deadline: Instant) -> std::result::Result<bool, Errno> {
    wait(socket, PollFlags::IN, deadline)
}

/// The next datagram of a non-blocking socket and its sender; `None` when the deadline has passed.
pub(super) fn receive_datagram(
    socket: &UdpSocket,
    buffer: &mut [u8],
    deadline: Instant,
    subject: &str,
) -> Result<Option<(Vec<u8>, SocketAddr)>> {
    loop {
        match socket.recv_from(buffer) {
            Ok((count, source)) => {
                return Ok(Some((buffer.get(..count).unwrap_or_default().to_vec(), source)));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !wait_readable(socket, deadline).tried("wait for a datagram on", subject)? {
                    return Ok(None);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).tried("receive a datagram on", subject),
        }
    }
}

/// Opens a TCP connection through one interface.
pub(super) fn connect_through(
    interface: u32,
    target: SocketAddr,
    deadline: Instant,
) -> std::io::Result<TcpStream> {
    let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    bind_to_interface(&socket, interface)?;
    match connect(&socket, &target) {
        Ok(()) => {}
        // The kernel continues an interrupted connect(2) in the background.
        Err(Errno::INPROGRESS | Errno::INTR) => {
            if !wait(&socket, PollFlags::OUT, deadline)? {
                return Err(ErrorKind::TimedOut.into());
            }
            sockopt::socket_error(&socket)??;
        }
        Err(errno) => return Err(errno.into()),
    }
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn wait(socket: &impl AsFd, event: PollFlags, deadline: Instant) -> std::result::Result<bool, Errno> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up, or the last fraction of a millisecond would be spent spinning.
        let left = left + Duration::from_micros(999);
        let timeout = rustix::event::Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_millis()) * 1_000_000,
        };
        match rustix::event::poll(&mut [PollFd::new(socket, event)], Some(&timeout)) {
            Ok(0) if Instant::now() >= deadline => return Ok(false),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno),
        }
    }
}
