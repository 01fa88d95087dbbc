//! What each network interface can be configured with, and which of them are configured. Each probe claims an address
//! for its interface. One owner (the step `network`, then `settle`) decides and configures.

mod conflicts;
mod contender;
mod leases;
mod questions;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use dayfly_sys::{Link, Platform, TreePath};

pub use self::conflicts::Conflicts;
pub use self::contender::{Contender, Origin, Reason, State, Way};
use crate::AddressUp;

#[derive(Default)]
struct Field {
    /// The attempt of the step that owns the interfaces.
    round: u64,
    /// The number of the last probe that was started.
    probes: u64,
    /// In the order in which the interfaces were found.
    contenders: Vec<Contender>,
    /// The ways, in the order in which their probes claimed.
    order: Vec<Way>,
    /// The way that the boot uses.
    winner: Option<Way>,
    /// Whether there are ways other than the winner, probed or not.
    has_others: bool,
    /// Every interface of this boot, as it was before the boot changed it.
    found: Vec<Link>,
    /// Settings of interfaces, by their indices, as they were before the boot changed them.
    settings: Vec<(u32, TreePath, Vec<u8>)>,
    /// Leased addresses that other hosts have, by the indices of the interfaces.
    conflicts: BTreeMap<u32, Conflicts>,
    /// The thread of the owner, after its first wait.
    owner: Option<Thread>,
    /// The probes that wait for the end of the round, to extend a lease meanwhile.
    resting: Vec<Thread>,
}

impl Field {
    fn find(&mut self, way: Way) -> Option<&mut Contender> {
        self.contenders.iter_mut().find(|one| one.way() == way)
    }

    /// Whether the owner waits for a probe.
    fn awaits(&self, probe: u64) -> bool {
        self.contenders.iter().any(|one| one.probe == Some(probe))
    }

    /// The way of a probe, as long as the owner waits for that probe.
    fn find_of(&mut self, probe: u64, way: Way) -> Option<&mut Contender> {
        self.find(way).filter(|one| one.probe == Some(probe))
    }

    /// The claims other than the winner's, best first: those tried least often, of the preferred interface, that claimed first.
    fn ranked(&self, is_preferred: impl Fn(&Link) -> bool) -> impl Iterator<Item = &Contender> {
        let mut claims: Vec<&Contender> = self
            .order
            .iter()
            .filter(|way| Some(**way) != self.winner)
            .filter_map(|way| self.contenders.iter().find(|one| one.way() == *way))
            .filter(|one| matches!(one.state, State::Claims(_)))
            .collect();
        claims.sort_by_key(|one| (one.turns, !is_preferred(&one.link)));
        claims.into_iter()
    }

    /// Ends the round for the probes that wait.
    fn wake_probes(&mut self) {
        self.resting.drain(..).for_each(|thread| thread.unpark());
    }

    fn wake_owner(&self) {
        if let Some(owner) = &self.owner {
            owner.unpark();
        }
    }
}

/// The claims of all interfaces.
#[derive(Default)]
pub struct Claims {
    field: Mutex<Field>,
}

impl Claims {
    fn field(&self) -> MutexGuard<'_, Field> {
        // The code under this lock cannot panic between two writes, so the data is consistent even if the lock is
        // poisoned.
        self.field.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a new round and returns the interfaces of the old one. Probes that still run stop, and their results are
    /// ignored.
    pub fn restart(&self) -> Vec<Contender> {
        let mut field = self.field();
        let (round, probes) = (field.round + 1, field.probes);
        let (found, settings) = (std::mem::take(&mut field.found), std::mem::take(&mut field.settings));
        let conflicts = std::mem::take(&mut field.conflicts);
        let next = Field { round, probes, found, settings, conflicts, ..Field::default() };
        let mut before = std::mem::replace(&mut *field, next);
        before.wake_probes();
        before.contenders
    }

    /// Ends all probes. The interfaces stay in the list.
    pub fn close(&self) {
        let mut field = self.field();
        field.round += 1;
        for one in &mut field.contenders {
            one.probe = None;
        }
        field.wake_probes();
    }

    /// The current round.
    pub fn round(&self) -> u64 {
        self.field().round
    }

    /// Whether `round` is the current one, that is, whether the attempt of the step still owns the interfaces.
    pub fn is_open(&self, round: u64) -> bool {
        self.field().round == round
    }

    /// The number of a new probe.
    pub fn new_probe(&self) -> u64 {
        let mut field = self.field();
        field.probes += 1;
        field.probes
    }

    /// Whether the owner still waits for a probe.
    pub fn is_awaited(&self, probe: u64) -> bool {
        self.field().awaits(probe)
    }

    /// Whether an interface has won. If so, the other probes may poll less often.
    pub fn is_decided(&self) -> bool {
        self.field().winner.is_some()
    }

    /// Adds a way, unless it is in the list already.
    pub fn enter(&self, mut contender: Contender) {
        let mut field = self.field();
        let index = contender.link.index;
        match field.found.iter().find(|link| link.index == index) {
            // The boot itself may have set it up or changed its MTU. Use the values from before.
            Some(found) => (contender.link.up, contender.link.mtu) = (found.up, found.mtu),
            None => field.found.push(contender.link.clone()),
        }
        if field.contenders.iter().all(|other| other.way() != contender.way()) {
            field.contenders.push(contender);
        }
    }

    /// Every interface that was probed in this boot, as it was before the boot changed it.
    pub fn found(&self) -> Vec<Link> {
        self.field().found.clone()
    }

    /// Whether a way has a claim.
    pub fn has_claim(&self, way: Way) -> bool {
        self.field().find(way).is_some_and(|one| matches!(one.state, State::Claims(_)))
    }

    /// Records a setting of an interface, unless it is recorded already.
    pub fn keep_setting(&self, index: u32, path: TreePath, value: Vec<u8>) {
        let mut field = self.field();
        if field.settings.iter().all(|(_, other, _)| *other != path) {
            field.settings.push((index, path, value));
        }
    }

    /// The settings of an interface as they were before the boot changed them.
    pub fn settings(&self, index: u32) -> Vec<(TreePath, Vec<u8>)> {
        let field = self.field();
        let own = field.settings.iter().filter(|(of, ..)| *of == index);
        own.map(|(_, path, value)| (path.clone(), value.clone())).collect()
    }

    /// Whether an interface is in the list.
    pub fn has(&self, index: u32) -> bool {
        self.field().contenders.iter().any(|contender| contender.link.index == index)
    }

    /// Records the state of a probe, and wakes the owner when the probe ends.
    pub fn tell(&self, probe: u64, way: Way, state: State) {
        let mut field = self.field();
        let claims = matches!(state, State::Claims(_));
        let ended = claims || matches!(state, State::Failed(_));
        let Some(contender) = field.find_of(probe, way) else { return };
        contender.state = state;
        if claims {
            field.order.retain(|other| *other != way);
            field.order.push(way);
        }
        if ended {
            field.wake_owner();
        }
    }

    /// Waits until a probe ends, for `limit` at most.
    pub fn wait(&self, sys: &dyn Platform, limit: Duration) {
        self.field().owner = Some(thread::current());
        // The owner checks all states after any wake-up, so a spurious one is harmless.
        sys.park(limit);
    }

    /// The claims that are not configured, best first. Never the current winner.
    pub fn candidates(&self, is_preferred: impl Fn(&Link) -> bool) -> Vec<Contender> {
        self.field().ranked(is_preferred).filter(|one| one.up.is_none()).cloned().collect()
    }

    /// The best configured claim other than the winner that is fit.
    pub fn ready(
        &self,
        is_preferred: impl Fn(&Link) -> bool,
        is_fit: impl Fn(&Contender) -> bool,
    ) -> Option<Contender> {
        let field = self.field();
        field.ranked(is_preferred).find(|one| one.up.is_some() && is_fit(one)).cloned()
    }

    /// The ways other than the winner that are configured in addition to it, as soon as they have a claim: those of interfaces
    /// that a parameter names, and the other IP version of the winner's interface. Filtered by whether they are configured.
    pub fn companions(&self, is_up: bool) -> Vec<Contender> {
        let field = self.field();
        let companions = field.contenders.iter().filter(|one| {
            // The kernel and the OS go on with router advertisements by themselves.
            let is_given = !matches!(one.state, State::Claims(Origin::Autoconf(..)));
            let is_beside = field.winner.is_some_and(|way| way.index == one.link.index);
            let is_companion = one.is_named || is_beside && (is_given || one.up.is_some());
            is_companion
                && one.up.is_some() == is_up
                && Some(one.way()) != field.winner
                && matches!(one.state, State::Claims(_))
        });
        companions.cloned().collect()
    }

    /// The configured ways that the boot does not use: neither the winner, nor configured in addition to it.
    pub fn losers(&self) -> Vec<Contender> {
        let kept: Vec<Way> = self.companions(true).iter().map(Contender::way).collect();
        let field = self.field();
        let is_loser = |one: &&Contender| {
            one.up.is_some() && Some(one.way()) != field.winner && !kept.contains(&one.way())
        };
        field.contenders.iter().filter(is_loser).cloned().collect()
    }

    /// Whether an interface that a parameter names has no claim yet, and a probe of it is still running.
    pub fn awaits_named(&self) -> bool {
        let field = self.field();
        let has_claim = |index: u32| {
            let mut ways = field.contenders.iter().filter(|one| one.link.index == index);
            ways.any(|one| matches!(one.state, State::Claims(_)))
        };
        let mut named = field.contenders.iter().filter(|one| one.is_named && !has_claim(one.link.index));
        named.any(|one| matches!(one.state, State::Waiting(_)))
    }

    /// Records that a claim is configured. False if it is a claim of an earlier probe.
    pub fn is_configured(&self, claim: &Contender, up: AddressUp) -> bool {
        let mut field = self.field();
        match field.find(claim.way()).filter(|one| one.probe == claim.probe) {
            Some(contender) => {
                contender.up = Some(up);
                // Routers may have changed the claim while the owner configured it.
                if contender.state != claim.state
                    && let State::Claims(Origin::Autoconf(autoconf, _)) = &contender.state
                {
                    let autoconf = autoconf.clone();
                    contender.takes(&autoconf);
                }
                true
            }
            None => false,
        }
    }

    /// Records the way that the boot uses. False if it has lost its address meanwhile.
    pub fn wins(&self, way: Way) -> bool {
        let mut field = self.field();
        let Some(contender) = field.find(way).filter(|one| one.up.is_some()) else { return false };
        contender.turns += 1;
        (contender.lost, contender.has_changed) = (None, false);
        field.winner = Some(way);
        true
    }

    /// Whether the boot uses this way.
    pub fn is_winner(&self, way: Way) -> bool {
        self.field().winner == Some(way)
    }

    /// The addresses that are configured, the winner's first.
    pub fn addresses(&self) -> Vec<AddressUp> {
        let field = self.field();
        let is_winner = |one: &&Contender| Some(one.way()) == field.winner;
        let (first, others): (Vec<&Contender>, Vec<&Contender>) =
            field.contenders.iter().partition(is_winner);
        first.into_iter().chain(others).filter_map(|one| one.up.clone()).collect()
    }

    /// Records that a way could not be configured with its claim. The interface is probed again when the boot returns to the network.
    pub fn refused(&self, way: Way, words: String) {
        let mut field = self.field();
        if field.winner == Some(way) {
            field.winner = None;
        }
        if let Some(contender) = field.find(way) {
            contender.state = State::Failed(Reason::Refused(words));
        }
        let ways = field.contenders.iter_mut().filter(|one| one.link.index == way.index);
        ways.filter(|one| one.up.is_none()).for_each(|one| one.probe = None);
        field.wake_probes();
    }

    /// Records that a way is no longer configured.
    pub fn is_taken_back(&self, way: Way) {
        let mut field = self.field();
        if let Some(contender) = field.find(way) {
            (contender.up, contender.asked) = (None, None);
        }
    }

    /// Records whether there are other interfaces that could win instead.
    pub fn beside_winner(&self, has_others: bool) {
        self.field().has_others = has_others;
    }

    /// Records that a later step failed over the winner, which may have lost its address. Returns `None` if there is no other
    /// choice, else whether an interface that was tried less often is ready now. `links` are the interfaces of the machine: the
    /// winner's may be gone, and may be back under another index.
    pub fn lose(&self, why: &str, now: Duration, links: &[Link]) -> Option<bool> {
        let mut field = self.field();
        let Some(winner) = field.winner else {
            // Its address was withdrawn.
            return Some(field.contenders.iter().any(|one| matches!(one.state, State::Claims(_))));
        };
        let contender = field.contenders.iter_mut().find(|one| one.way() == winner)?;
        contender.lost = Some(why.to_owned());
        let (turns, has_changed) = (contender.turns, std::mem::take(&mut contender.has_changed));
        let is_old = matches!(&contender.state, State::Claims(origin) if origin.is_old(now));
        let fresh = field
            .contenders
            .iter()
            .any(|one| one.way() != winner && one.turns < turns && matches!(one.state, State::Claims(_)));
        let is_gone = links.iter().all(|link| link.index != winner.index);
        (field.has_others || is_old || is_gone || has_changed).then_some(fresh)
    }

    /// The winner, unless its lease is due for renewal.
    pub fn winner(&self, now: Duration) -> Option<Contender> {
        let field = self.field();
        let winner = field.contenders.iter().find(|one| Some(one.way()) == field.winner)?;
        let is_old = matches!(&winner.state, State::Claims(origin) if origin.is_old(now));
        (!is_old).then(|| winner.clone())
    }

    /// Removes the interfaces that are not in use and have nothing to offer: a probe has failed or ended, or the lease is due for
    /// renewal. They are probed again. An interface whose probe is still on its way stays, because it may need its time.
    pub fn forget_useless(&self, now: Duration) {
        let mut field = self.field();
        let winner = field.winner;
        let is_young = |one: &Contender| matches!(&one.state, State::Claims(origin) if !origin.is_old(now));
        let is_on_its_way = |one: &Contender| one.probe.is_some() && matches!(one.state, State::Waiting(_));
        let is_useful = |index: u32| {
            let mut ways = field.contenders.iter().filter(|one| one.link.index == index);
            let is_used = |one: &Contender| one.up.is_some() || Some(one.way()) == winner;
            ways.any(|one| is_used(one) || is_young(one) || is_on_its_way(one))
        };
        let useful: Vec<u32> =
            field.contenders.iter().map(|one| one.link.index).filter(|index| is_useful(*index)).collect();
        field.contenders.retain(|one| useful.contains(&one.link.index));
        // The probes that keep a lease of one of them end.
        field.wake_probes();
    }

    /// All interfaces with their states.
    pub fn all(&self) -> Vec<Contender> {
        self.field().contenders.clone()
    }

    /// One text that describes the state of every interface.
    pub fn stories(&self) -> String {
        let stories: Vec<String> = self.field().contenders.iter().map(ToString::to_string).collect();
        stories.join("; ")
    }
}
