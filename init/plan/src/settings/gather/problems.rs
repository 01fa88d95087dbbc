//! Collects the problems of the settings. The list stays short and readable whatever a file contains.

use std::fmt::Write;

use crate::{Code, Problem, Severity, Source};

/// Limit for problems of one source. The others are only counted: a longer list is not readable.
const MOST: usize = 100;
/// Limit for a text in bytes: a quoted value may be a whole file.
const LONGEST: usize = 1000;

/// The problems so far.
#[derive(Debug, Default)]
pub struct Problems {
    said: Vec<Problem>,
    /// The number of further problems for each source, and the severity of the worst.
    more: Vec<(Source, Severity, usize)>,
}

impl Problems {
    /// Adds a problem.
    pub fn push(&mut self, mut problem: Problem) {
        // The problems of a rule count for the source of its file.
        let rank = problem.source.rank().0;
        if self.is_full(&problem.source) {
            match self.more.iter_mut().find(|(source, ..)| source.rank().0 == rank) {
                Some((_, worst, count)) => {
                    *worst = problem.severity.max(*worst);
                    *count += 1;
                }
                None => self.more.push((problem.source, problem.severity, 1)),
            }
            return;
        }
        cut(&mut problem.text);
        self.said.push(problem);
    }

    /// Adds several problems.
    pub fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }

    /// The last problem.
    pub fn last(&self) -> Option<&Problem> {
        self.said.last()
    }

    /// Whether the text of a problem ends like this.
    pub fn has_ending(&self, end: &str) -> bool {
        self.said.iter().any(|problem| problem.text.ends_with(end))
    }

    /// Whether further problems of a source are only counted.
    pub fn is_full(&self, source: &Source) -> bool {
        let rank = source.rank().0;
        self.said.len() >= MOST
            && self.said.iter().filter(|said| said.source.rank().0 == rank).count() >= MOST
    }

    /// All collected problems, and one for each source with further ones. That one refuses the boot if any of them
    /// does.
    pub fn into_vec(self) -> Vec<Problem> {
        let mut all = self.said;
        all.extend(self.more.into_iter().map(|(source, severity, count)| {
            let text = format!("{count} more problems like these are not shown.");
            Problem { severity, code: Code::ConfigValue, source, text }
        }));
        all
    }
}

/// A problem that refuses the boot: a value that cannot be used.
pub(super) fn refuse(source: &Source, text: String) -> Problem {
    Problem { severity: Severity::Refuse, code: Code::ConfigValue, source: source.clone(), text }
}

fn cut(text: &mut String) {
    if text.len() <= LONGEST {
        return;
    }
    let bytes = text.len();
    let end = (0..=LONGEST).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.truncate(end);
    // Writing to a String cannot fail.
    let _ = write!(text, "… ({bytes} bytes in all)");
}
