//! DHCPv6 on one interface: drives the client of `dayfly-formats` over a UDP socket.

use std::time::Duration;

use dayfly_formats::dhcp6::client::{Client, Received, Want};
use dayfly_formats::dhcp6::{Duid, Information6, Lease6};
use dayfly_formats::mac::Mac;
use dayfly_sys::{DHCP6_CLIENT_PORT, Family};

use super::probe::Probe;
use crate::claims::{Reason, State};
use crate::events::Level;

/// The longest wait for a packet before the probe's end is checked again.
const LISTEN: Duration = Duration::from_millis(500);

/// What a server gave.
pub enum Answer {
    /// An address and settings.
    Lease(Lease6),
    /// Settings alone.
    Information(Information6),
}

/// Asks for a lease until there is one, for `limit` at most, or the probe is over.
pub fn lease(probe: &Probe, limit: Option<Duration>) -> Result<Lease6, Reason> {
    match ask(probe, Want::Address { iaid: iaid(probe) }, limit)? {
        Answer::Lease(lease) => Ok(lease),
        Answer::Information(_) => Err(Reason::Refused("the DHCPv6 server gave no address".to_owned())),
    }
}

/// The number of the association: the same at each boot for the same interface (RFC 8415 12).
fn iaid(probe: &Probe) -> u32 {
    probe.mac().map_or(0, iaid_of)
}

/// The last four bytes of the MAC address.
pub fn iaid_of([_, _, a, b, c, d]: [u8; 6]) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

/// The identifier of this machine, by which servers know it: from the firmware's UUID, else from the MAC address.
pub fn duid_of(uuid: Option<[u8; 16]>, mac: Option<Mac>) -> Option<Duid> {
    uuid.and_then(Duid::from_uuid).or_else(|| mac.map(Duid::from_mac))
}

/// Asks until there is an answer, for `limit` at most, or the probe is over.
pub fn ask(probe: &Probe, want: Want, limit: Option<Duration>) -> Result<Answer, Reason> {
    let Some(duid) = duid_of(probe.uuid, probe.mac().map(Mac)) else {
        return Err(Reason::Refused("it has no Ethernet address, which DHCPv6 needs".to_owned()));
    };
    let mut port = probe.sys.datagram_port6(probe.link.index, DHCP6_CLIENT_PORT)?;
    let mut seed = [0; 8];
    probe.sys.random(&mut seed);
    let own_name = probe.hostname.as_ref().map(ToString::to_string);
    let mut client = Client::new(duid, want, own_name, u64::from_le_bytes(seed));
    let until = limit.map(|limit| probe.sys.now() + limit);
    while !probe.is_over() && until.is_none_or(|until| probe.sys.now() < until) {
        if let Some(payload) = client.poll(probe.sys.now()) {
            if let Err(error) = port.send(&payload) {
                (probe.say)(Level::Debug, error.to_string());
            }
            if limit.is_none() {
                probe.tell(Family::V6, State::Waiting(Reason::NoLease(client.status())));
            }
        }
        let pause = client.next_wakeup().saturating_sub(probe.sys.now()).min(LISTEN);
        let payload = match port.receive(pause) {
            Ok(Some((payload, _))) => payload,
            Ok(None) => continue,
            Err(error) => {
                (probe.say)(Level::Debug, error.to_string());
                probe.sys.sleep(LISTEN);
                continue;
            }
        };
        match client.receive(probe.sys.now(), &payload) {
            Received::Lease(lease) => return Ok(Answer::Lease(lease)),
            Received::Information(information) => return Ok(Answer::Information(information)),
            other => (probe.say)(Level::Debug, format!("{other:?}")),
        }
    }
    Err(Reason::NoLease(client.status()))
}
