//! What the machine's interfaces could be configured with, and which of them is. Probes claim, each for its interface, and
//! one owner (the step `network`, then `settle`) decides and configures.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use dayfly_formats::dhcp4::Lease;
use dayfly_formats::ip::IpArg;
use dayfly_sys::{Link, Platform, SysError};

/// Why an interface has nothing to claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Nobody is at the other end of its cable.
    NoCarrier,
    /// How far DHCP came.
    NoLease(String),
    /// Somebody said no, in these words.
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
    /// A DHCP server, at that moment of the machine's clock.
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

/// How far an interface has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its probe goes on; this is what it lacks.
    Waiting(Reason),
    /// Its probe has ended for this reason.
    Failed(Reason),
    /// It could be configured with this.
    Claims(Origin),
}

/// One interface.
#[derive(Debug, Clone)]
pub struct Contender {
    /// As it was found.
    pub link: Link,
    /// Its driver, where that is known.
    pub driver: Option<String>,
    /// What it is to get.
    pub ip: IpArg,
    /// `ip=` names it: it is configured whichever interface wins.
    pub is_named: bool,
    /// How far it has come.
    pub state: State,
    /// How often it has been the one.
    pub turns: u32,
    /// Why it no longer is.
    pub lost: Option<String>,
    /// It is configured now.
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
            State::Claims(Origin::Static(address)) => write!(f, ": {address} by ip=")?,
            State::Claims(Origin::Lease(lease, _)) => {
                write!(f, ": {}/{} by DHCP of {}", lease.address, lease.prefix, lease.server)?;
            }
        }
        match &self.lost {
            Some(lost) => write!(f, ", which led nowhere: {lost}"),
            None if !self.is_up && matches!(self.state, State::Claims(_)) => {
                f.write_str(", not taken: another was first")
            }
            None => Ok(()),
        }
    }
}

#[derive(Default)]
struct Field {
    /// Probes of an earlier one have nothing to tell any more.
    round: u64,
    /// In the order in which they were found.
    contenders: Vec<Contender>,
    /// In the order in which they claimed, by index.
    order: Vec<u32>,
    /// The interface that the boot goes by.
    winner: Option<u32>,
    /// There are interfaces beside the winner, probed or not.
    has_others: bool,
    /// Every interface of this boot before anything was done to it.
    found: Vec<Link>,
    /// The owner's thread, once it has waited.
    owner: Option<Thread>,
}

/// The claims of all interfaces.
#[derive(Default)]
pub struct Claims {
    field: Mutex<Field>,
}

impl Claims {
    fn field(&self) -> MutexGuard<'_, Field> {
        // Nothing under this lock can leave it half changed.
        self.field.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins anew and gives back who was there: probes that still run end, and what they find is not listened to.
    pub fn restart(&self) -> Vec<Contender> {
        let mut field = self.field();
        let round = field.round + 1;
        let found = std::mem::take(&mut field.found);
        let before = std::mem::replace(&mut *field, Field { round, found, ..Field::default() });
        before.contenders
    }

    /// Ends all probes; who was there stays.
    pub fn close(&self) {
        self.field().round += 1;
    }

    /// The current round.
    pub fn round(&self) -> u64 {
        self.field().round
    }

    /// Whether the owner goes on waiting for the probes of that round.
    pub fn is_open(&self, round: u64) -> bool {
        self.field().round == round
    }

    /// Whether an interface has won, so that probes may take their time.
    pub fn is_decided(&self) -> bool {
        self.field().winner.is_some()
    }

    /// Adds an interface, unless it is there.
    pub fn enter(&self, mut contender: Contender) {
        let mut field = self.field();
        let index = contender.link.index;
        match field.found.iter().find(|link| link.index == index) {
            // It is up by our own hand, maybe.
            Some(found) => (contender.link.up, contender.link.mtu) = (found.up, found.mtu),
            None => field.found.push(contender.link.clone()),
        }
        if field.contenders.iter().all(|other| other.link.index != index) {
            field.contenders.push(contender);
        }
    }

    /// Every interface that was probed in this boot, before anything was done to it.
    pub fn found(&self) -> Vec<Link> {
        self.field().found.clone()
    }

    /// Whether an interface is there.
    pub fn has(&self, index: u32) -> bool {
        self.field().contenders.iter().any(|contender| contender.link.index == index)
    }

    /// How far a probe has come.
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

    /// Waits until a probe ends, at most for `limit`.
    pub fn wait(&self, sys: &dyn Platform, limit: Duration) {
        self.field().owner = Some(thread::current());
        // Woken or not, the owner looks.
        sys.park(limit);
    }

    /// The claim whose turn it is: of those that had the fewest turns, the first. Beside a winner, another one's.
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

    /// The other interfaces that `ip=` names, claim something, and have it or not, in the order of their words.
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

    /// Whether a probe of an interface that `ip=` names still runs.
    pub fn awaits_named(&self) -> bool {
        let field = self.field();
        field.contenders.iter().any(|one| one.is_named && matches!(one.state, State::Waiting(_)))
    }

    /// An interface is configured, as the winner or beside it.
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

    /// An interface could not be configured with what it claims.
    pub fn refused(&self, index: u32, words: String) {
        let mut field = self.field();
        if let Some(contender) = field.contenders.iter_mut().find(|one| one.link.index == index) {
            contender.state = State::Failed(Reason::Refused(words));
        }
    }

    /// An interface is no longer configured.
    pub fn is_taken_back(&self, index: u32) {
        let mut field = self.field();
        if let Some(contender) = field.contenders.iter_mut().find(|one| one.link.index == index) {
            contender.is_up = false;
        }
    }

    /// There are interfaces that could win instead.
    pub fn beside_winner(&self, has_others: bool) {
        self.field().has_others = has_others;
    }

    /// The winner leads nowhere. Gives back whether another choice is possible, and whether there is one at once that had
    /// fewer turns.
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

    /// The winner, unless its lease should have been renewed by now.
    pub fn winner(&self, now: Duration) -> Option<Contender> {
        let field = self.field();
        let winner = field.contenders.iter().find(|one| Some(one.link.index) == field.winner)?;
        let is_old = matches!(&winner.state, State::Claims(origin) if origin.is_old(now));
        (!is_old).then(|| winner.clone())
    }

    /// Forgets other claims whose lease should have been renewed by now: their interfaces are probed once more.
    pub fn forget_old(&self, now: Duration) {
        let mut field = self.field();
        let winner = field.winner;
        field.contenders.retain(|one| {
            let is_old = matches!(&one.state, State::Claims(origin) if origin.is_old(now));
            !is_old || one.is_up || Some(one.link.index) == winner
        });
    }

    /// Every interface, as far as it came.
    pub fn all(&self) -> Vec<Contender> {
        self.field().contenders.clone()
    }

    /// What each interface has to tell.
    pub fn stories(&self) -> String {
        let stories: Vec<String> = self.field().contenders.iter().map(ToString::to_string).collect();
        stories.join("; ")
    }
}
