//! Formats events as lines for the kernel log, which also shows them on the consoles.

use std::collections::BTreeSet;

use dayfly_plan::{Code, Severity, StepId};

use super::{Event, Level, Outcome};

/// The plan lines logged so far. When the boot is planned again, only changed lines are logged.
#[derive(Default)]
pub struct Said(BTreeSet<String>);

impl Said {
    /// Whether a line is new. Ignores whitespace, because column widths depend on the contents.
    fn is_new(&mut self, line: &str) -> bool {
        self.0.insert(line.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// The log lines of an event, each short enough for one record of the kernel log.
pub fn lines(event: &Event, said: &mut Said) -> Vec<(Level, String)> {
    match event {
        Event::Planned(plan, settings, problems) => {
            let is_again = !said.0.is_empty();
            let mut lines: Vec<_> = plan.lines().into_iter().map(|line| (Level::Info, line)).collect();
            lines.extend(
                settings.iter().filter(|row| row.value != "-").map(|row| {
                    (Level::Debug, format!("setting {} = {} ({})", row.name, row.value, row.source))
                }),
            );
            lines.extend(problems.iter().map(|problem| {
                // A setting from an untrusted source is shown even with a quiet console.
                let is_error = problem.severity == Severity::Refuse || problem.code == Code::ConfigTrust;
                let level = if is_error { Level::Error } else { Level::Warning };
                (level, format!("{problem} [{}] (from {})", problem.code, problem.source))
            }));
            lines.retain(|(_, line)| said.is_new(line));
            if is_again && !lines.is_empty() {
                lines.insert(0, (Level::Info, "planned again with the new settings:".to_owned()));
            }
            lines
        }
        Event::Started { step, what, attempt, .. } => {
            let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            vec![(Level::Info, format!("{step}: {what}{again}"))]
        }
        Event::Progress { step, done, before, total, took } => {
            vec![(Level::Info, progress(*step, *done, *before, *total, took.as_secs_f64()))]
        }
        Event::Ended { step, outcome, detail, .. } => ended(*step, outcome, detail),
        Event::Note { level, step, text } => match step {
            Some(step) => vec![(*level, format!("{step}: {text}"))],
            None => vec![(*level, text.clone())],
        },
        Event::Begun(_) | Event::Node(_) | Event::Screen(_) | Event::Finished | Event::GivenUp(_) => {
            Vec::new()
        }
    }
}

fn ended(step: StepId, outcome: &Outcome, detail: &str) -> Vec<(Level, String)> {
    match outcome {
        Outcome::Done => vec![(Level::Info, format!("{step}: done, {detail}"))],
        Outcome::Tolerated(failure, reason) => vec![(
            Level::Warning,
            format!(
                "{step}: {}: {} [{}]; the boot continues: {reason}",
                failure.tried, failure.wrong, failure.code
            ),
        )],
        Outcome::Retried(failure, pause) => vec![(
            Level::Warning,
            format!(
                "{step}: {}: {} [{}]; trying again {}",
                failure.tried,
                failure.wrong,
                failure.code,
                if pause.is_zero() {
                    "at once".to_owned()
                } else {
                    format!("in {:.0} s", pause.as_secs_f64().ceil())
                }
            ),
        )],
        Outcome::Failed(failure) => {
            vec![(Level::Error, format!("{step}: {}: {} [{}]", failure.tried, failure.wrong, failure.code))]
        }
    }
}

fn progress(step: StepId, done: u64, before: u64, total: Option<u64>, seconds: f64) -> String {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let rate = if seconds > 0.0 { mib(done.saturating_sub(before)) / seconds } else { 0.0 };
    match total {
        Some(total) if total > 0 => {
            let percent = done.saturating_mul(100) / total;
            let left = if rate > 0.0 { mib(total.saturating_sub(done)) / rate } else { 0.0 };
            format!(
                "{step}: {percent} %, {:.0} of {:.0} MiB, {rate:.1} MiB/s, {left:.0} s to go",
                mib(done),
                mib(total)
            )
        }
        _ => format!("{step}: {:.0} MiB, {rate:.1} MiB/s, total size unknown", mib(done)),
    }
}

#[cfg(test)]
mod tests {
    use dayfly_plan::{Facts, Source, plan, settings};

    use super::*;

    #[test]
    fn what_was_said_of_a_plan_is_not_said_again() {
        let mut said = Said::default();
        let mut lines_of = |facts: &Facts| -> Vec<String> {
            let (settings, problems) = settings::gather(facts);
            let event = Event::Planned(plan(&settings, &facts.discovered), settings.shown(), problems);
            lines(&event, &mut said).into_iter().map(|(_, line)| line).collect()
        };
        let facts = Facts::from_cmdline("root=http://boot/os dayfly.hostnmae=x");
        let first = lines_of(&facts);
        assert!(first.iter().any(|line| line.starts_with("image      fetch")), "{first:#?}");
        assert_eq!(lines_of(&facts), [""; 0]);
        let later = lines_of(&facts.with_settings(Source::Config, "version = 1\nroot.size = 5\n"));
        assert_eq!(later[0], "planned again with the new settings:");
        assert_eq!(later.len(), 3, "{later:#?}");
        assert!(later[1].contains("overlay of image and tmpfs of 5 bytes"), "{later:#?}");
        assert_eq!(later[2], "setting root.size = 5 (/config)");
    }

    #[test]
    fn progress_says_how_much_how_fast_and_how_long() {
        let mib = 1 << 20;
        for (done, before, total, seconds, line) in [
            (50 * mib, 0, Some(100 * mib), 2.0, "fetch: 50 %, 50 of 100 MiB, 25.0 MiB/s, 2 s to go"),
            (50 * mib, 40 * mib, Some(100 * mib), 2.0, "fetch: 50 %, 50 of 100 MiB, 5.0 MiB/s, 10 s to go"),
            (50 * mib, 0, None, 2.0, "fetch: 50 MiB, 25.0 MiB/s, total size unknown"),
            (0, 0, Some(0), 0.0, "fetch: 0 MiB, 0.0 MiB/s, total size unknown"),
        ] {
            assert_eq!(progress(StepId::Fetch, done, before, total, seconds), line);
        }
    }
}
