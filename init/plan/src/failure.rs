//! What happens after a failure. An error code has a [`Class`], a step has an [`OnFailure`]. Only this module combines
//! the two; the runner carries out the result.

use std::time::Duration;

use crate::StepId;

/// What can help after a failure. Each [`crate::Code`] has one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A retry can help: a server that is still starting, a cable that is plugged in late.
    Transient,
    /// A retry, another source or another network path can help: this source was not reached, or delivered wrong data.
    Source,
    /// Nothing can help: the request is wrong, or the machine cannot do it.
    Permanent,
}

impl Class {
    /// Its name in the documentation and in boot.json.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Transient => "transient",
            Class::Source => "this source",
            Class::Permanent => "permanent",
        }
    }
}

/// What the boot does when a step fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnFailure {
    /// The boot fails. It reports the failure and follows the failure policy.
    Abort,
    /// The step is retried.
    Retry(Retry),
    /// The boot continues. The text is the reason.
    Continue(&'static str),
}

/// How a step is retried. A permanent failure is never retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// No attempt starts later than this after the start of the first one. After that, as [`OnFailure::Abort`].
    pub within: Duration,
    /// The pauses between attempts.
    pub pauses: Pauses,
    /// After a failure of [`Class::Source`], the boot returns to this step, which takes its next choice. The failed
    /// step must depend on it.
    pub back: Option<StepId>,
}

/// Pauses between attempts. Each is twice the one before, up to the longest, plus a random 0 to 30 %. Without the
/// random part, all machines of a rack would ask their server at the same moments after a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// The first.
    pub first: Duration,
    /// The longest, without the random part.
    pub longest: Duration,
}

/// What the runner does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The boot has failed.
    GiveUp,
    /// The boot continues without the result of the step. The text is the reason.
    GoOn(&'static str),
    /// The step is retried after this pause.
    Again(Duration),
    /// An earlier step takes its next choice, then this one is retried. If that step has no other choice, or has tried
    /// all of them equally often, this one is retried after this pause.
    Back(StepId, Duration),
}

/// How often a step was tried, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// Number of failed attempts, at least one.
    pub count: u32,
    /// Time since the start of the first attempt.
    pub since: Duration,
}

impl Pauses {
    /// The pauses of all steps that are retried.
    pub const USUAL: Pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(16) };

    /// The pause after this number of attempts. `chance` is a random number.
    fn after(&self, attempts: u32, chance: u16) -> Duration {
        let doublings = attempts.saturating_sub(1).min(16);
        let pause = self.first.saturating_mul(1 << doublings).min(self.longest);
        pause + pause.mul_f64(f64::from(chance) / f64::from(u16::MAX) * 0.3)
    }
}

impl OnFailure {
    /// Retries for this time, with the usual pauses.
    pub const fn retry(within: Duration) -> Self {
        Self::Retry(Retry { within, pauses: Pauses::USUAL, back: None })
    }

    /// The same, and returns to an earlier step if the source was not reached.
    pub const fn retry_from(back: StepId, within: Duration) -> Self {
        Self::Retry(Retry { within, pauses: Pauses::USUAL, back: Some(back) })
    }

    /// What to do after a failure of this class and this number of attempts. `chance` is a random number.
    pub fn next(&self, class: Class, attempts: Attempts, chance: u16) -> Next {
        let retry = match self {
            Self::Continue(reason) => return Next::GoOn(reason),
            Self::Retry(retry) if class != Class::Permanent => retry,
            Self::Abort | Self::Retry(_) => return Next::GiveUp,
        };
        let pause = retry.pauses.after(attempts.count, chance);
        match retry.back {
            _ if attempts.since + pause >= retry.within => Next::GiveUp,
            Some(back) if class == Class::Source => Next::Back(back, pause),
            _ => Next::Again(pause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_follows_is_decided_by_class_and_plan() {
        use Class::{Permanent, Source, Transient};
        let reason = "no disk is needed";
        let back = StepId::Network;
        for (on_failure, class, expected) in [
            (OnFailure::Abort, Transient, Next::GiveUp),
            (OnFailure::Abort, Source, Next::GiveUp),
            (OnFailure::Abort, Permanent, Next::GiveUp),
            (OnFailure::Continue(reason), Transient, Next::GoOn(reason)),
            (OnFailure::Continue(reason), Source, Next::GoOn(reason)),
            (OnFailure::Continue(reason), Permanent, Next::GoOn(reason)),
            (OnFailure::retry(seconds(60)), Transient, Next::Again(seconds(1))),
            (OnFailure::retry(seconds(60)), Source, Next::Again(seconds(1))),
            (OnFailure::retry(seconds(60)), Permanent, Next::GiveUp),
            (OnFailure::retry_from(back, seconds(60)), Transient, Next::Again(seconds(1))),
            (OnFailure::retry_from(back, seconds(60)), Source, Next::Back(back, seconds(1))),
            (OnFailure::retry_from(back, seconds(60)), Permanent, Next::GiveUp),
        ] {
            let first = Attempts { count: 1, since: seconds(3) };
            assert_eq!(on_failure.next(class, first, 0), expected, "{on_failure:?} {class:?}");
        }
    }

    #[test]
    fn pauses_grow_to_a_limit_and_end_with_the_time() {
        let retry = OnFailure::retry(seconds(100));
        for (count, since, chance, expected) in [
            (1, 0, 0, Next::Again(seconds(1))),
            (2, 0, 0, Next::Again(seconds(2))),
            (5, 0, 0, Next::Again(seconds(16))),
            (6, 0, 0, Next::Again(seconds(16))),
            (u32::MAX, 0, 0, Next::Again(seconds(16))),
            (3, 0, u16::MAX, Next::Again(Duration::from_millis(5200))),
            (1, 98, 0, Next::Again(seconds(1))),
            (1, 99, 0, Next::GiveUp),
            (9, 84, 0, Next::GiveUp),
        ] {
            let attempts = Attempts { count, since: seconds(since) };
            assert_eq!(retry.next(Class::Transient, attempts, chance), expected, "{count} {since} {chance}");
        }
    }
}
