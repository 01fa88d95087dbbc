//! The plan as a table. It is the same at boot, in `dayfly explain`, in boot.json and in the tests.

use std::fmt;

use crate::{Action, Deadline, OnFailure, Plan, Retry, Step, StepId};

/// Limit for the width of a column. Longer texts exceed it. (The formatter would panic for a width above 65535.)
const WIDEST: usize = 240;
/// Limit for the text of an action in a line: a layout may have ten thousand paths.
const LONGEST: usize = 1000;

/// The width of a serial console.
const CONSOLE: usize = 80;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// The phase's name.
    pub phase: &'static str,
    /// The step's name.
    pub step: &'static str,
    /// What it does.
    pub action: String,
    /// The steps that it waits for.
    pub needs: Vec<&'static str>,
    /// How long it may take.
    pub deadline: String,
    /// What happens when it fails.
    pub on_failure: String,
}

/// A step that this boot does not have.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Absent {
    /// The step's name.
    pub step: &'static str,
    /// Why the boot does not have it.
    pub reason: &'static str,
}

impl From<&Step> for Row {
    fn from(step: &Step) -> Self {
        Row {
            phase: step.phase.name(),
            step: step.id.name(),
            action: step.action.to_string(),
            needs: step.needs.iter().map(|need| need.name()).collect(),
            deadline: step.deadline.to_string(),
            on_failure: step.on_failure.to_string(),
        }
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Deadline::Within(time) | Deadline::Optional(time) => write!(f, "{} s", time.as_secs()),
            Deadline::Stall { then, .. } => write!(f, "stall {} s", then.as_secs()),
        }
    }
}

impl fmt::Display for OnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OnFailure::Abort => f.write_str("fail"),
            OnFailure::Retry(Retry { within, back: None, .. }) => {
                write!(f, "retry for {} s, then fail", within.as_secs())
            }
            OnFailure::Retry(Retry { within, back: Some(step), .. }) => {
                write!(f, "retry for {} s (unreachable: next claim of {step}), then fail", within.as_secs())
            }
            OnFailure::Continue(reason) => write!(f, "go on: {reason}"),
        }
    }
}

impl Plan {
    /// The table's rows.
    pub fn rows(&self) -> Vec<Row> {
        self.steps.iter().map(Row::from).collect()
    }

    /// The steps that this boot does not have.
    pub fn absences(&self) -> Vec<Absent> {
        self.absent.iter().map(|(step, reason)| Absent { step: step.name(), reason }).collect()
    }

    /// The absent steps as lines for a console, grouped by reason.
    pub fn absent_lines(&self) -> Vec<String> {
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for Absent { step, reason } in self.absences() {
            match groups.iter_mut().find(|(of, _)| *of == reason) {
                Some((_, steps)) => steps.push(step),
                None => groups.push((reason, vec![step])),
            }
        }
        if groups.is_empty() {
            return Vec::new();
        }
        let texts: Vec<String> =
            groups.iter().map(|(reason, steps)| format!("{} ({reason})", steps.join(" "))).collect();
        wrap(&format!("not in this boot: {}", texts.join("; ")), CONSOLE)
    }

    /// The table's lines, without line ends.
    pub fn lines(&self) -> Vec<String> {
        let mut rows = self.rows();
        let network = self.steps.iter().find_map(|step| match &step.action {
            Action::RaceNetwork(network) => Some(network.tree()),
            _ => None,
        });
        // A network of one line is in the table.
        let network = network.filter(|tree| tree.len() > 1).unwrap_or_default();
        for row in &mut rows {
            if row.step == StepId::Network.name() && !network.is_empty() {
                "the network below".clone_into(&mut row.action);
            }
            shorten(&mut row.action);
        }
        let rows = rows;
        let width =
            |of: fn(&Row) -> usize, least: usize| rows.iter().map(of).max().unwrap_or(0).clamp(least, WIDEST);
        let needs = |row: &Row| match row.needs.len() {
            0 => "-".to_owned(),
            // The last steps wait for all others.
            count if count > 3 => "all".to_owned(),
            _ => row.needs.join(" "),
        };
        let step_width = width(|row| row.step.len(), 4);
        let action_width = width(|row| row.action.chars().count(), 4);
        let needs_width = rows.iter().map(|row| needs(row).len()).max().unwrap_or(0).clamp(5, WIDEST);
        let line = |phase: &str, step: &str, action: &str, needs: &str, deadline: &str, on_failure: &str| {
            format!(
                "{phase:<10} {step:<step_width$}  {action:<action_width$}  {needs:<needs_width$}  {deadline:<10} {on_failure}"
            )
        };
        let mut lines = vec![line("phase", "step", "what", "needs", "deadline", "on failure")];
        let mut before = "";
        for row in &rows {
            let phase = if row.phase == before { "" } else { row.phase };
            before = row.phase;
            lines.push(line(phase, row.step, &row.action, &needs(row), &row.deadline, &row.on_failure));
        }
        if !network.is_empty() {
            lines.push("network:".to_owned());
            lines.extend(network.into_iter().map(|mut line| {
                shorten(&mut line);
                format!("  {line}")
            }));
        }
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        if let Some(phase) = self.break_before {
            lines.push(format!("note: A shell is opened before the phase {} (rd.break).", phase.name()));
        }
        lines
    }
}

/// Breaks a text at spaces into lines of at most `width` characters. All lines after the first are indented.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.extend([" ", word]);
            }
            Some(_) => lines.push(format!("  {word}")),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn shorten(text: &mut String) {
    let length = text.chars().count();
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        // Writing to a String cannot fail.
        let _ = fmt::Write::write_fmt(text, format_args!("… ({length} characters)"));
    }
}

/// The table, and the absent steps.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().iter().chain(&self.absent_lines()).try_for_each(|line| writeln!(f, "{line}"))
    }
}
