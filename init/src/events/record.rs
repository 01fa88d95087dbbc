//! boot.json and boot.log: the record of a boot, for programs and for later analysis. docs/reference/boot-json.md
//! describes the fields.

use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;

use dayfly_plan::{Absent, NamedImage, Row, Severity, StepId, paths};
use dayfly_sys::{Sys, own};
use serde::Serialize;

use super::{Event, NodeFact, Outcome};
use crate::Failure;

/// The version of boot.json's schema.
pub const VERSION: u32 = 1;

/// The two files.
#[derive(Debug, Clone)]
pub struct Report {
    /// boot.json.
    pub json: Vec<u8>,
    /// boot.log.
    pub log: String,
}

#[derive(Default, Serialize)]
pub struct Record {
    version: u32,
    dayfly: &'static str,
    way: &'static str,
    outcome: &'static str,
    finished_s: Option<f64>,
    clock: u64,
    node: NodeRow,
    image: Option<ImageRow>,
    plan: Vec<Row>,
    absent: Vec<Absent>,
    notes: Vec<String>,
    settings: Vec<Setting>,
    problems: Vec<ProblemRow>,
    steps: Vec<StepRow>,
    failure: Option<FailureRow>,
    #[serde(skip)]
    log: Log,
}

#[derive(Default, Serialize)]
struct NodeRow {
    boot_id: Option<String>,
    hostname: Option<String>,
    machine_id: Option<String>,
    mac: Option<String>,
    address: Option<String>,
}

#[derive(Serialize)]
struct ImageRow {
    name: String,
    version: u64,
    manifest: String,
    sha256: String,
    signers: Vec<String>,
    bytes: u64,
}

#[derive(Serialize)]
struct Setting {
    name: String,
    value: String,
    source: String,
}

#[derive(Serialize)]
struct ProblemRow {
    severity: &'static str,
    code: &'static str,
    source: String,
    text: String,
}

#[derive(Serialize)]
struct StepRow {
    step: &'static str,
    phase: &'static str,
    attempt: u32,
    start_s: f64,
    end_s: Option<f64>,
    outcome: &'static str,
    detail: String,
    bytes: Option<u64>,
    failure: Option<FailureRow>,
}

#[derive(Serialize)]
struct FailureRow {
    code: &'static str,
    tried: String,
    wrong: String,
    fix: String,
}

/// The contents of boot.log: its first and its last lines. The size is limited, because a boot that retries for days
/// must not fill the node's memory.
#[derive(Default)]
struct Log {
    first: String,
    last: VecDeque<String>,
    /// The bytes of the last lines, and how many lines between the first and the last ones were dropped.
    bytes: usize,
    lost: u64,
}

impl Log {
    /// The most bytes of the first lines, and of the last lines.
    const MOST: (usize, usize) = (768 << 10, 256 << 10);

    fn add(&mut self, line: String) {
        if self.last.is_empty() && self.first.len() + line.len() <= Self::MOST.0 {
            self.first.push_str(&line);
            return;
        }
        self.bytes += line.len();
        self.last.push_back(line);
        while self.bytes > Self::MOST.1
            && let Some(line) = self.last.pop_front()
        {
            self.bytes -= line.len();
            self.lost += 1;
        }
    }

    fn text(&self) -> String {
        let mut text = self.first.clone();
        if self.lost > 0 {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "[ {} lines dropped ]", self.lost);
        }
        text.extend(self.last.iter().map(String::as_str));
        text
    }
}

impl NodeRow {
    fn learn(&mut self, fact: &NodeFact) {
        match fact {
            NodeFact::BootId(id) => self.boot_id = Some(id.clone()),
            NodeFact::Network(mac, address) => {
                self.mac.clone_from(mac);
                self.address.clone_from(address);
            }
            NodeFact::Identity(hostname, machine_id) => {
                self.hostname = Some(hostname.clone());
                self.machine_id = Some(machine_id.clone());
            }
            NodeFact::Image(_) => {}
        }
    }
}

impl From<&NamedImage> for ImageRow {
    fn from(image: &NamedImage) -> Self {
        Self {
            name: image.name.clone(),
            version: image.version,
            manifest: image.url.to_string(),
            sha256: image.sha256.to_string(),
            signers: image.signers.iter().map(ToString::to_string).collect(),
            bytes: image.bytes(),
        }
    }
}

impl From<&Failure> for FailureRow {
    fn from(failure: &Failure) -> Self {
        Self {
            code: failure.code.as_str(),
            tried: failure.tried.clone(),
            wrong: failure.wrong.clone(),
            fix: failure.fix.clone(),
        }
    }
}

/// Seconds, rounded to milliseconds.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

impl Record {
    /// Adds a line to boot.log.
    pub fn log(&mut self, at: Duration, line: &str) {
        self.log.add(format!("[{:>9.3}] {line}\n", at.as_secs_f64()));
    }

    /// Records an event.
    pub fn take(&mut self, at: Duration, event: &Event) {
        self.version = VERSION;
        self.dayfly = env!("CARGO_PKG_VERSION");
        if self.outcome.is_empty() {
            self.outcome = "running";
        }
        match event {
            Event::Begun(way) => self.way = way.name(),
            Event::Planned(plan, settings, problems) => {
                self.plan = plan.rows();
                self.absent = plan.absences();
                self.notes.clone_from(&plan.notes);
                self.settings = settings
                    .iter()
                    .map(|row| Setting {
                        name: row.name.clone(),
                        value: row.value.clone(),
                        source: row.source.to_string(),
                    })
                    .collect();
                self.problems = problems
                    .iter()
                    .map(|problem| ProblemRow {
                        severity: if problem.severity == Severity::Refuse { "refuse" } else { "warn" },
                        code: problem.code.as_str(),
                        source: problem.source.to_string(),
                        text: problem.text.clone(),
                    })
                    .collect();
            }
            Event::Node(NodeFact::Image(image)) => self.image = Some(image.into()),
            Event::Node(fact) => self.node.learn(fact),
            Event::Started { step, phase, attempt, .. } => {
                self.make_room();
                self.steps.push(StepRow {
                    step: step.name(),
                    phase: phase.name(),
                    attempt: *attempt,
                    start_s: seconds(at),
                    end_s: None,
                    outcome: "running",
                    detail: String::new(),
                    bytes: None,
                    failure: None,
                });
            }
            Event::Ended { step, outcome, detail, bytes } => self.end(*step, at, outcome, detail, *bytes),
            Event::Finished => {
                self.outcome = "handover";
                self.finished_s = Some(seconds(at));
            }
            Event::GivenUp(failure) => {
                self.outcome = "failed";
                self.finished_s = Some(seconds(at));
                self.failure = Some(failure.into());
            }
            Event::Progress { .. } | Event::Note { .. } | Event::Screen(_) => {}
        }
    }

    /// Drops the oldest retried attempts, because a boot may retry for days. The final result of each step stays.
    fn make_room(&mut self) {
        const MOST: usize = 500;
        if self.steps.len() >= MOST
            && let Some(oldest) = self.steps.iter().position(|row| row.outcome == "retried")
        {
            self.steps.remove(oldest);
        }
    }

    fn end(&mut self, step: StepId, at: Duration, outcome: &Outcome, detail: &str, bytes: Option<u64>) {
        let Some(row) =
            self.steps.iter_mut().rev().find(|row| row.step == step.name() && row.end_s.is_none())
        else {
            return;
        };
        row.end_s = Some(seconds(at));
        detail.clone_into(&mut row.detail);
        row.bytes = bytes;
        let failure;
        (row.outcome, failure) = match outcome {
            Outcome::Done => ("done", None),
            Outcome::Tolerated(failure, _) => ("tolerated", Some(failure)),
            Outcome::Retried(failure, _) => ("retried", Some(failure)),
            Outcome::Failed(failure) => ("failed", Some(failure)),
        };
        row.failure = failure.map(FailureRow::from);
    }

    /// The timeline as a table: one line per attempt, a bar for when it ran.
    pub fn timeline(&self) -> Vec<String> {
        const BAR: usize = 40;
        let first = self.steps.iter().map(|row| row.start_s).reduce(f64::min).unwrap_or(0.0);
        let last = self.finished_s.unwrap_or(first);
        let span = (last - first).max(0.001);
        let column = |time: f64| ((time - first) / span * BAR as f64).clamp(0.0, BAR as f64) as usize;
        let mut lines = vec![format!(
            "{:<10} {:<10} {:>8} {:>8}  {:<BAR$}  {}",
            "phase", "step", "start s", "took s", "", "outcome"
        )];
        for row in &self.steps {
            let end = row.end_s.unwrap_or(last);
            let (from, to) = (column(row.start_s), column(end));
            let bar = format!("{}{}", " ".repeat(from), "#".repeat((to - from).max(1)));
            let what = if row.detail.is_empty() {
                row.outcome.to_owned()
            } else {
                format!("{}, {}", row.outcome, row.detail)
            };
            lines.push(format!(
                "{:<10} {:<10} {:>8.3} {:>8.3}  {bar:<BAR$.BAR$}  {what}",
                row.phase,
                row.step,
                row.start_s,
                end - row.start_s
            ));
        }
        lines
    }

    /// Returns both files as if the boot ended now with this outcome.
    pub fn report(&mut self, outcome: &'static str, at: Duration, sys: &dyn Sys) -> Report {
        let (running, finished) = (self.outcome, self.finished_s);
        self.outcome = outcome;
        self.finished_s = finished.or(Some(seconds(at)));
        let json = self.json(sys);
        (self.outcome, self.finished_s) = (running, finished);
        Report { json, log: self.log.text() }
    }

    fn json(&mut self, sys: &dyn Sys) -> Vec<u8> {
        self.clock = sys.clock();
        serde_json::to_vec_pretty(self).unwrap_or_else(|error| {
            sys.log(4, &format!("dayfly: write boot.json: {error}"));
            Vec::new()
        })
    }

    /// Writes boot.json and boot.log. If /run is full, the boot continues, because the OS does not need them.
    pub fn save(&mut self, sys: &dyn Sys) {
        let (json, log) = (self.json(sys), self.log.text());
        for (path, bytes) in [(paths::BOOT_JSON, json.as_slice()), (paths::BOOT_LOG, log.as_bytes())] {
            if let Err(error) = sys.write(&own(path), bytes, 0o644) {
                sys.log(4, &format!("dayfly: {error}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_how_it_began_and_how_it_ended() {
        let mut record = Record::default();
        for number in 0..200_000 {
            record.log(Duration::from_secs(number), &format!("line {number}"));
        }
        let text = record.log.text();
        assert!(text.len() < (1 << 20) + 100, "{}", text.len());
        assert!(text.starts_with("[    0.000] line 0\n"));
        assert!(text.ends_with("line 199999\n"));
        assert!(text.contains(" lines dropped ]\n"));
        let (left_out, lines) = (record.log.lost, text.lines().count() as u64);
        assert_eq!(left_out + lines - 1, 200_000);
    }

    #[test]
    fn attempts_without_end_do_not_fill_the_record() {
        let mut record = Record::default();
        let failure = Failure::new(dayfly_plan::Code::ImageConnect, "x", "y");
        for (step, attempts) in [(StepId::Network, 1), (StepId::Fetch, 5000)] {
            for attempt in 1..=attempts {
                let at = Duration::from_secs(u64::from(attempt));
                let started =
                    Event::Started { step, phase: dayfly_plan::Phase::Image, what: String::new(), attempt };
                record.take(at, &started);
                let outcome = if step == StepId::Network {
                    Outcome::Done
                } else {
                    Outcome::Retried(failure.clone(), at)
                };
                record.take(at, &Event::Ended { step, outcome, detail: String::new(), bytes: None });
            }
        }
        assert_eq!(record.steps.len(), 500);
        assert_eq!((record.steps[0].step, record.steps[499].attempt), ("network", 5000));
    }
}
