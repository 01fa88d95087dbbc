//! Sends and receives raw IPv4 and ARP packets before there is an address. See packet(7), and classic BPF in linux/filter.h.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::Tried;
use super::mounts::last_errno;
use super::sockets::{set_option, wait_readable};
use crate::{PacketPort, Result};

/// The largest IPv4 packet.
const PACKET: usize = 65_535;
/// UDP to port 68, not a later fragment; the packet starts at its IPv4 header.
const DHCP: [libc::sock_filter; 9] = [
    instruction(0x30, 0, 0, 9),           // load the protocol
    instruction(0x15, 0, 6, 17),          // UDP, else drop
    instruction(0x28, 0, 0, 6),           // load flags and fragment offset
    instruction(0x45, 4, 0, 0x1fff),      // a later fragment: drop
    instruction(0xb1, 0, 0, 0),           // x = length of the IPv4 header
    instruction(0x48, 0, 0, 2),           // load the destination port
    instruction(0x15, 0, 1, 68),          // the client's, else drop
    instruction(0x06, 0, 0, 0xffff_ffff), // take all of it
    instruction(0x06, 0, 0, 0),           // drop
];

/// ARP from a host that has `address`, or from one without an address that asks for it. Other ARP packets do not wake the
/// boot; the packet starts at its ARP header.
const fn arp(address: u32) -> [libc::sock_filter; 7] {
    [
        instruction(0x20, 0, 0, 14),          // load the sender's address
        instruction(0x15, 3, 0, address),     // the address: take
        instruction(0x15, 0, 3, 0),           // none: a probe, else drop
        instruction(0x20, 0, 0, 24),          // load the address that is asked for
        instruction(0x15, 0, 1, address),     // the address: take, else drop
        instruction(0x06, 0, 0, 0xffff_ffff), // take all of it
        instruction(0x06, 0, 0, 0),           // drop
    ]
}

const fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

pub(super) struct Port {
    socket: OwnedFd,
    broadcast: libc::sockaddr_ll,
    subject: String,
    buffer: Vec<u8>,
}

/// Room for one control message with a `tpacket_auxdata`, aligned as `cmsghdr` wants it.
#[repr(C)]
union Control {
    _aligned: std::mem::ManuallyDrop<libc::cmsghdr>,
    bytes: [u8; 64],
}

impl Port {
    /// A port for the packets of DHCP.
    pub(super) fn for_dhcp(index: u32) -> Result<Self> {
        Self::open(index, libc::ETH_P_IP, &DHCP, "open a DHCP port on")
    }

    /// A port for the ARP packets about an address.
    pub(super) fn for_arp(index: u32, address: Ipv4Addr) -> Result<Self> {
        Self::open(index, libc::ETH_P_ARP, &arp(address.to_bits()), "open an ARP port on")
    }

    /// Creates the socket with protocol 0, which receives nothing. The filter is attached before the bind starts
    /// reception.
    fn open(index: u32, protocol: i32, filter: &[libc::sock_filter], operation: &str) -> Result<Self> {
        let subject = format!("interface {index}");
        let broadcast = address(index, protocol);
        let socket = open_deaf().tried(operation, &subject)?;
        set_filter(&socket, filter).tried("attach a packet filter on", &subject)?;
        set_option(&socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, 1).tried(operation, &subject)?;
        bind(&socket, &broadcast).tried(operation, &subject)?;
        Ok(Self { socket, broadcast, subject, buffer: vec![0; PACKET] })
    }
}

impl PacketPort for Port {
    fn send(&mut self, packet: &[u8]) -> Result<()> {
        send_to(&self.socket, packet, &self.broadcast).tried("send a packet on", &self.subject)
    }

    fn receive(&mut self, limit: Duration) -> Result<Option<(Vec<u8>, bool)>> {
        let deadline = Instant::now() + limit;
        loop {
            match receive_from(&self.socket, &mut self.buffer) {
                Ok((count, complete)) => {
                    let packet = self.buffer.get(..count).unwrap_or_default();
                    return Ok(Some((packet.to_vec(), complete)));
                }
                Err(Errno::AGAIN) => {
                    if !wait_readable(&self.socket, deadline).tried("wait for a packet on", &self.subject)? {
                        return Ok(None);
                    }
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno).tried("receive a packet on", &self.subject),
            }
        }
    }
}

/// The broadcast address of an interface, and the address to bind to it.
fn address(index: u32, protocol: i32) -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: (protocol as u16).to_be(),
        sll_ifindex: index as i32,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0],
    }
}

#[allow(unsafe_code)]
fn open_deaf() -> std::result::Result<OwnedFd, Errno> {
    // SAFETY: socket(2) takes three integers and touches no memory of ours.
    let fd = unsafe {
        libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0)
    };
    if fd < 0 {
        return Err(last_errno());
    }
    // SAFETY: the descriptor was just created and has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[allow(unsafe_code)]
fn set_filter(socket: &OwnedFd, filter: &[libc::sock_filter]) -> std::result::Result<(), Errno> {
    let mut instructions = filter.to_vec();
    let program = libc::sock_fprog { len: filter.len() as u16, filter: instructions.as_mut_ptr() };
    // SAFETY: `program` points to `len` instructions; both live through the call, which copies them.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

#[allow(unsafe_code)]
fn bind(socket: &OwnedFd, address: &libc::sockaddr_ll) -> std::result::Result<(), Errno> {
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: `address` is a whole sockaddr_ll, passed with its size, and only read.
    let result = unsafe { libc::bind(socket.as_raw_fd(), std::ptr::from_ref(address).cast(), length) };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

#[allow(unsafe_code)]
fn send_to(socket: &OwnedFd, packet: &[u8], to: &libc::sockaddr_ll) -> std::result::Result<(), Errno> {
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    loop {
        // SAFETY: pointer and length are those of `packet`; `to` is a whole sockaddr_ll with its size; both only read.
        let sent = unsafe {
            let bytes = packet.as_ptr().cast();
            libc::sendto(socket.as_raw_fd(), bytes, packet.len(), 0, std::ptr::from_ref(to).cast(), length)
        };
        match last_errno_if(sent < 0) {
            Some(Errno::INTR) => {}
            Some(errno) => return Err(errno),
            None => return Ok(()),
        }
    }
}

fn last_errno_if(failed: bool) -> Option<Errno> {
    failed.then(last_errno)
}

/// A packet, and whether its checksum is complete.
#[allow(unsafe_code)]
fn receive_from(socket: &OwnedFd, buffer: &mut [u8]) -> std::result::Result<(usize, bool), Errno> {
    let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = Control { bytes: [0; 64] };
    // SAFETY: all-zero bytes are a valid msghdr: null pointers and zero lengths.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of::<Control>() as _;
    // SAFETY: the msghdr names one buffer and one control area with their true sizes, all alive through the call.
    let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) };
    if count < 0 {
        return Err(last_errno());
    }
    let mut status = 0;
    // SAFETY: the kernel filled the control area and set msg_controllen; CMSG_FIRSTHDR gives a header inside it or null.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    while !header.is_null() {
        // SAFETY: the header is inside the control area, which is aligned for it and alive.
        let (level, kind, length) =
            unsafe { ((*header).cmsg_level, (*header).cmsg_type, (*header).cmsg_len as usize) };
        let needed = size_of::<libc::cmsghdr>() + size_of::<libc::tpacket_auxdata>();
        if level == libc::SOL_PACKET && kind == libc::PACKET_AUXDATA && length >= needed {
            // SAFETY: the message is long enough for a tpacket_auxdata (just checked); read without assuming alignment.
            let data: libc::tpacket_auxdata =
                unsafe { libc::CMSG_DATA(header).cast::<libc::tpacket_auxdata>().read_unaligned() };
            status = data.tp_status;
        }
        // SAFETY: both pointers are those of the message that recvmsg filled.
        header = unsafe { libc::CMSG_NXTHDR(&raw const message, header) };
    }
    Ok((count as usize, status & libc::TP_STATUS_CSUMNOTREADY == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter like the kernel; true if the packet is accepted.
    fn takes(filter: &[libc::sock_filter], packet: &[u8]) -> bool {
        let (mut at, mut a, mut x) = (0, 0_u32, 0_usize);
        let half = |at: usize| packet.get(at..at + 2).map(|b| u32::from(u16::from_be_bytes([b[0], b[1]])));
        loop {
            let step = filter[at];
            let k = step.k as usize;
            let jump = |yes: bool| 1 + usize::from(if yes { step.jt } else { step.jf });
            let mut next = 1;
            let loaded = match step.code {
                0x30 => packet.get(k).map(|byte| u32::from(*byte)),
                0x20 => packet.get(k..k + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]])),
                0x28 => half(k),
                0x48 => half(x + k),
                0xb1 => {
                    x = usize::from(packet[k] & 15) * 4;
                    Some(a)
                }
                0x15 => {
                    next = jump(a == step.k);
                    Some(a)
                }
                0x45 => {
                    next = jump(a & step.k != 0);
                    Some(a)
                }
                0x06 => return step.k != 0,
                code => panic!("instruction {code:#x} is not known here"),
            };
            // The kernel drops packets that are too short for a load.
            let Some(value) = loaded else { return false };
            a = value;
            at += next;
        }
    }

    fn packet(header_words: u8, protocol: u8, fragment: u16, port: u16) -> Vec<u8> {
        let mut packet = vec![0; usize::from(header_words) * 4 + 8];
        packet[0] = 0x40 | header_words;
        packet[6..8].copy_from_slice(&fragment.to_be_bytes());
        packet[9] = protocol;
        let udp = usize::from(header_words) * 4;
        packet[udp + 2..udp + 4].copy_from_slice(&port.to_be_bytes());
        packet
    }

    #[test]
    fn only_udp_to_the_client_port_passes() {
        for (what, packet, expected) in [
            ("an answer", packet(5, 17, 0, 68), true),
            ("an answer with IP options", packet(8, 17, 0, 68), true),
            ("an answer that must not be fragmented", packet(5, 17, 0x4000, 68), true),
            ("a request", packet(5, 17, 0, 67), false),
            ("TCP", packet(5, 6, 0, 68), false),
            ("a later fragment", packet(5, 17, 185, 68), false),
            ("a cut header", packet(5, 17, 0, 68)[..10].to_vec(), false),
            ("a cut UDP header", packet(5, 17, 0, 68)[..22].to_vec(), false),
        ] {
            assert_eq!(takes(&DHCP, &packet), expected, "{what}");
        }
    }

    #[test]
    fn only_arp_of_a_host_with_the_address_passes() {
        let (address, router, none) = ([10, 0, 0, 50], [10, 0, 0, 1], [0; 4]);
        let packet = |sender: [u8; 4], target: [u8; 4]| {
            let mut packet = vec![0; 28];
            packet[14..18].copy_from_slice(&sender);
            packet[24..28].copy_from_slice(&target);
            packet
        };
        for (what, packet, expected) in [
            ("an answer", packet(address, none), true),
            ("an announcement", packet(address, address), true),
            ("a probe for it", packet(none, address), true),
            ("a request for it", packet(router, address), false),
            ("a probe for another address", packet(none, router), false),
            ("a request", packet(router, [10, 0, 0, 9]), false),
            ("a cut packet", packet(none, address)[..26].to_vec(), false),
        ] {
            assert_eq!(takes(&arp(0x0a00_0032), &packet), expected, "{what}");
        }
    }
}
