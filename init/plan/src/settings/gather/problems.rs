//! What is wrong with the settings, as it is gathered: whatever a file has in it, this stays readable, and small.

use std::fmt::Write;

use crate::{Code, Problem, Severity, Source};

/// Each place may have so many said about it in full. Who has more has not read the first ones yet.
const MOST: usize = 100;
/// The longest text, in bytes: a value that is quoted may be a whole file.
const LONGEST: usize = 1000;

/// The problems so far.
#[derive(Debug, Default)]
pub struct Problems {
    said: Vec<Problem>,
    /// How many more there were, from which place, and how bad the worst of them is.
    more: Vec<(Source, Severity, usize)>,
}

impl Problems {
    /// One more.
    pub fn push(&mut self, mut problem: Problem) {
        // Places that only rules have are those of their file.
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

    /// Several more.
    pub fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }

    /// The one that was said last.
    pub fn last(&self) -> Option<&Problem> {
        self.said.last()
    }

    /// Whether one ends like this.
    pub fn has_ending(&self, end: &str) -> bool {
        self.said.iter().any(|problem| problem.text.ends_with(end))
    }

    /// Whether what a place has beyond this is only counted: nobody will read more about it.
    pub fn is_full(&self, source: &Source) -> bool {
        let rank = source.rank().0;
        self.said.len() >= MOST
            && self.said.iter().filter(|said| said.source.rank().0 == rank).count() >= MOST
    }

    /// Those that are said, and one for those that are not. It refuses if one of them did.
    pub fn into_vec(self) -> Vec<Problem> {
        let mut all = self.said;
        all.extend(self.more.into_iter().map(|(source, severity, count)| {
            let text = format!("{count} more like these; they are not shown.");
            Problem { severity, code: Code::ConfigValue, source, text }
        }));
        all
    }
}

/// What refuses the boot: a value that cannot be used.
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
