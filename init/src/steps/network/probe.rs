//! A probe: sets one interface up, waits for its carrier and finds an address for it. It configures no address and no
//! route; the owner of the claims does.

use std::sync::Arc;
use std::time::Duration;

use dayfly_formats::ip::IpArg;
use dayfly_plan::NetworkPlan;
use dayfly_plan::settings::value::HostName;
use dayfly_sys::{Link, LinkChange, PacketPort, Sys, SysError};

use super::{apply, dhcp};
use crate::claims::{Claims, Origin, Reason, State};
use crate::context::Context;
use crate::events::Level;
use crate::{Failure, threads};

/// How often the state of the links is checked.
pub const POLL: Duration = Duration::from_millis(20);
/// The same after another interface has won, to save CPU time for the transfer of the image.
const RELAXED_POLL: Duration = Duration::from_millis(500);

/// The probe of one interface, on its own thread.
pub struct Probe {
    pub sys: Arc<dyn Sys>,
    pub link: Link,
    pub hostname: Option<HostName>,
    ip: IpArg,
    claims: Arc<Claims>,
    round: u64,
    pub say: Box<dyn Fn(Level, String) + Send>,
}

/// Starts a probe.
pub fn start(cx: &Context, plan: &NetworkPlan, link: Link, ip: IpArg) {
    let (events, step, name) = (cx.events.clone(), cx.step, link.name.clone());
    let probe = Probe {
        sys: Arc::clone(&cx.sys),
        hostname: plan.hostname.clone().or_else(|| HostName::of_ip(&ip)),
        link,
        ip,
        claims: Arc::clone(&cx.claims),
        round: cx.claims.round(),
        say: Box::new({
            let name = name.clone();
            move |level, text| events.note(level, Some(step), format!("{name}: {text}"))
        }),
    };
    let on_panic = {
        let (claims, round, index) = (Arc::clone(&probe.claims), probe.round, probe.link.index);
        move |failure: Failure| claims.tell(round, index, State::Failed(Reason::Refused(failure.wrong)))
    };
    let spawned = threads::start(format!("net {name}"), on_panic, move || {
        let mut port = None;
        let state = match probe.run(&mut port) {
            Ok(origin) => State::Claims(origin),
            Err(reason) => State::Failed(reason),
        };
        probe.tell(state);
        // Close the socket after reporting, because the kernel waits for an RCU grace period before it closes a packet
        // socket.
        drop(port);
    });
    if let Err(error) = spawned {
        cx.note(Level::Warning, format!("{name}: the thread could not be started: {error}"));
    }
}

impl Probe {
    /// Runs the probe. The caller closes the socket that it opens.
    fn run(&self, port: &mut Option<Box<dyn PacketPort>>) -> Result<Origin, Reason> {
        // Addresses and routes of an earlier attempt would conflict with those of this one.
        self.change(&LinkChange::Flush)?;
        if let Some(mtu) = self.ip.mtu {
            // Set the MTU before the interface is up: some lose their carrier when it changes.
            apply::set_mtu(&*self.sys, &self.link, mtu, &self.say)?;
        }
        self.change(&LinkChange::Up)?;
        if self.is_over() && !self.link.up {
            // The owner removed the configuration while this call was in progress. So set the interface down.
            self.change(&LinkChange::Down)?;
        }
        self.wait_for_carrier()?;
        match self.ip.client {
            Some(address) => Ok(Origin::Static(address)),
            None => dhcp::lease(self, port).map(|lease| Origin::Lease(Box::new(lease), self.sys.now())),
        }
    }

    fn wait_for_carrier(&self) -> Result<(), Reason> {
        let mut said = false;
        while !self.is_over() {
            let links = self.sys.links()?;
            match links.iter().find(|link| link.index == self.link.index) {
                Some(link) if link.carrier => return Ok(()),
                Some(_) => {}
                None => return Err(Reason::Refused("the interface was removed".to_owned())),
            }
            if !said {
                (self.say)(Level::Debug, "up, waiting for a carrier".to_owned());
                said = true;
            }
            self.sys.sleep(if self.claims.is_decided() { RELAXED_POLL } else { POLL });
        }
        Err(Reason::NoCarrier)
    }

    fn change(&self, change: &LinkChange) -> Result<(), SysError> {
        self.sys.change_link(self.link.index, change)
    }

    /// Reports the state of the probe.
    pub fn tell(&self, state: State) {
        self.claims.tell(self.round, self.link.index, state);
    }

    /// Whether the owner no longer waits for this probe.
    pub fn is_over(&self) -> bool {
        !self.claims.is_open(self.round)
    }
}
