//! Receives the kernel's uevents, see netlink(7) and lib/kobject_uevent.c.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recvfrom, socket_with, sockopt};

use super::Tried;
use super::sockets::wait_readable;
use crate::{Result, Uevents};

/// Group 1 is the kernel; group 2 is udev's, with another format.
const KERNEL_GROUP: u32 = 1;
/// Room for the burst of a cold boot: some thousand events before the first read. The kernel charges only what is used.
const BUFFER: usize = 16 << 20;
/// `UEVENT_BUFFER_SIZE` is 2048 in the kernel; a larger buffer leaves room for future kernels.
const MESSAGE: usize = 8192;
const SUBJECT: &str = "netlink of the kernel's uevents";

pub(super) struct Port {
    socket: OwnedFd,
}

impl Port {
    pub(super) fn open() -> Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(KOBJECT_UEVENT))
            .tried("open", SUBJECT)?;
        // Without CAP_NET_ADMIN, the size is limited. Lost events are reported as ENOBUFS.
        if sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER).is_err() {
            // The kernel reduces this size to what it allows, so an error is ignored.
            let _ = sockopt::set_socket_recv_buffer_size(&socket, BUFFER);
        }
        bind(&socket, &SocketAddrNetlink::new(0, KERNEL_GROUP)).tried("subscribe to", SUBJECT)?;
        Ok(Self { socket })
    }
}

impl Uevents for Port {
    fn next(&mut self, limit: Duration) -> Result<Option<Vec<u8>>> {
        let deadline = Instant::now() + limit;
        let mut buffer = vec![0; MESSAGE];
        loop {
            match recvfrom(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((count, _, sender)) => {
                    // Port 0 is the kernel. Other processes may also send to the group; ignore them.
                    let from_kernel = sender
                        .and_then(|address| SocketAddrNetlink::try_from(address).ok())
                        .is_some_and(|address| address.pid() == 0);
                    if from_kernel {
                        buffer.truncate(count);
                        return Ok(Some(buffer));
                    }
                }
                Err(Errno::AGAIN) => {
                    if !wait_readable(&self.socket, deadline).tried("wait for", SUBJECT)? {
                        return Ok(None);
                    }
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno).tried("read", SUBJECT),
            }
        }
    }
}
