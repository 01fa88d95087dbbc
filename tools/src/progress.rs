//! Progress on standard error: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// Shows what a command is doing.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
}

impl Progress {
    /// A bar if standard error is a terminal.
    pub fn new() -> Self {
        Self { terminal: stderr().is_terminal() }
    }

    /// Announces a step of `count` parts; drop the result when it is done.
    pub fn step(&self, what: &str, count: usize) -> Step {
        if !self.terminal {
            eprintln!("{what}");
            return Step { bar: None };
        }
        let bar = if count == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(count as u64) };
        let template = if count == 0 { "{spinner} {msg}" } else { "{msg} [{bar:30}] {pos}/{len}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        Step { bar: Some(bar) }
    }
}

/// A step under way.
#[derive(Debug)]
pub struct Step {
    bar: Option<ProgressBar>,
}

impl Step {
    /// One part is done.
    pub fn tick(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
