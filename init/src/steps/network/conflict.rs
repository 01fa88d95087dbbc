//! Looks for another host with the address of a lease (RFC 5227). The address is used meanwhile, as IPv6 does with optimistic
//! duplicate address detection: the whole probe of the RFC takes 4 to 7 s, and a DHCP server checks the address before.

use std::net::Ipv4Addr;
use std::time::Duration;

use dayfly_formats::arp::Arp;
use dayfly_formats::mac::Mac;
use dayfly_sys::PacketPort;

use super::probe::Probe;
use crate::events::Level;

/// When the probes are sent, from the start: at once instead of after a random time of up to 1 s, then with the RFC's
/// shortest interval, `PROBE_MIN`.
const PROBES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2)];
/// When the address is the host's own, from the start: `ANNOUNCE_WAIT`, 2 s, after the last probe.
const END: Duration = Duration::from_secs(4);

/// The search for another host with one address.
pub struct Detection {
    port: Box<dyn PacketPort>,
    mac: Mac,
    address: Ipv4Addr,
    started: Duration,
    sent: usize,
}

impl Detection {
    /// Sends the first probe. `None` if the port cannot be opened: a boot does not end for that.
    pub fn start(probe: &Probe, mac: Mac, address: Ipv4Addr) -> Option<Self> {
        match probe.sys.arp_port(probe.link.index, address) {
            Ok(port) => {
                let mut detection = Self { port, mac, address, started: probe.sys.now(), sent: 0 };
                detection.send(probe);
                Some(detection)
            }
            Err(error) => {
                (probe.say)(Level::Debug, error.to_string());
                None
            }
        }
    }

    /// The address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Whether no other host has answered in time.
    pub fn is_done(&self, probe: &Probe) -> bool {
        probe.sys.now() >= self.started + END
    }

    /// Sends the probes that are due.
    fn send(&mut self, probe: &Probe) {
        let since = probe.sys.now().saturating_sub(self.started);
        while PROBES.get(self.sent).is_some_and(|due| *due <= since) {
            self.sent += 1;
            if let Err(error) = self.port.send(&Arp::probe(self.mac, self.address).encode()) {
                (probe.say)(Level::Debug, error.to_string());
            }
        }
    }

    /// Waits for an answer, until the next probe is due and for `limit` at most. Returns the hardware address of the other
    /// host.
    pub fn check(&mut self, probe: &Probe, limit: Duration) -> Option<Mac> {
        self.send(probe);
        let next = self.started + PROBES.get(self.sent).copied().unwrap_or(END);
        let until = next.min(probe.sys.now() + limit);
        loop {
            let packet = match self.port.receive(until.saturating_sub(probe.sys.now())) {
                Ok(Some((packet, _))) => packet,
                Ok(None) => return None,
                Err(error) => {
                    (probe.say)(Level::Debug, error.to_string());
                    probe.sys.sleep(limit);
                    return None;
                }
            };
            match Arp::parse(&packet) {
                Ok(arp) => {
                    let other = arp.conflict(self.mac, self.address);
                    if let Some(owner) = other.filter(|owner| !is_own(probe, *owner)) {
                        return Some(owner);
                    }
                }
                Err(error) => (probe.say)(Level::Debug, error.to_string()),
            }
            if probe.sys.now() >= until {
                return None;
            }
        }
    }
}

/// Whether an interface of this host has a hardware address. The kernel answers for the addresses of the host on all its
/// interfaces (`arp_ignore`, Documentation/networking/ip-sysctl.rst), and two of them may be in the same network.
fn is_own(probe: &Probe, mac: Mac) -> bool {
    probe.sys.links().is_ok_and(|links| links.iter().any(|link| link.mac == Some(mac.0)))
}
