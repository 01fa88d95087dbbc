//! What becomes of a claimed lease while the boot goes on: it is extended, or withdrawn.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use dayfly_formats::dhcp4::Lease;
use dayfly_sys::Platform;

use super::{Claims, Origin, State, Way};
use crate::{AddressOrigin, Autoconf};

impl Claims {
    /// Waits until a probe is over, for `limit` at most.
    pub fn rest(&self, sys: &dyn Platform, probe: u64, limit: Duration) {
        let me = thread::current();
        let mut field = self.field();
        if !field.awaits(probe) {
            return;
        }
        if field.resting.iter().all(|other| other.id() != me.id()) {
            field.resting.push(me);
        }
        drop(field);
        sys.park(limit);
    }

    /// Whether a way is configured with the lease that was granted at this time; `None` if it has another claim by now, or
    /// none.
    pub fn is_up_with(&self, probe: u64, way: Way, granted: Duration) -> Option<bool> {
        let mut field = self.field();
        let contender = field.find_of(probe, way)?;
        match &contender.state {
            State::Claims(Origin::Lease(_, since)) if *since == granted => Some(contender.up.is_some()),
            _ => None,
        }
    }

    /// Records that a server has extended the lease of a way, with what the new lease says. Returns the metric of its routes, if it is
    /// configured.
    pub fn extended(&self, probe: u64, way: Way, lease: &Lease, granted: Duration) -> Option<u32> {
        let mut field = self.field();
        let contender = field.find_of(probe, way)?;
        contender.state = State::Claims(Origin::Lease(Box::new(lease.clone()), granted));
        let up = contender.up.as_mut()?;
        let default = lease.effective_routes().into_iter().find(|route| route.prefix == 0);
        up.gateway = default.map(|route| IpAddr::V4(route.gateway)).filter(|router| !router.is_unspecified());
        up.given_dns = lease.dns.iter().map(|server| IpAddr::V4(*server).into()).collect();
        (up.domain, up.search) = (lease.domain.clone(), lease.search.clone());
        up.origin = AddressOrigin::Dhcp4(Box::new(lease.clone()), granted);
        Some(up.metric)
    }

    /// Records that routers have changed a claim. The server is asked again, because a router or a name server may be new.
    pub fn changed(&self, probe: u64, way: Way, autoconf: &Autoconf) {
        let mut field = self.field();
        let Some(contender) = field.find_of(probe, way) else { return };
        let State::Claims(Origin::Autoconf(claimed, _)) = &mut contender.state else { return };
        claimed.as_mut().clone_from(autoconf);
        contender.takes(autoconf);
        contender.begins_anew();
        contender.has_changed = true;
        field.wake_owner();
    }

    /// Records that a way has lost its address, and what its probe does now. Returns whether it was configured. The owner
    /// may configure the address while the probe finds out that it is lost: the probe calls this again until it has another
    /// lease.
    pub fn withdraw(&self, probe: u64, way: Way, state: State) -> bool {
        let mut field = self.field();
        let Some(contender) = field.find_of(probe, way) else { return false };
        contender.state = state;
        contender.begins_anew();
        let was_up = contender.up.take().is_some();
        field.order.retain(|other| *other != way);
        if was_up && field.winner == Some(way) {
            // A later step fails over this, and the boot returns to the network.
            field.winner = None;
        }
        was_up
    }
}
