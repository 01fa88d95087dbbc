//! DHCPv4 on one interface: drives the client of `dayfly-wire` over a raw port.

use std::time::Duration;

use dayfly_sys::{DHCP_CLIENT, DHCP_SERVER, PacketPort, Sys};
use dayfly_wire::dhcp4::client::{Client, Received};
use dayfly_wire::mac::Mac;
use dayfly_wire::udp4::{self, Checksum};

use super::{Racer, Reason, apply};
use crate::NetworkUp;
use crate::events::Level;

/// The longest wait for a packet before the race's end is looked at again.
pub const LISTEN: Duration = Duration::from_millis(500);

/// Asks for a lease until there is one or the race is over. The port that it opens stays open.
pub fn lease<S: Sys>(racer: &Racer<S>, port: &mut Option<Box<dyn PacketPort>>) -> Result<NetworkUp, Reason> {
    let Some(mac) = racer.link.mac.map(Mac) else {
        return Err(Reason::Refused("it has no Ethernet address, which DHCP needs".to_owned()));
    };
    let opened = racer.sys.packet_port(racer.link.index);
    let port = port.insert(opened.map_err(|error| Reason::Refused(error.to_string()))?);
    let mut random = [0; 12];
    racer.sys.random(&mut random);
    let [a, b, c, d, seed @ ..] = random;
    let xid = u32::from_le_bytes([a, b, c, d]);
    let mut client = Client::new(mac, xid, racer.hostname.clone(), u64::from_le_bytes(seed));
    while !racer.is_over() {
        let now = racer.sys.now();
        if let Some(payload) = client.poll(now) {
            let packet = udp4::encode(DHCP_CLIENT, DHCP_SERVER, &payload);
            if let Err(error) = port.send(&packet) {
                // A link that goes down for a moment takes the port's packets with it; the next try is due soon.
                (racer.say)(Level::Debug, error.to_string());
            }
        }
        let wait = client.next_wakeup().saturating_sub(racer.sys.now()).min(LISTEN);
        let packet = match port.receive(wait) {
            Ok(Some(packet)) => packet,
            Ok(None) => continue,
            Err(error) => {
                (racer.say)(Level::Debug, error.to_string());
                racer.sys.sleep(LISTEN);
                continue;
            }
        };
        let checksum = if packet.1 { Checksum::Verify } else { Checksum::Trust };
        let payload = match udp4::parse(&packet.0, checksum) {
            Ok(datagram) => datagram.payload.to_vec(),
            Err(error) => {
                (racer.say)(Level::Debug, format!("a packet that is none: {error}"));
                continue;
            }
        };
        match client.receive(racer.sys.now(), &payload) {
            Received::Lease(lease) => {
                return apply::leased(racer, lease).map_err(|error| Reason::Refused(error.to_string()));
            }
            other => (racer.say)(Level::Debug, format!("{other:?}")),
        }
    }
    Err(Reason::NoLease(client.status()))
}
