//! The one stream of events. Steps and runner emit, the sinks (console and kernel log, boot.log, boot.json) consume;
//! nothing else prints.

mod console;
mod gate;
pub mod library;
mod record;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use dayfly_plan::settings::Shown;
use dayfly_plan::{Phase, Plan, Problem, StepId, Way};
use dayfly_sys::Sys;

use self::gate::Gate;
use crate::channel::{Receiver, Sender, channel};
use crate::{Failure, threads};
pub use record::{Report, VERSION};

/// How often somebody who waits for the sinks looks whether they are still there.
const LOOK: Duration = Duration::from_millis(100);

/// How long a stuck console may hold up the end of a boot, good or bad.
pub const FLUSH: Duration = Duration::from_secs(5);

/// How loud an event is, as printk levels (kernel Documentation/core-api/printk-basics.rst).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 3: something failed.
    Error = 3,
    /// 4: somebody should look at it.
    Warning = 4,
    /// 6: what happens.
    Info = 6,
    /// 7: details.
    Debug = 7,
}

/// How a step's attempt ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Well.
    Done,
    /// Badly; the boot goes on, for this reason.
    Tolerated(Failure, &'static str),
    /// Badly; it is tried again after this pause.
    Retried(Failure, Duration),
    /// Badly, and the boot with it.
    Failed(Failure),
}

/// What tells this node from others.
#[derive(Debug, Clone)]
pub enum NodeFact {
    /// The kernel's random id of this boot, random(4).
    BootId(String),
    /// The interface that is up: its MAC address and its address.
    Network(Option<String>, String),
    /// Host name and machine-id.
    Identity(String, String),
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// Dayfly was started, in this way.
    Begun(Way),
    /// The plan is made.
    Planned(Plan, Vec<Shown>, Vec<Problem>),
    /// A step's attempt starts.
    Started {
        /// Its name.
        step: StepId,
        /// Its phase.
        phase: Phase,
        /// What it does.
        what: String,
        /// From 1.
        attempt: u32,
    },
    /// Who this node is, as far as that is known by now.
    Node(NodeFact),
    /// It moves.
    Progress {
        /// Its name.
        step: StepId,
        /// Bytes so far.
        done: u64,
        /// How many of them an earlier attempt has brought.
        before: u64,
        /// Bytes in all, where known.
        total: Option<u64>,
        /// Since its start.
        took: Duration,
    },
    /// It has ended.
    Ended {
        /// Its name.
        step: StepId,
        /// How.
        outcome: Outcome,
        /// What came of it, for people.
        detail: String,
        /// Bytes that it moved.
        bytes: Option<u64>,
    },
    /// Something worth a line.
    Note {
        /// How loud.
        level: Level,
        /// Which step says it.
        step: Option<StepId>,
        /// The line.
        text: String,
    },
    /// Text that must be seen, on every console.
    Screen(String),
    /// The boot is over as far as Dayfly goes; the timeline is printed.
    Finished,
    /// The boot has failed for good; this code stays in the record.
    GivenUp(Failure),
}

enum Message {
    /// The record as it would be if the boot ended now, with this outcome.
    Report(&'static str, Sender<Report>),
    Event(Duration, Box<Event>),
    Flush(Sender<()>),
}

/// The emitting end; cheap to clone, never waits.
#[derive(Clone)]
pub struct Events {
    sys: Arc<dyn Sys>,
    sender: mpsc::Sender<Message>,
    gate: Arc<Gate>,
    /// Set when the sinks' thread is not there or has panicked: then each event goes to the kernel log and the consoles at once,
    /// without boot.json.
    lost: Arc<AtomicBool>,
}

impl Events {
    /// Starts the sinks on a thread of their own: a slow serial line must not hold the boot up.
    pub fn start(sys: &Arc<dyn Sys>) -> Self {
        let (sender, receiver) = mpsc::channel();
        let lost = Arc::new(AtomicBool::new(false));
        let give_up = {
            let (sys, lost) = (Arc::clone(sys), Arc::clone(&lost));
            move |why: &str| {
                lost.store(true, Ordering::SeqCst);
                sys.log(3, &format!("dayfly: the boot goes on without boot.json and boot.log: {why}"));
            }
        };
        let sinks = threads::start(
            "events",
            {
                let give_up = give_up.clone();
                move |failure: Failure| give_up(&crate::panic::line(&failure))
            },
            {
                let sys = Arc::clone(sys);
                move || consume(&*sys, &receiver)
            },
        );
        if let Err(error) = sinks {
            give_up(&format!("start the log's thread: {error}"));
        }
        Self { sys: Arc::clone(sys), sender, gate: Arc::default(), lost }
    }

    fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    /// Emits an event.
    pub fn emit(&self, event: Event) {
        if self.is_lost() {
            return print(&*self.sys, &event);
        }
        // The sinks end only with the process, or they are lost.
        let _ = self.sender.send(Message::Event(self.sys.now(), Box::new(event)));
    }

    /// A line.
    pub fn note(&self, level: Level, step: Option<StepId>, text: impl Into<String>) {
        let (fits, left_out) = self.gate.admit((step, level), self.sys.now());
        if left_out > 0 {
            self.emit(Event::Note { level, step, text: gate::left_out(left_out) });
        }
        if fits {
            self.emit(Event::Note { level, step, text: gate::cut(text.into()) });
        }
    }

    /// boot.json and boot.log as they stand, with this outcome; `None` where the sinks do not answer in `limit`.
    pub fn report(&self, outcome: &'static str, limit: Duration) -> Option<Report> {
        if self.is_lost() {
            return None;
        }
        self.settle();
        let (sender, receiver) = channel();
        self.sender.send(Message::Report(outcome, sender)).ok()?;
        self.hear(&receiver, limit)
    }

    /// Waits until everything so far is on the console and in the files, but no longer than `limit`.
    pub fn flush(&self, limit: Duration) {
        if self.is_lost() {
            return;
        }
        self.settle();
        let (sender, receiver) = channel();
        if self.sender.send(Message::Flush(sender)).is_ok() {
            // Past the limit a console is stuck: what is not shown by then is lost to it, but not to boot.json.
            let _ = self.hear(&receiver, limit);
        }
    }

    /// Says what was left out.
    fn settle(&self) {
        for ((step, level), count) in self.gate.settle() {
            self.emit(Event::Note { level, step, text: gate::left_out(count) });
        }
    }

    /// The sinks' answer, unless they take longer or are lost meanwhile: a thread that has panicked keeps its end open.
    fn hear<T>(&self, receiver: &Receiver<T>, limit: Duration) -> Option<T> {
        let until = self.sys.now() + limit;
        loop {
            let now = self.sys.now();
            let answer = receiver.receive(&*self.sys, until.min(now + LOOK));
            if answer.is_some() || now >= until || self.is_lost() {
                return answer;
            }
        }
    }
}

/// An event without the sinks.
fn print(sys: &dyn Sys, event: &Event) {
    for (level, line) in console::lines(event, &mut console::Said::default()) {
        sys.log(level as u8, &format!("dayfly: {line}"));
    }
    if let Event::Screen(text) = event {
        sys.show(text);
    }
}

fn consume(sys: &dyn Sys, messages: &mpsc::Receiver<Message>) {
    let mut record = record::Record::default();
    let mut said = console::Said::default();
    for message in messages {
        match message {
            Message::Event(at, event) => {
                for (level, line) in console::lines(&event, &mut said) {
                    record.log(at, &line);
                    sys.log(level as u8, &format!("dayfly: {line}"));
                }
                record.take(at, &event);
                match *event {
                    Event::Screen(text) => {
                        text.lines().for_each(|line| record.log(at, line));
                        sys.show(&text);
                    }
                    Event::Finished => {
                        for line in record.timeline() {
                            record.log(at, &line);
                            sys.log(Level::Info as u8, &line);
                        }
                    }
                    _ => {}
                }
            }
            Message::Report(outcome, reply) => {
                reply.send(record.report(outcome, sys.now(), sys));
            }
            Message::Flush(done) => {
                record.save(sys);
                done.send(());
            }
        }
    }
}
