//! A small synchronous rtnetlink socket: one request, its answer, no threads.
//!
//! Messages to the kernel use the types of netlink-packet-route. Answers are parsed attribute by attribute, so that one
//! attribute in a form that the crate does not know cannot hide a whole interface.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use netlink_packet_core::{
    Emitable, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer,
    NlasIterator,
};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with,
};

use super::Tried;
use super::sockets::{set_option, wait_readable};
use crate::{Cause, Result, SysError};

/// `struct nlmsghdr`: bytes.
const HEADER: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `NLMSGERR_ATTR_MSG`: the kernel's error message.
const ATTR_MSG: u16 = 1;
/// The kernel's dump buffers are at most 32 KiB.
const BUFFER: usize = 64 << 10;
/// The kernel normally answers at once. The limit avoids an endless wait.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// How often a dump is repeated if the table changed while it was read.
const DUMP_ATTEMPTS: u32 = 10;

pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

/// The error of one request, without the operation and its object.
enum Failure {
    Refused(Errno, String),
    Interrupted,
    Broken(&'static str),
}

impl Netlink {
    pub(super) fn open() -> Result<Self> {
        let subject = "netlink of the routing tables";
        // Protocol 0 is NETLINK_ROUTE.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)
            .tried("open", subject)?;
        // Older kernels lack some of these options. They only improve the answers (messages, shorter acks, filtered
        // dumps).
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK, libc::NETLINK_GET_STRICT_CHK] {
            if let Err(errno) = set_option(&socket, libc::SOL_NETLINK, option, 1)
                && errno != Errno::NOPROTOOPT
            {
                return Err(errno).tried("set an option of", subject);
            }
        }
        bind(&socket, &SocketAddrNetlink::new(0, 0)).tried("bind", subject)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Sends a change and waits for the acknowledgement.
    pub(super) fn change(
        &mut self,
        operation: &str,
        subject: &str,
        kind: u16,
        flags: u16,
        body: &impl Emitable,
    ) -> Result<()> {
        let mut bytes = vec![0; body.buffer_len()];
        body.emit(&mut bytes);
        self.change_raw(operation, subject, kind, flags, &bytes)
    }

    /// The same with a message body as the kernel sent it.
    pub(super) fn change_raw(
        &mut self,
        operation: &str,
        subject: &str,
        kind: u16,
        flags: u16,
        body: &[u8],
    ) -> Result<()> {
        self.exchange(kind, NLM_F_REQUEST | NLM_F_ACK | flags, body, &mut |_, _| {})
            .map_err(|failure| failure.told(operation, subject))
    }

    /// Reads a table. Returns each row with its message type.
    pub(super) fn dump(
        &mut self,
        operation: &str,
        subject: &str,
        kind: u16,
        body: &impl Emitable,
    ) -> Result<Vec<Vec<u8>>> {
        let mut bytes = vec![0; body.buffer_len()];
        body.emit(&mut bytes);
        for _ in 0..DUMP_ATTEMPTS {
            let mut rows = Vec::new();
            match self
                .exchange(kind, NLM_F_REQUEST | NLM_F_DUMP, &bytes, &mut |_, row| rows.push(row.to_vec()))
            {
                Ok(()) => return Ok(rows),
                Err(Failure::Interrupted | Failure::Refused(Errno::NOBUFS, _)) => {}
                Err(failure) => return Err(failure.told(operation, subject)),
            }
        }
        Err(Failure::Interrupted.told(operation, subject))
    }

    fn exchange(
        &mut self,
        kind: u16,
        flags: u16,
        body: &[u8],
        row: &mut dyn FnMut(u16, &[u8]),
    ) -> std::result::Result<(), Failure> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = vec![0; HEADER];
        request.extend_from_slice(body);
        let length = request.len() as u32;
        let mut header = NetlinkBuffer::new(&mut request);
        header.set_length(length);
        header.set_message_type(kind);
        header.set_flags(flags);
        header.set_sequence_number(self.sequence);
        header.set_port_number(0);
        rustix::io::retry_on_intr(|| send(&self.socket, &request, SendFlags::empty()))?;

        let deadline = Instant::now() + ANSWER_WAIT;
        let mut interrupted = false;
        let mut buffer = vec![0; BUFFER];
        loop {
            if !wait_readable(&self.socket, deadline)? {
                return Err(Failure::Refused(Errno::TIMEDOUT, "the kernel gave no answer".to_owned()));
            }
            let (count, whole) =
                rustix::io::retry_on_intr(|| recv(&self.socket, &mut buffer[..], RecvFlags::TRUNC))?;
            if whole > count {
                return Err(Failure::Broken("an answer longer than the buffer"));
            }
            let mut rest = buffer.get(..count).unwrap_or_default();
            while !rest.is_empty() {
                let message =
                    NetlinkBuffer::new_checked(rest).map_err(|_| Failure::Broken("a truncated message"))?;
                let end = (message.length() as usize).next_multiple_of(4).min(rest.len());
                rest = rest.get(end..).unwrap_or_default();
                // An answer to a request that timed out earlier.
                if message.sequence_number() != self.sequence {
                    continue;
                }
                interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
                match message.message_type() {
                    NLMSG_DONE if interrupted => return Err(Failure::Interrupted),
                    NLMSG_DONE => return outcome(message.payload(), message.flags(), false),
                    NLMSG_ERROR => return outcome(message.payload(), message.flags(), true),
                    kind => row(kind, message.payload()),
                }
            }
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What an NLMSG_ERROR or NLMSG_DONE says: errno, the request's header (NLMSG_ERROR only), attributes.
fn outcome(payload: &[u8], flags: u16, echoes_header: bool) -> std::result::Result<(), Failure> {
    // Old kernels end a dump with an empty NLMSG_DONE.
    let Some((code, rest)) = payload.split_first_chunk::<4>() else {
        return if echoes_header {
            Err(Failure::Broken("an error message without its code"))
        } else {
            Ok(())
        };
    };
    let code = i32::from_ne_bytes(*code);
    if code >= 0 {
        return Ok(());
    }
    let attributes = if echoes_header { rest.get(HEADER..).unwrap_or_default() } else { rest };
    let mut words = String::new();
    if flags & NLM_F_ACK_TLVS != 0 {
        for attribute in NlasIterator::new(attributes).flatten() {
            if attribute.kind() == ATTR_MSG {
                words = String::from_utf8_lossy(attribute.value()).replace('\0', "");
            }
        }
    }
    Err(Failure::Refused(Errno::from_raw_os_error(code.saturating_neg()), words))
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Failure::Refused(errno, String::new())
    }
}

impl Failure {
    fn told(self, operation: &str, subject: &str) -> SysError {
        match self {
            Failure::Refused(errno, words) => {
                let mut error = SysError::from_io(operation, subject, &errno.into());
                if !words.is_empty() {
                    error.words = format!("{} ({words})", error.words);
                }
                error
            }
            Failure::Interrupted => {
                let words = format!("the table changed each of the {DUMP_ATTEMPTS} times it was read");
                SysError::new(operation, subject, Cause::Errno(libc::EINTR), words)
            }
            Failure::Broken(what) => {
                SysError::new(operation, subject, Cause::Protocol, format!("the kernel sent {what}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(payload: &[u8], flags: u16, echoes_header: bool) -> String {
        match outcome(payload, flags, echoes_header) {
            Ok(()) => "yes".to_owned(),
            Err(failure) => failure.told("change", "eth0").to_string(),
        }
    }

    #[test]
    fn the_kernels_words_are_in_the_error() {
        let mut refused = (-libc::EINVAL).to_ne_bytes().to_vec();
        refused.extend([0; HEADER]);
        let bare = refused.clone();
        refused.extend([12, 0, 1, 0]);
        refused.extend(b"too bad\0");
        let invalid = "change eth0: Invalid argument (os error 22)";
        for (payload, flags, echoes, expected) in [
            (&refused[..], NLM_F_ACK_TLVS, true, "change eth0: Invalid argument (os error 22) (too bad)"),
            (&refused, 0, true, invalid),
            (&bare, NLM_F_ACK_TLVS, true, invalid),
            (&refused[..6], NLM_F_ACK_TLVS, true, invalid),
            (&[0; 4], 0, true, "yes"),
            (&[0; 4], 0, false, "yes"),
            (&[], 0, false, "yes"),
            (&[1, 2], 0, true, "change eth0: the kernel sent an error message without its code"),
        ] {
            assert_eq!(said(payload, flags, echoes), expected, "{payload:?}");
        }
    }
}
