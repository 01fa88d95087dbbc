//! DHCPv4 on one interface: connects the client of `dayfly-formats` to a raw socket.

use std::time::Duration;

use dayfly_formats::dhcp4::Lease;
use dayfly_formats::dhcp4::client::{Client, Received};
use dayfly_formats::mac::Mac;
use dayfly_formats::udp4::{self, Checksum};
use dayfly_sys::{DHCP_CLIENT, DHCP_SERVER, Family, PacketPort};

use super::probe::Probe;
use crate::claims::{Reason, State};
use crate::events::Level;

/// The longest wait for a packet before checking again whether the probe is over.
const LISTEN: Duration = Duration::from_millis(500);

/// Requests a lease until there is one or the probe is over. The socket stays open for the caller.
pub fn lease(probe: &Probe, port: &mut Option<Box<dyn PacketPort>>) -> Result<Lease, Reason> {
    let Some(mac) = probe.mac().map(Mac) else {
        return Err(Reason::Refused("it has no Ethernet address, which DHCP needs".to_owned()));
    };
    let opened = probe.sys.packet_port(probe.link.index);
    let port = port.insert(opened?);
    let mut random = [0; 12];
    probe.sys.random(&mut random);
    let [a, b, c, d, seed @ ..] = random;
    let xid = u32::from_le_bytes([a, b, c, d]);
    let own_name = probe.hostname.as_ref().map(ToString::to_string);
    let mut client = Client::new(mac, xid, own_name, u64::from_le_bytes(seed));
    while !probe.is_over() {
        let now = probe.sys.now();
        if let Some(payload) = client.poll(now) {
            probe.tell(Family::V4, State::Waiting(Reason::NoLease(client.status())));
            let packet = udp4::encode(DHCP_CLIENT, DHCP_SERVER, &payload);
            if let Err(error) = port.send(&packet) {
                // A link that goes down briefly loses the socket's packets. The client sends again soon.
                let words = format!("{}; the last message could not be sent: {error}", client.status());
                probe.tell(Family::V4, State::Waiting(Reason::NoLease(words)));
                (probe.say)(Level::Debug, error.to_string());
            }
        }
        let wait = client.next_wakeup().saturating_sub(probe.sys.now()).min(LISTEN);
        let packet = match port.receive(wait) {
            Ok(Some(packet)) => packet,
            Ok(None) => continue,
            Err(error) => {
                (probe.say)(Level::Debug, error.to_string());
                probe.sys.sleep(LISTEN);
                continue;
            }
        };
        let checksum = if packet.1 { Checksum::Verify } else { Checksum::Trust };
        let payload = match udp4::parse(&packet.0, checksum) {
            Ok(datagram) => datagram.payload.to_vec(),
            Err(error) => {
                (probe.say)(Level::Debug, format!("an invalid packet: {error}"));
                continue;
            }
        };
        match client.receive(probe.sys.now(), &payload) {
            Received::Lease(lease) => return Ok(lease),
            other => (probe.say)(Level::Debug, format!("{other:?}")),
        }
    }
    Err(Reason::NoLease(client.status()))
}
