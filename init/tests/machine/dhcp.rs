//! The fake's DHCP server: it offers one address to every client, and denies any other one that a client asks for.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dayfly_formats::dhcp4::{Message, MessageType, Op, code};
use dayfly_formats::udp4::{self, Checksum};
use dayfly_sys::{PacketPort, Result};

use super::{Clock, State};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

pub struct Port {
    answers: bool,
    /// The last byte of the offered address is 13 more than this.
    index: u32,
    clock: Arc<Clock>,
    state: Arc<Mutex<State>>,
    queue: VecDeque<Vec<u8>>,
}

impl Port {
    pub fn new(answers: bool, index: u32, clock: Arc<Clock>, state: Arc<Mutex<State>>) -> Self {
        Self { answers, index, clock, state, queue: VecDeque::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The type of the answer to a client's message; `None` if there is none.
    fn kind(&self, message: &Message, address: Ipv4Addr) -> Option<MessageType> {
        let kind = message.options.message_type();
        let asked = message.options.address(code::REQUESTED_ADDRESS);
        let mut state = self.state();
        let name = asked.map(|asked| format!(" {asked}")).unwrap_or_default();
        state.dhcp_heard.push(format!("{}{name}", kind.unwrap()));
        match kind {
            Some(MessageType::Discover) => Some(MessageType::Offer),
            // INIT-REBOOT: no server is named (RFC 2131 4.3.2).
            Some(MessageType::Request) if message.options.get(code::SERVER_ID).is_none() => {
                let answer = if asked == Some(address) { MessageType::Ack } else { MessageType::Nak };
                (!state.dhcp_forgets).then_some(answer)
            }
            Some(MessageType::Request) => Some(MessageType::Ack),
            other => panic!("a client does not send {other:?}"),
        }
    }
}

impl PacketPort for Port {
    fn send(&mut self, packet: &[u8]) -> Result<()> {
        let datagram = udp4::parse(packet, Checksum::Verify).unwrap();
        let mut message = Message::parse(datagram.payload).unwrap();
        let address = Ipv4Addr::new(10, 0, 2, 13 + u8::try_from(self.index).unwrap());
        let Some(kind) = self.kind(&message, address) else { return Ok(()) };
        let (name, ntp, only_lease) = {
            let state = self.state();
            (state.dhcp_name.clone(), state.dhcp_ntp.clone(), state.only_lease)
        };
        message.op = Op::Reply;
        message.yiaddr = if kind == MessageType::Nak { Ipv4Addr::UNSPECIFIED } else { address };
        message.options = dayfly_formats::dhcp4::Options::new();
        for (code, bytes) in [
            (code::MESSAGE_TYPE, vec![kind.number()]),
            (code::SERVER_ID, SERVER.octets().to_vec()),
            (code::SUBNET_MASK, vec![255, 255, 255, 0]),
            (code::ROUTER, SERVER.octets().to_vec()),
            (code::DOMAIN_NAME_SERVER, vec![10, 0, 2, 3]),
            // lab.example.org
            (code::DOMAIN_SEARCH, b"\x03lab\x07example\x03org\0".to_vec()),
            (code::HOST_NAME, name.into_bytes()),
            (code::INTERFACE_MTU, 1400u16.to_be_bytes().to_vec()),
            (code::LEASE_TIME, only_lease.unwrap_or(3600).to_be_bytes().to_vec()),
        ] {
            message.options.set(code, bytes);
        }
        if !ntp.is_empty() {
            let bytes: Vec<u8> = ntp.iter().flat_map(Ipv4Addr::octets).collect();
            message.options.set(code::NTP_SERVERS, bytes);
        }
        if self.answers {
            let (from, to) = (SocketAddrV4::new(SERVER, 67), SocketAddrV4::new(Ipv4Addr::BROADCAST, 68));
            self.queue.push_back(udp4::encode(from, to, &message.encode()));
            self.answers = only_lease.is_none() || kind == MessageType::Offer;
        }
        Ok(())
    }

    fn receive(&mut self, limit: Duration) -> Result<Option<(Vec<u8>, bool)>> {
        if self.queue.is_empty() {
            self.clock.sleep(limit);
        }
        Ok(self.queue.pop_front().map(|packet| (packet, true)))
    }
}
