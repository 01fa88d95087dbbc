//! The runner: the only code that executes, times and reports a plan.
//!
//! Each step runs on its own thread and starts as soon as the steps it needs have ended. The runner waits only until a
//! step's deadline. A step without a deadline must report progress; the runner waits for its longest allowed silence. A
//! step that does not return in time fails, and its thread is abandoned.

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

/// Each step checks its own deadline and gives the reason. The runner only acts if a step exceeds it by this time.
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

/// When the runner gives up a step that has not returned.
enum Limit {
    Until(Duration),
    /// The deadline for the first progress, and the longest allowed time between two reports of progress after it.
    Moving {
        first: Duration,
        then: Duration,
        heartbeat: Heartbeat,
    },
}

impl Limit {
    /// The time after which the step is late, given its progress so far.
    fn until(&self) -> Duration {
        match self {
            Limit::Until(until) => *until,
            Limit::Moving { first, then, heartbeat } => {
                heartbeat.last().map_or(*first, |last| last.saturating_add(*then))
            }
        }
    }

    /// The error message if the step is late.
    fn is_missed(&self, now: Duration) -> Option<String> {
        if now < self.until() {
            return None;
        }
        let Limit::Moving { heartbeat, .. } = self else {
            return Some("it did not end before its deadline".to_owned());
        };
        let since = heartbeat.last().map_or("at all".to_owned(), |last| {
            format!("for {:.0} s", now.saturating_sub(last).as_secs_f64())
        });
        Some(format!("it made no progress {since}"))
    }
}

/// How far the runner executed a plan.
#[derive(Debug)]
pub enum Ran {
    /// All requested steps ended.
    All,
    /// A step found new facts. Make a new plan with them; the runner then continues with that plan.
    UntilNews(Vec<Fact>),
}

/// Executes a plan. It remembers which steps ended, so it can continue a plan, also with a new plan that differs only
/// in steps that have not started.
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
    /// Makes a runner for a new boot.
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

    /// Runs all steps of the phases before `until` (`None`: all steps). Stops at the first failure that the plan does
    /// not tolerate, or when a step found facts that change the plan.
    pub fn run(&mut self, plan: &Plan, until: Option<Phase>) -> Result<Ran, (StepId, Failure)> {
        if let Some((step, need)) = plan.unmet() {
            let wrong = format!("it needs the step {need}, which is not in this plan");
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
            if let Some(step) = self.unneeded(&wanted) {
                self.running.retain(|running| running.step != step.id);
                let tried = format!("run the step {}", step.id);
                let wrong = "everything else was done before it ended";
                let failure = Failure::new(Code::StepDeadline, tried, wrong);
                self.settle(step, Err(failure.with_fix("Its lines in the log say what it waited for.")))?;
                continue;
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

    /// A running step that only the steps of the handover still wait for, and that is not worth waiting for.
    fn unneeded<'p>(&self, wanted: &[&'p Step]) -> Option<&'p Step> {
        let is_optional = |step: &Step| matches!(step.deadline, Deadline::Optional(_));
        let left = || wanted.iter().copied().filter(|step| !self.ended.contains(&step.id));
        let is_running = |step: &&Step| self.running.iter().any(|running| running.step == step.id);
        if !left().all(|step| is_optional(step) || step.phase == Phase::Handover) {
            return None;
        }
        left().filter(|step| is_optional(step)).find(is_running)
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
            Deadline::Within(limit) | Deadline::Optional(limit) => {
                (now + limit, Limit::Until(now + limit + GRACE))
            }
            // The step itself fails a transfer that is too slow after `then`. So the runner gives it twice that time.
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

    /// Waits for the next step that ends or exceeds its deadline. Returns `None` when a pause is over, so that the
    /// caller checks again which steps can start. `now` is the time of the caller's last check.
    fn wait(&mut self, now: Duration) -> Option<(StepId, Result<Done, Failure>)> {
        let pauses = self.paused.values().copied().filter(|until| *until > now);
        let until = self.running.iter().map(|running| running.limit.until()).chain(pauses).min();
        let ended = self.receiver.receive(&*self.sys, until.unwrap_or(Duration::MAX));
        if let Some(Finished { ticket, result, progress }) = ended {
            // A step that was given up may still return. Its ticket is no longer in the list, so the result is ignored.
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

    /// Handles the end of a step and returns the new facts.
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
                            let mac = network.first.mac.map(|mac| mac.to_string());
                            let up = Some(&network.first).filter(|up| !up.is_withdrawn());
                            let fact = NodeFact::Network(mac, up.map(|up| up.address.to_string()));
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

    /// Runs an earlier step again with its next choice: at once if that choice was tried less often, else after the
    /// pause. The failed step starts again after it. If there is no other choice, only the failed step is tried again
    /// after the pause.
    fn go_back(&mut self, step: &Step, back: StepId, failure: &Failure, pause: Duration) -> Duration {
        let now = self.sys.now();
        let why = format!("{}: {}", failure.tried, failure.wrong);
        let links = self.sys.links().unwrap_or_default();
        let Some(at_once) = self.claims.lose(&why, now, &links) else {
            self.paused.insert(step.id, now + pause);
            return pause;
        };
        let pause = if at_once { Duration::ZERO } else { pause };
        self.ended.remove(&back);
        self.paused.insert(back, now + pause);
        pause
    }

    /// Adds the state of all interfaces to the message, because any of them could have reached the server.
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
