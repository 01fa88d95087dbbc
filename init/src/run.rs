//! The runner: the only place where a plan is executed, timed and reported.
//!
//! Each step runs on a thread of its own as soon as what it needs has ended. The runner itself only waits, and never
//! longer than a step's deadline, or than its longest silence where it has none: a step that does not come back is given up,
//! and its thread is left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dayfly_plan::{Attempts, Class, Code, Deadline, Fact, Next, OnFailure, Phase, Plan, Retry, Step, StepId};
use dayfly_sys::Sys;

use crate::channel::{Receiver, Sender, channel};
use crate::claims::Claims;
use crate::context::{Context, Done, Heartbeat, Progress};
use crate::events::{Event, Events, NodeFact, Outcome};
use crate::modules::Modules;
use crate::steps::perform;
use crate::{Failure, Known, Learned, threads};

/// A step bounds itself and says why; the runner only steps in when it does not.
const GRACE: Duration = Duration::from_secs(5);

struct Finished {
    ticket: u64,
    result: Result<Done, Failure>,
    progress: Progress,
}

struct Running {
    step: StepId,
    ticket: u64,
    limit: Limit,
}

/// When a step that has not come back is given up.
enum Limit {
    Until(Duration),
    /// The first moment at which something must have moved, and the longest time between two from then on.
    Moving {
        first: Duration,
        then: Duration,
        heartbeat: Heartbeat,
    },
}

impl Limit {
    /// When the step is late, as far as it has moved by now.
    fn until(&self) -> Duration {
        match self {
            Limit::Until(until) => *until,
            Limit::Moving { first, then, heartbeat } => {
                heartbeat.last().map_or(*first, |last| last.saturating_add(*then))
            }
        }
    }

    /// What the step has not kept, if it is late by now.
    fn is_missed(&self, now: Duration) -> Option<String> {
        if now < self.until() {
            return None;
        }
        let Limit::Moving { heartbeat, .. } = self else {
            return Some("it did not end in its time".to_owned());
        };
        let since = heartbeat.last().map_or("at all".to_owned(), |last| {
            format!("for {:.0} s", now.saturating_sub(last).as_secs_f64())
        });
        Some(format!("it has shown no progress {since}, and did not end either"))
    }
}

/// How far a plan was run.
#[derive(Debug)]
pub enum Ran {
    /// As far as was asked for.
    All,
    /// Up to a step that found new facts: the boot is to be planned again, and the runner goes on with that plan.
    UntilNews(Vec<Fact>),
}

/// Executes a plan. What has been done stays done, so a plan can be gone on with, or one that differs from it only in
/// what has not begun.
pub struct Runner {
    sys: Arc<dyn Sys>,
    events: Events,
    modules: Arc<Modules>,
    claims: Arc<Claims>,
    known: Known,
    ended: BTreeSet<StepId>,
    running: Vec<Running>,
    paused: BTreeMap<StepId, Duration>,
    attempts: BTreeMap<StepId, (u32, Duration)>,
    progress: BTreeMap<StepId, Progress>,
    tickets: u64,
    sender: Sender<Finished>,
    receiver: Receiver<Finished>,
}

impl Runner {
    /// A runner that has done nothing yet.
    pub fn new(sys: Arc<dyn Sys>, events: Events, modules: Arc<Modules>) -> Self {
        let (sender, receiver) = channel();
        Self {
            sys,
            events,
            modules,
            claims: Arc::default(),
            known: Known::default(),
            ended: BTreeSet::new(),
            running: Vec::new(),
            paused: BTreeMap::new(),
            attempts: BTreeMap::new(),
            progress: BTreeMap::new(),
            tickets: 0,
            sender,
            receiver,
        }
    }

    /// Runs all steps of the phases before `until` (all steps where there is none), or up to the first failure that
    /// the plan does not tolerate, or until a step has found what changes the plan.
    pub fn run(&mut self, plan: &Plan, until: Option<Phase>) -> Result<Ran, (StepId, Failure)> {
        if let Some((step, need)) = plan.unmet() {
            let wrong = format!("it waits for {need}, which this plan does not have");
            return Err((
                step.id,
                Failure::new(Code::InitPanic, format!("plan the step {}", step.id), wrong),
            ));
        }
        let wanted: Vec<&Step> =
            plan.steps.iter().filter(|step| until.is_none_or(|phase| step.phase < phase)).collect();
        loop {
            let now = self.sys.now();
            for step in &wanted {
                if self.is_ready(step, now)
                    && let Err(failure) = self.start(step)
                {
                    self.settle(step, Err(failure))?;
                }
            }
            if wanted.iter().all(|step| self.ended.contains(&step.id)) {
                return Ok(Ran::All);
            }
            let Some((id, result)) = self.wait(now) else { continue };
            if let Some(step) = plan.step(id) {
                let news = self.settle(step, result)?;
                if !news.is_empty() {
                    return Ok(Ran::UntilNews(news));
                }
            }
        }
    }

    fn is_ready(&self, step: &Step, now: Duration) -> bool {
        !self.ended.contains(&step.id)
            && !self.running.iter().any(|running| running.step == step.id)
            && step.needs.iter().all(|need| self.ended.contains(need))
            && self.paused.get(&step.id).is_none_or(|until| *until <= now)
    }

    fn start(&mut self, step: &Step) -> Result<(), Failure> {
        let now = self.sys.now();
        self.paused.remove(&step.id);
        self.tickets += 1;
        let attempt = self.attempts.entry(step.id).or_insert((0, now));
        attempt.0 += 1;
        self.events.emit(Event::Started {
            step: step.id,
            phase: step.phase,
            what: step.action.to_string(),
            attempt: attempt.0,
        });
        let heartbeat = Heartbeat::default();
        let (until, limit) = match step.deadline {
            Deadline::Within(limit) => (now + limit, Limit::Until(now + limit + GRACE)),
            // Too little counts as a stall after twice the time that nothing does.
            Deadline::Stall { first, then } => {
                let (first, then) = (now + first + GRACE, then * 2 + GRACE);
                (Duration::MAX, Limit::Moving { first, then, heartbeat: heartbeat.clone() })
            }
        };
        self.running.push(Running { step: step.id, ticket: self.tickets, limit });
        let context = Context {
            sys: Arc::clone(&self.sys),
            events: self.events.clone(),
            modules: Arc::clone(&self.modules),
            claims: Arc::clone(&self.claims),
            known: self.known.clone(),
            step: step.id,
            until,
            heartbeat,
            progress: self.progress.remove(&step.id).unwrap_or_default(),
        };
        let (action, ticket, sender) = (step.action.clone(), self.tickets, self.sender.clone());
        let panicked = sender.clone();
        let on_panic = move |failure| {
            panicked.send(Finished { ticket, result: Err(failure), progress: Progress::default() });
        };
        let spawned = threads::start(format!("step {}", step.id), on_panic, move || {
            let result = perform(&action, &context);
            sender.send(Finished { ticket, result, progress: context.progress });
        });
        match spawned {
            Ok(()) => Ok(()),
            Err(error) => {
                self.running.retain(|running| running.ticket != self.tickets);
                Err(Failure::new(Code::StepDeadline, "start a thread for the step", error.to_string()))
            }
        }
    }

    /// The next step that ended or ran out of time, or `None` when it is time to look again at which can start; that was looked at
    /// for `now`.
    fn wait(&mut self, now: Duration) -> Option<(StepId, Result<Done, Failure>)> {
        let pauses = self.paused.values().copied().filter(|until| *until > now);
        let until = self.running.iter().map(|running| running.limit.until()).chain(pauses).min();
        let ended = self.receiver.receive(&*self.sys, until.unwrap_or(Duration::MAX));
        if let Some(Finished { ticket, result, progress }) = ended {
            // A step that was given up may still come back: its ticket is gone.
            let index = self.running.iter().position(|running| running.ticket == ticket)?;
            let step = self.running.remove(index).step;
            if result.is_err() {
                self.progress.insert(step, progress);
            }
            return Some((step, result));
        }
        let now = self.sys.now();
        let (index, wrong) = self
            .running
            .iter()
            .enumerate()
            .find_map(|(index, running)| Some((index, running.limit.is_missed(now)?)))?;
        let late = self.running.remove(index);
        let tried = format!("run the step {}", late.step);
        Some((late.step, Err(Failure::new(Code::StepDeadline, tried, wrong))))
    }

    /// Takes a step's end in, and gives back the facts that it found.
    fn settle(&mut self, step: &Step, result: Result<Done, Failure>) -> Result<Vec<Fact>, (StepId, Failure)> {
        let ended = |outcome: Outcome, detail: String, bytes: Option<u64>| Event::Ended {
            step: step.id,
            outcome,
            detail,
            bytes,
        };
        let failure = match result {
            Ok(done) => {
                let mut news = Vec::new();
                for learned in done.learned {
                    match learned {
                        Learned::Fact(fact) => news.push(fact),
                        Learned::Network(network) => {
                            let mac = network.mac.map(|mac| mac.to_string());
                            let fact = NodeFact::Network(mac, network.address.to_string());
                            self.events.emit(Event::Node(fact));
                            self.known.learn(Learned::Network(network));
                        }
                        other => self.known.learn(other),
                    }
                }
                self.ended.insert(step.id);
                self.events.emit(ended(Outcome::Done, done.detail, done.bytes));
                return Ok(news);
            }
            Err(failure) => failure,
        };
        match step.on_failure.next(failure.code.class(), self.attempts_of(step), self.chance()) {
            Next::GiveUp => {
                let failure = self.with_claims(step, failure);
                self.events.emit(ended(Outcome::Failed(failure.clone()), String::new(), None));
                return Err((step.id, failure));
            }
            Next::GoOn(reason) => {
                self.ended.insert(step.id);
                self.events.emit(ended(Outcome::Tolerated(failure, reason), String::new(), None));
            }
            Next::Again(pause) => {
                self.paused.insert(step.id, self.sys.now() + pause);
                self.events.emit(ended(Outcome::Retried(failure, pause), String::new(), None));
            }
            Next::Back(back, pause) => {
                let pause = self.go_back(step, back, &failure, pause);
                self.events.emit(ended(Outcome::Retried(failure, pause), String::new(), None));
            }
        }
        Ok(Vec::new())
    }

    /// Has an earlier step take its next choice: at once if that was tried less often, else after the pause. The step that
    /// failed waits for it, as it did before. Where there is no other choice, it is tried again after the pause.
    fn go_back(&mut self, step: &Step, back: StepId, failure: &Failure, pause: Duration) -> Duration {
        let now = self.sys.now();
        let Some(at_once) = self.claims.lose(&format!("{}: {}", failure.tried, failure.wrong), now) else {
            self.paused.insert(step.id, now + pause);
            return pause;
        };
        let pause = if at_once { Duration::ZERO } else { pause };
        self.ended.remove(&back);
        self.paused.insert(back, now + pause);
        pause
    }

    /// A server that was not reached is a matter of all interfaces that led nowhere.
    fn with_claims(&self, step: &Step, mut failure: Failure) -> Failure {
        let goes_back = matches!(step.on_failure, OnFailure::Retry(Retry { back: Some(_), .. }));
        let stories = self.claims.all();
        if goes_back && failure.code.class() == Class::Source && stories.len() > 1 {
            let stories: Vec<String> = stories.iter().map(ToString::to_string).collect();
            failure.wrong = format!("{}. The interfaces: {}", failure.wrong, stories.join("; "));
        }
        failure
    }

    fn attempts_of(&self, step: &Step) -> Attempts {
        let now = self.sys.now();
        let (count, first) = self.attempts.get(&step.id).copied().unwrap_or((1, now));
        Attempts { count, since: now.saturating_sub(first) }
    }

    fn chance(&self) -> u16 {
        let mut random = [0; 2];
        self.sys.random(&mut random);
        u16::from_le_bytes(random)
    }
}
