//! What each network interface can be configured with, and which of them are configured. Each probe claims an address
//! for its interface. One owner (the step `network`, then `settle`) decides and configures.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use dayfly_formats::dhcp4::Lease;
use dayfly_formats::ip::IpArg;
use dayfly_sys::{Link, Platform, SysError};

/// Why an interface has no claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The interface has no carrier: its cable is unplugged or the other end is down.
    NoCarrier,
    /// No DHCP lease yet; the text says how far DHCP got.
    NoLease(String),
    /// The kernel or a server refused, with this message.
    Refused(String),
}

impl From<SysError> for Reason {
    fn from(error: SysError) -> Self {
        Reason::Refused(error.to_string())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NoCarrier => f.write_str("no carrier"),
            Reason::NoLease(text) | Reason::Refused(text) => f.write_str(text),
        }
    }
}

/// Where a claim's address comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `ip=`.
    Static(IpAddr),
    /// A lease of a DHCP server, and when it was given on the machine's clock.
    Lease(Box<Lease>, Duration),
}

impl Origin {
    /// Whether a lease should have been renewed by now.
    fn is_old(&self, now: Duration) -> bool {
        let Origin::Lease(lease, since) = self else { return false };
        lease
            .renew_seconds
            .is_some_and(|renew| now.saturating_sub(*since) >= Duration::from_secs(renew.max(1).into()))
    }
}

/// The state of an interface's probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The probe is still running; the reason says what it waits for.
    Waiting(Reason),
    /// The probe failed for this reason.
    Failed(Reason),
    /// The interface can be configured with this address.
    Claims(Origin),
}

/// One interface that takes part in the race.
#[derive(Debug, Clone)]
pub struct Contender {
    /// The interface as it was before the boot changed it.
    pub link: Link,
    /// The driver, if known.
    pub driver: Option<String>,
    /// The `ip=` parameter that applies to it.
    pub ip: IpArg,
    /// `ip=` names it, so it is configured even if another interface wins.
    pub is_named: bool,
    /// The state of its probe.
    pub state: State,
    /// How often it was the winner.
    pub turns: u32,
    /// Why it is no longer the winner.
    pub lost: Option<String>,
    /// Whether it is configured now.
    pub is_up: bool,
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.link.name)?;
        if let Some(driver) = &self.driver {
            write!(f, " ({driver})")?;
        }
        match &self.state {
            State::Waiting(reason) | State::Failed(reason) => write!(f, ": {reason}")?,
            State::Claims(Origin::Static(address)) => write!(f, ": {address} from ip=")?,
            State::Claims(Origin::Lease(lease, _)) => {
                write!(f, ": {}/{} from the DHCP server {}", lease.address, lease.prefix, lease.server)?;
            }
        }
        match &self.lost {
            Some(lost) => write!(f, ", dropped after a failure: {lost}"),
            None if !self.is_up && matches!(self.state, State::Claims(_)) => {
                f.write_str(", not used: another interface was first")
            }
            None => Ok(()),
        }
    }
}

#[derive(Default)]
struct Field {
    /// Results of probes of an earlier round are ignored.
    round: u64,
    /// In the order in which the interfaces were found.
    contenders: Vec<Contender>,
    /// The interface indexes, in the order in which their probes claimed.
    order: Vec<u32>,
    /// The interface that the boot uses.
    winner: Option<u32>,
    /// Whether there are interfaces other than the winner, probed or not.
    has_others: bool,
    /// Every interface of this boot, as it was before the boot changed it.
    found: Vec<Link>,
    /// The thread of the owner, after its first wait.
    owner: Option<Thread>,
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
        let round = field.round + 1;
        let found = std::mem::take(&mut field.found);
        let before = std::mem::replace(&mut *field, Field { round, found, ..Field::default() });
        before.contenders
    }

    /// Ends all probes. The interfaces stay in the list.
    pub fn close(&self) {
        self.field().round += 1;
    }

    /// The current round.
    pub fn round(&self) -> u64 {
        self.field().round
    }

    /// Whether `round` is the current one, that is, whether the owner still waits for its probes.
    pub fn is_open(&self, round: u64) -> bool {
        self.field().round == round
    }

    /// Whether an interface has won. If so, the other probes may poll less often.
    pub fn is_decided(&self) -> bool {
        self.field().winner.is_some()
    }

    /// Adds an interface, unless it is in the list already.
    pub fn enter(&self, mut contender: Contender) {
        let mut field = self.field();
        let index = contender.link.index;
        match field.found.iter().find(|link| link.index == index) {
            // The boot itself may have set it up or changed its MTU. Use the values from before.
            Some(found) => (contender.link.up, contender.link.mtu) = (found.up, found.mtu),
            None => field.found.push(contender.link.clone()),
        }
        if field.contenders.iter().all(|other| other.link.index != index) {
            field.contenders.push(contender);
        }
    }

    /// Every interface that was probed in this boot, as it was before the boot changed it.
    pub fn found(&self) -> Vec<Link> {
        self.field().found.clone()
    }

    /// Whether an interface is in the list.
    pub fn has(&self, index: u32) -> bool {
        self.field().contenders.iter().any(|contender| contender.link.index == index)
    }

    /// Records the state of a probe, and wakes the owner when the probe ends.
    pub fn tell(&self, round: u64, index: u32, state: State) {
        let mut field = self.field();
        if field.round != round {
            return;
        }
        let claims = matches!(state, State::Claims(_));
        let ended = claims || matches!(state, State::Failed(_));
        if let Some(contender) = field.contenders.iter_mut().find(|contender| contender.link.index == index) {
            contender.state = state;
        }
        if claims {
            field.order.retain(|other| *other != index);
            field.order.push(index);
        }
        if let Some(owner) = &field.owner
            && ended
        {
            owner.unpark();
        }
    }

    /// Waits until a probe ends, for `limit` at most.
    pub fn wait(&self, sys: &dyn Platform, limit: Duration) {
        self.field().owner = Some(thread::current());
        // The owner checks all states after any wake-up, so a spurious one is harmless.
        sys.park(limit);
    }

    /// The next claim to try: among those tried least often, the one that claimed first. Never the current winner.
    pub fn next(&self) -> Option<Contender> {
        let field = self.field();
        field
            .order
            .iter()
            .filter(|index| Some(**index) != field.winner)
            .filter_map(|index| field.contenders.iter().find(|contender| contender.link.index == *index))
            .filter(|contender| matches!(contender.state, State::Claims(_)))
            .min_by_key(|contender| contender.turns)
            .cloned()
    }

    /// The interfaces other than the winner that `ip=` names and that have a claim, filtered by whether they are
    /// configured.
    pub fn named(&self, is_up: bool) -> Vec<Contender> {
        let field = self.field();
        let named = field.contenders.iter().filter(|contender| {
            contender.is_named
                && contender.is_up == is_up
                && Some(contender.link.index) != field.winner
                && matches!(contender.state, State::Claims(_))
        });
        named.cloned().collect()
    }

    /// Whether the probe of an interface named by `ip=` is still running.
    pub fn awaits_named(&self) -> bool {
        let field = self.field();
        field.contenders.iter().any(|one| one.is_named && matches!(one.state, State::Waiting(_)))
    }

    /// Records that an interface is configured, as the winner or in addition to it.
    pub fn is_configured(&self, index: u32, wins: bool) {
        let mut field = self.field();
        if let Some(contender) = field.contenders.iter_mut().find(|one| one.link.index == index) {
            contender.is_up = true;
            if wins {
                contender.turns += 1;
                contender.lost = None;
            }
        }
        if wins {
            field.winner = Some(index);
        }
    }

    /// Records that an interface could not be configured with its claim.
    pub fn refused(&self, index: u32, words: String) {
        let mut field = self.field();
        if let Some(contender) = field.contenders.iter_mut().find(|one| one.link.index == index) {
            contender.state = State::Failed(Reason::Refused(words));
        }
    }

    /// Records that an interface is no longer configured.
    pub fn is_taken_back(&self, index: u32) {
        let mut field = self.field();
        if let Some(contender) = field.contenders.iter_mut().find(|one| one.link.index == index) {
            contender.is_up = false;
        }
    }

    /// Records whether there are other interfaces that could win instead.
    pub fn beside_winner(&self, has_others: bool) {
        self.field().has_others = has_others;
    }

    /// Records that a later step failed over the winner. Returns `None` if there is no other choice, else whether an
    /// interface that was tried less often is ready now.
    pub fn lose(&self, why: &str, now: Duration) -> Option<bool> {
        let mut field = self.field();
        let winner = field.winner?;
        let contender = field.contenders.iter_mut().find(|one| one.link.index == winner)?;
        contender.lost = Some(why.to_owned());
        let turns = contender.turns;
        let is_old = matches!(&contender.state, State::Claims(origin) if origin.is_old(now));
        let fresh = field.contenders.iter().any(|one| {
            one.link.index != winner && one.turns < turns && matches!(one.state, State::Claims(_))
        });
        (field.has_others || is_old).then_some(fresh)
    }

    /// The winner, unless its lease is due for renewal.
    pub fn winner(&self, now: Duration) -> Option<Contender> {
        let field = self.field();
        let winner = field.contenders.iter().find(|one| Some(one.link.index) == field.winner)?;
        let is_old = matches!(&winner.state, State::Claims(origin) if origin.is_old(now));
        (!is_old).then(|| winner.clone())
    }

    /// Removes the other claims whose lease is due for renewal, so that their interfaces are probed again.
    pub fn forget_old(&self, now: Duration) {
        let mut field = self.field();
        let winner = field.winner;
        field.contenders.retain(|one| {
            let is_old = matches!(&one.state, State::Claims(origin) if origin.is_old(now));
            !is_old || one.is_up || Some(one.link.index) == winner
        });
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
