//! DHCPv4 on one interface: connects the client of `dayfly-formats` to a raw socket.

use std::time::Duration;

use dayfly_formats::dhcp4::Lease;
use dayfly_formats::dhcp4::client::{Client, Received};
use dayfly_formats::mac::Mac;
use dayfly_formats::udp4::{self, Checksum};
use dayfly_sys::{DHCP_CLIENT, DHCP_SERVER, Family, PacketPort};

use super::conflict::Detection;
use super::lease_keeper::{self, Lost};
use super::owner;
use super::probe::Probe;
use crate::claims::{Conflicts, Origin, Reason, State};
use crate::events::Level;

/// The longest wait for a packet before checking again whether the probe is over.
const LISTEN: Duration = Duration::from_millis(500);
/// How long the interface has for an IPv6 address, if a DHCP server says that the network prefers IPv6 only. Without one, IPv4 is
/// used after all: any host of the link can send this option.
const IPV6_WAIT: Duration = Duration::from_secs(10);

/// The client of one interface with its socket.
struct Session<'a> {
    probe: &'a Probe,
    mac: Mac,
    client: Client,
    port: Box<dyn PacketPort>,
    /// The search for another host with the address, from the OFFER or the REQUEST of INIT-REBOOT on.
    detection: Option<Detection>,
    /// An address was taken back, and the owner may have configured it meanwhile.
    is_withdrawn: bool,
    /// The addresses that other hosts have, also those that earlier probes of the interface found.
    conflicts: Conflicts,
    /// When a server said that the network prefers IPv6 only, unless IPv6 has an address since.
    awaits_ipv6: Option<Duration>,
}

/// Requests a lease, claims it and keeps it until the probe is over. A lease that is lost is replaced by another one.
/// `has_ipv6` is true if the interface gets its addresses from routers, so that it can do without IPv4.
pub fn run(probe: &Probe, has_ipv6: bool) {
    let mut session = match Session::open(probe, has_ipv6) {
        Ok(session) => session,
        Err(reason) => return probe.tell(Family::V4, State::Failed(reason)),
    };
    while !probe.is_over() {
        let lease = match session.lease() {
            Ok(lease) => lease,
            Err(reason) => return probe.tell(Family::V4, State::Failed(reason)),
        };
        // If the address was known before the lease, the other host has had the time of the REQUEST to answer. The detection
        // may still be that of the last boot's address.
        let detection = session.detection.as_mut().filter(|found| found.address() == lease.address);
        if let Some(owner) = detection.and_then(|found| found.check(probe, Duration::ZERO))
            && session.decline(&lease, owner)
        {
            continue;
        }
        let granted = probe.sys.now();
        session.is_withdrawn = false;
        probe.tell(Family::V4, State::Claims(Origin::Lease(Box::new(lease.clone()), granted)));
        if let Some(owner) = session.conflict(&lease)
            && session.decline(&lease, owner)
        {
            continue;
        }
        let renewal = session.client.renewal(lease.clone(), granted);
        let Some(Lost(why)) = lease_keeper::keep(probe, &lease, renewal) else { return };
        session.client.lapse(probe.sys.now());
        session.withdraw(&why);
    }
}

impl<'a> Session<'a> {
    fn open(probe: &'a Probe, has_ipv6: bool) -> Result<Self, Reason> {
        let Some(mac) = probe.mac().map(Mac) else {
            return Err(Reason::Refused("it has no Ethernet address, which DHCP needs".to_owned()));
        };
        let port = probe.sys.packet_port(probe.link.index)?;
        let mut random = [0; 12];
        probe.sys.random(&mut random);
        let [a, b, c, d, seed @ ..] = random;
        let xid = u32::from_le_bytes([a, b, c, d]);
        let own_name = probe.hostname.as_ref().map(ToString::to_string);
        let conflicts = probe.conflicts();
        let mut client = Client::new(mac, xid, own_name, u64::from_le_bytes(seed))
            .without_ipv4(has_ipv6)
            .with_last_address(probe.last_address)
            .after_decline(conflicts.declined);
        if let Some(class) = &probe.vendor_class {
            client = client.with_vendor_class(class);
        }
        Ok(Self {
            probe,
            mac,
            client,
            port,
            detection: None,
            is_withdrawn: false,
            conflicts,
            awaits_ipv6: None,
        })
    }

    /// Requests a lease until there is one, the time for it is over, or the probe is over.
    fn lease(&mut self) -> Result<Lease, Reason> {
        let probe = self.probe;
        let (limit, started) = (probe.config.limits.dhcp, probe.sys.now());
        while !probe.is_over() && limit.is_none_or(|limit| probe.sys.now().saturating_sub(started) < limit) {
            if self.is_withdrawn {
                self.withdraw(&self.client.status());
            }
            self.check_ipv6();
            if let Some(payload) = self.client.poll(probe.sys.now()) {
                probe.tell(Family::V4, State::Waiting(Reason::NoLease(self.client.status())));
                if let Err(error) = self.send(&payload) {
                    // A link that goes down briefly loses the socket's packets. The client sends again soon.
                    let words =
                        format!("{}; the last message could not be sent: {error}", self.client.status());
                    probe.tell(Family::V4, State::Waiting(Reason::NoLease(words)));
                    (probe.say)(Level::Debug, error);
                }
                // After the REQUEST, so that it is not later.
                if let Some(address) = self.client.address()
                    && self.detection.as_ref().is_none_or(|detection| detection.address() != address)
                {
                    self.detection = Detection::start(probe, self.mac, address);
                }
            }
            let wait = self.client.next_wakeup().saturating_sub(probe.sys.now()).min(LISTEN);
            let packet = match self.port.receive(wait) {
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
            match self.client.receive(probe.sys.now(), &payload) {
                Received::Lease(lease) => return Ok(lease),
                Received::Ipv6Only(_) => {
                    let words = self.client.status();
                    (probe.say)(Level::Info, words.clone());
                    probe.tell(Family::V4, State::Waiting(Reason::NoLease(words)));
                    self.awaits_ipv6 = Some(probe.sys.now());
                }
                other => (probe.say)(Level::Debug, format!("{other:?}")),
            }
        }
        Err(Reason::NoLease(self.client.status()))
    }

    /// Asks for IPv4 after all, if IPv6 has no address in time.
    fn check_ipv6(&mut self) {
        let (probe, now) = (self.probe, self.probe.sys.now());
        let Some(since) = self.awaits_ipv6 else { return };
        if probe.has_claim(Family::V6) {
            self.awaits_ipv6 = None;
        } else if now.saturating_sub(since) >= IPV6_WAIT {
            self.awaits_ipv6 = None;
            self.client.needs_ipv4(now);
            let seconds = IPV6_WAIT.as_secs();
            (probe.say)(
                Level::Warning,
                format!("no IPv6 address within {seconds} s, so IPv4 is used after all"),
            );
        }
    }

    fn send(&mut self, payload: &[u8]) -> Result<(), String> {
        let packet = udp4::encode(DHCP_CLIENT, DHCP_SERVER, payload);
        self.port.send(&packet).map_err(|error| error.to_string())
    }

    /// Looks for another host with the address of the claimed lease. Returns its hardware address.
    fn conflict(&mut self, lease: &Lease) -> Option<Mac> {
        let found = self.detection.take().filter(|detection| detection.address() == lease.address);
        let mut detection = found.or_else(|| Detection::start(self.probe, self.mac, lease.address))?;
        while !self.probe.is_over() && !detection.is_done(self.probe) {
            if let Some(owner) = detection.check(self.probe, LISTEN) {
                return Some(owner);
            }
        }
        None
    }

    /// Gives back a lease whose address another host has. False if the lease is kept: a host with several of the offered addresses
    /// is a switch or router that answers for all of them (proxy ARP, RFC 1027).
    fn decline(&mut self, lease: &Lease, owner: Mac) -> bool {
        self.detection = None;
        let is_proxy = self.conflicts.has_another(owner, lease.address);
        let is_new = self.conflicts.add(owner, lease.address);
        if is_proxy {
            self.probe.keep_conflicts(&self.conflicts);
            if is_new {
                let words = format!(
                    "{owner} answers by ARP for {} as well, so it is a proxy of the network and not another host: the \
                     address is used",
                    lease.address
                );
                (self.probe.say)(Level::Warning, words);
            }
            return false;
        }
        if let Some(payload) = self.client.decline(self.probe.sys.now(), owner)
            && let Err(error) = self.send(&payload)
        {
            (self.probe.say)(Level::Debug, error);
        }
        self.conflicts.declined = self.client.declined();
        self.probe.keep_conflicts(&self.conflicts);
        let words = format!(
            "{} is in use by {owner}, which answered by ARP; the DHCP server {} was told (DHCPDECLINE)",
            lease.address, lease.server
        );
        self.withdraw(&words);
        (self.probe.say)(Level::Warning, words);
        true
    }

    /// Takes back the claim, and the address if the owner has configured it.
    fn withdraw(&mut self, why: &str) {
        self.is_withdrawn = true;
        let state = State::Waiting(Reason::NoLease(why.to_owned()));
        if self.probe.withdraw(Family::V4, state)
            && let Err(error) = owner::remove(&*self.probe.sys, self.probe.link.index)
        {
            (self.probe.say)(Level::Warning, error.to_string());
        }
    }
}
