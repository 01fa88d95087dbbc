//! Extends a lease while the boot goes on, for example during a long download, until `settle` ends all probes. After that, the
//! network service of the OS extends it.

use std::net::SocketAddrV4;
use std::time::Duration;

use dayfly_formats::dhcp4::Lease;
use dayfly_formats::dhcp4::client::{Renewal, Renewed};
use dayfly_sys::{DHCP_CLIENT, DHCP_SERVER, UdpPort};

use super::owner;
use super::probe::Probe;
use crate::events::Level;

/// The longest wait for an answer before checking again whether the probe is over.
const LISTEN: Duration = Duration::from_millis(500);

/// Why a lease is lost.
pub struct Lost(pub String);

/// Extends the lease of a claim from its T1 on. Returns when the probe is over, the interface has another claim, or the lease
/// is lost.
pub fn keep(probe: &Probe, lease: &Lease, mut renewal: Renewal) -> Option<Lost> {
    let mut port: Option<Box<dyn UdpPort>> = None;
    let mut current = lease.clone();
    loop {
        let is_up = probe.is_up_with(renewal.granted())?;
        let now = probe.sys.now();
        if now >= renewal.expires() {
            let why = format!("{}, so it has expired", renewal.status());
            if is_up {
                (probe.say)(Level::Warning, why.clone());
            }
            return Some(Lost(why));
        }
        let due = renewal.next_wakeup();
        if now < due && port.is_none() {
            probe.rest(due.saturating_sub(now));
            continue;
        }
        if !is_up {
            // Without its address, the interface cannot send a REQUEST. The owner probes it again if it is needed.
            return None;
        }
        let open = match &mut port {
            Some(open) => open,
            None => match probe.sys.udp_port(probe.link.index, DHCP_CLIENT.port()) {
                Ok(opened) => port.insert(opened),
                Err(error) => {
                    (probe.say)(Level::Warning, format!("the lease cannot be extended: {error}"));
                    probe.rest(renewal.expires().saturating_sub(now));
                    continue;
                }
            },
        };
        if let Some((payload, server)) = renewal.poll(now)
            && let Err(error) = open.send(&payload, SocketAddrV4::new(server, DHCP_SERVER.port()))
        {
            (probe.say)(Level::Info, error.to_string());
        }
        let wait = renewal.next_wakeup().saturating_sub(probe.sys.now()).min(LISTEN);
        let payload = match open.receive(wait) {
            Ok(Some(payload)) => payload,
            Ok(None) => continue,
            Err(error) => {
                (probe.say)(Level::Debug, error.to_string());
                probe.sys.sleep(LISTEN);
                continue;
            }
        };
        match renewal.receive(&payload) {
            Renewed::Lease(new) => {
                let metric = probe.extended(&new, renewal.granted());
                let (index, prefix) = (probe.link.index, lease.prefix);
                if let Some(metric) = metric
                    && let Err(error) = owner::extend(&*probe.sys, index, prefix, metric, &current, &new)
                {
                    (probe.say)(Level::Warning, error.to_string());
                }
                current = new.clone();
                let time = new.lease_seconds.map_or_else(|| "ever".to_owned(), |time| format!("{time} s"));
                let words = format!("the lease of {} is extended for {time} by {}", new.address, new.server);
                (probe.say)(Level::Info, words);
                port = None;
            }
            Renewed::Nak(words) => {
                let why = format!("the DHCP server ended the lease of {} ({words})", lease.address);
                (probe.say)(Level::Warning, why.clone());
                return Some(Lost(why));
            }
            Renewed::Ignored(reason) => (probe.say)(Level::Debug, format!("ignored: {reason}")),
        }
    }
}
