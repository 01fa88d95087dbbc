//! The event stream. Steps and the runner emit events; the sinks (console and kernel log, boot.log, boot.json) consume
//! them. No other code prints.

mod console;
mod gate;
pub mod library;
mod record;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use dayfly_plan::settings::Shown;
use dayfly_plan::{NamedImage, Phase, Plan, Problem, StepId, Way};
use dayfly_sys::Sys;

use self::gate::Gate;
use crate::channel::{Receiver, Sender, channel};
use crate::{Failure, threads};
pub use record::{Report, VERSION};

/// How often a thread that waits for the sinks checks whether they still run.
const LOOK: Duration = Duration::from_millis(100);

/// How long a stuck console may delay the end of a boot, successful or not.
pub const FLUSH: Duration = Duration::from_secs(5);

/// The level of an event, as a printk level (kernel Documentation/core-api/printk-basics.rst).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 3: something failed.
    Error = 3,
    /// 4: needs attention.
    Warning = 4,
    /// 6: normal operation.
    Info = 6,
    /// 7: details.
    Debug = 7,
}

/// How a step's attempt ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It succeeded.
    Done,
    /// It failed, but the boot continues for this reason.
    Tolerated(Failure, &'static str),
    /// It failed and is tried again after this pause.
    Retried(Failure, Duration),
    /// It failed, and so the boot failed.
    Failed(Failure),
}

/// A fact that identifies this node.
#[derive(Debug, Clone)]
pub enum NodeFact {
    /// The kernel's random id of this boot, random(4).
    BootId(String),
    /// The interface that is up: its MAC address and its address, unless that was withdrawn.
    Network(Option<String>, Option<String>),
    /// Host name and machine-id.
    Identity(String, String),
    /// The image that its manifest describes.
    Image(NamedImage),
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
    /// A fact that identifies this node.
    Node(NodeFact),
    /// A step reports progress.
    Progress {
        /// Its name.
        step: StepId,
        /// Bytes so far.
        done: u64,
        /// How many of them an earlier attempt transferred.
        before: u64,
        /// Total bytes, if known.
        total: Option<u64>,
        /// Time since the start of the attempt.
        took: Duration,
    },
    /// A step's attempt ended.
    Ended {
        /// Its name.
        step: StepId,
        /// How it ended.
        outcome: Outcome,
        /// The result in words.
        detail: String,
        /// How many bytes it transferred.
        bytes: Option<u64>,
    },
    /// A log line.
    Note {
        /// The level.
        level: Level,
        /// The step that logs it, if any.
        step: Option<StepId>,
        /// The line.
        text: String,
    },
    /// Text that is shown on every console.
    Screen(String),
    /// Dayfly's part of the boot is complete; the timeline is printed.
    Finished,
    /// The boot failed finally; this code stays in the record.
    GivenUp(Failure),
}

enum Message {
    /// Asks for the record as it would be if the boot ended now with this outcome.
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
    /// Set if the sinks' thread could not be started or panicked. Then each event goes directly to the kernel log and
    /// the consoles, without boot.json.
    lost: Arc<AtomicBool>,
}

impl Events {
    /// Starts the sinks on their own thread, so that a slow serial console does not delay the boot.
    pub fn start(sys: &Arc<dyn Sys>) -> Self {
        let (sender, receiver) = mpsc::channel();
        let lost = Arc::new(AtomicBool::new(false));
        let give_up = {
            let (sys, lost) = (Arc::clone(sys), Arc::clone(&lost));
            move |why: &str| {
                lost.store(true, Ordering::SeqCst);
                sys.log(3, &format!("dayfly: no boot.json and boot.log will be written: {why}"));
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
        // Sending fails only if the sinks are lost; they otherwise run until the process ends.
        let _ = self.sender.send(Message::Event(self.sys.now(), Box::new(event)));
    }

    /// Logs a line.
    pub fn note(&self, level: Level, step: Option<StepId>, text: impl Into<String>) {
        let (fits, left_out) = self.gate.admit((step, level), self.sys.now());
        if left_out > 0 {
            self.emit(Event::Note { level, step, text: gate::left_out(left_out) });
        }
        if fits {
            self.emit(Event::Note { level, step, text: gate::cut(text.into()) });
        }
    }

    /// Returns boot.json and boot.log in their current state with this outcome; `None` if the sinks do not answer
    /// within `limit`.
    pub fn report(&self, outcome: &'static str, limit: Duration) -> Option<Report> {
        if self.is_lost() {
            return None;
        }
        self.settle();
        let (sender, receiver) = channel();
        self.sender.send(Message::Report(outcome, sender)).ok()?;
        self.hear(&receiver, limit)
    }

    /// Waits until all events so far are on the console and in the files, for `limit` at most.
    pub fn flush(&self, limit: Duration) {
        if self.is_lost() {
            return;
        }
        self.settle();
        let (sender, receiver) = channel();
        if self.sender.send(Message::Flush(sender)).is_ok() {
            // After the limit the console counts as stuck: it misses the remaining lines, but boot.json has them.
            let _ = self.hear(&receiver, limit);
        }
    }

    /// Logs how many lines were suppressed.
    fn settle(&self) {
        for ((step, level), count) in self.gate.settle() {
            self.emit(Event::Note { level, step, text: gate::left_out(count) });
        }
    }

    /// Waits for the sinks' answer, for `limit` at most. Also checks whether the sinks are lost, because a panicked
    /// thread is parked and never closes its end of the channel.
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

/// Prints an event without the sinks.
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
