//! The sequence of a boot, in one place.

use std::path::Path;
use std::sync::Arc;

use dayfly_plan::settings::{self, Settings};
use dayfly_plan::{Facts, Plan, Problem, Severity, StepId, paths, plan};
use dayfly_sys::Sys;
use dayfly_wire::cmdline::Cmdline;

use crate::events::{self, Event, Events, Level};
use crate::modules::Modules;
use crate::{Failure, Runner, policy};

/// Boots. On success this process is the OS's init and the call does not return; after a failure it ends the machine.
/// It returns only where neither can be done (and in tests).
pub fn boot<S: Sys>(sys: &Arc<S>) {
    let events = Events::start(sys);
    events.note(Level::Info, None, format!("Dayfly {}", env!("CARGO_PKG_VERSION")));
    raise_clock(&**sys, &events);

    let facts = Facts {
        cmdline: read_text(&**sys, "/proc/cmdline", &events),
        settings_file: settings_file(&**sys, &events),
    };
    let (settings, mut problems) = settings::gather(&facts);
    events::library::listen(&events, settings.debug.value);
    if settings.debug.value {
        show_everything(&**sys, &events);
    }

    let outcome = match make_plan(&settings, &mut problems) {
        Err(refused) => {
            events.emit(Event::Planned(
                Plan { steps: Vec::new(), notes: Vec::new(), break_before: None },
                settings.shown(),
                problems,
            ));
            Err(("plan", refused))
        }
        Ok(plan) => {
            events.emit(Event::Planned(plan.clone(), settings.shown(), problems));
            let modules =
                Arc::new(Modules::new(Arc::clone(sys), events.clone(), &Cmdline::parse(&facts.cmdline)));
            let mut runner = Runner::new(Arc::clone(sys), events.clone(), modules);
            execute(&**sys, &events, &mut runner, &plan)
        }
    };
    if let Err((step, failure)) = outcome {
        policy::give_up(&**sys, &events, &settings, step, &failure);
    }
}

/// Runs the plan, with the stop that `rd.break` asks for.
fn execute<S: Sys>(
    sys: &S,
    events: &Events,
    runner: &mut Runner<S>,
    plan: &Plan,
) -> Result<(), (StepId, Failure)> {
    if let Some(phase) = plan.break_before {
        runner.run(plan, Some(phase))?;
        policy::stop_for_shell(sys, events, phase.name());
    }
    runner.run(plan, None)
}

/// The plan, unless what was asked for is unclear: then the boot stops before anything is touched.
fn make_plan(settings: &Settings, problems: &mut Vec<Problem>) -> Result<Plan, Failure> {
    let refuse = |problem: &Problem| {
        let wrong = format!("{} (from {})", problem.text, problem.source);
        Failure::new(problem.code, "understand the settings and the kernel command line", wrong).hopeless()
    };
    if let Some(problem) = problems.iter().find(|problem| problem.severity == Severity::Refuse) {
        return Err(refuse(problem));
    }
    plan(settings).map_err(|problem| {
        let failure = refuse(&problem);
        problems.push(problem);
        failure
    })
}

fn read_text<S: Sys>(sys: &S, path: &str, events: &Events) -> String {
    match sys.read(Path::new(path)) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            events.note(Level::Error, None, error.to_string());
            String::new()
        }
    }
}

fn settings_file<S: Sys>(sys: &S, events: &Events) -> Option<String> {
    match sys.read(Path::new(paths::SETTINGS)) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        // No settings file is the normal case.
        Err(error) if error.is_not_found() => None,
        Err(error) => {
            events.note(Level::Error, None, error.to_string());
            None
        }
    }
}

/// A machine without a clock battery starts in 1970, where no certificate is valid. It is at least as late as the
/// moment when its initramfs was built.
fn raise_clock<S: Sys>(sys: &S, events: &Events) {
    let Ok(bytes) = sys.read(Path::new(paths::BUILD)) else { return };
    let text = String::from_utf8_lossy(&bytes);
    let built = text.lines().find_map(|line| line.strip_prefix("epoch=")?.parse::<u64>().ok());
    if let Some(built) = built
        && sys.clock() < built
    {
        let said = match sys.set_clock(built) {
            Ok(()) => format!(
                "the clock was before the initramfs was built; it is set to that moment, {built} s since 1970"
            ),
            Err(error) => error.to_string(),
        };
        events.note(Level::Warning, None, said);
    }
}

/// `rd.debug`: every level to the console (kernel Documentation/admin-guide/sysctl/kernel.rst, printk).
fn show_everything<S: Sys>(sys: &S, events: &Events) {
    if let Err(error) = sys.write(Path::new("/proc/sys/kernel/printk"), b"8\n", 0o644) {
        events.note(Level::Warning, None, error.to_string());
    }
}
