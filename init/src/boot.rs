//! The sequence of a boot.

use std::sync::Arc;

use dayfly_formats::cmdline::Cmdline;
use dayfly_plan::settings::{self, Gathered};
use dayfly_plan::{Code, Discovered, Document, Facts, Plan, Problem, Severity, StepId, Way, paths, plan};
use dayfly_sys::{Sys, SysError, own};

use crate::events::{self, Event, Events, FLUSH, Level, NodeFact};
use crate::modules::Modules;
use crate::run::Ran;
use crate::{Failure, Runner, clock, failed_boot, smbios};

/// Runs the boot. On success this process becomes the OS's init and the call does not return. Under dracut it returns
/// with the new root ready for dracut to enter ([`Ended::Left`]). After a failure it restarts or stops the machine; it
/// returns only under dracut, in tests, or if the kernel refuses to end the machine. `early` holds the errors that
/// happened before the log started. They are logged only now, because the log needs its own thread: a slow console can
/// block it.
pub fn boot(sys: &Arc<dyn Sys>, way: Way, early: &[SysError]) -> Ended {
    let events = Events::start(sys);
    events.emit(Event::Begun(way));
    events.note(Level::Info, None, format!("Dayfly {}", env!("CARGO_PKG_VERSION")));
    // These errors alone must not stop the boot. If something needed is missing, the step that needs it reports it.
    for error in early {
        events.note(Level::Error, None, error.to_string());
    }
    let clock_was_unset = clock::raise(&**sys, &events);
    let boot_id = read_text(&**sys, "/proc/sys/kernel/random/boot_id", &events).trim().to_owned();
    events.emit(Event::Node(NodeFact::BootId(boot_id)));

    // dracut adds the kernel parameters of its initramfs to those of the kernel.
    let cmdline = if way == Way::Dracut { paths::DRACUT_CMDLINE } else { "/proc/cmdline" };
    let mut facts = Facts::from_cmdline(read_text(&**sys, cmdline, &events)).on_way(way);
    facts.discovered.clock_was_unset = clock_was_unset;
    let unusable = match settings_file(&**sys) {
        Ok(Some(document)) => {
            facts = facts.with_file(document.0);
            None
        }
        Ok(None) => None,
        Err(failure) => Some(failure),
    };
    smbios::read(&**sys, &events, &mut facts);
    let modules = Arc::new(Modules::new(Arc::clone(sys), events.clone(), &Cmdline::parse(&facts.cmdline)));
    let mut runner = Runner::new(Arc::clone(sys), events.clone(), modules);
    let mut listening = false;
    let mut stopped = false;
    // One pass for each step that finds new settings. Most boots make only one pass.
    loop {
        let (settings, problems) = settings::gather(&facts);
        if !listening {
            events::library::listen(&events, settings.debug.value);
            listening = true;
        }
        if settings.debug.value {
            show_everything(&**sys, &events);
        }
        let made = unusable.clone().map_or_else(|| make_plan(&settings, &facts.discovered, &problems), Err);
        events.emit(Event::Planned(made.clone().unwrap_or_default(), settings.shown(), problems));
        let ran = made.map_err(|refused| ("plan", refused)).and_then(|plan| {
            let ran = execute(&**sys, &events, &mut runner, &plan, &mut stopped);
            ran.map_err(|(step, failure)| (step.name(), failure))
        });
        match ran {
            Ok(Ran::UntilNews(news)) => news.into_iter().for_each(|fact| facts.learn(fact)),
            Ok(Ran::All) => {
                events.emit(Event::Finished);
                events.flush(FLUSH);
                return Ended::Left;
            }
            Err((step, failure)) => {
                failed_boot::end(sys, &events, way, &settings, step, &failure);
                return Ended::Failed;
            }
        }
    }
}

/// How a boot ended, if [`boot`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The new root is ready; dracut enters it.
    Left,
    /// The boot failed.
    Failed,
}

/// Runs the plan, and stops where `rd.break` asks for it.
fn execute(
    sys: &dyn Sys,
    events: &Events,
    runner: &mut Runner,
    plan: &Plan,
    stopped: &mut bool,
) -> Result<Ran, (StepId, Failure)> {
    if let Some(phase) = plan.break_before
        && !*stopped
    {
        if let Ran::UntilNews(news) = runner.run(plan, Some(phase))? {
            return Ok(Ran::UntilNews(news));
        }
        failed_boot::stop_for_shell(sys, events, phase.name());
        *stopped = true;
    }
    runner.run(plan, None)
}

/// Makes the plan. Unclear settings stop the boot here, before it changes anything.
fn make_plan(settings: &Gathered, discovered: &Discovered, problems: &[Problem]) -> Result<Plan, Failure> {
    if let Some(problem) = problems.iter().find(|problem| problem.severity == Severity::Refuse) {
        let wrong = format!("{} (from {})", problem.text, problem.source);
        return Err(Failure::new(problem.code, "parse the settings and the kernel command line", wrong));
    }
    Ok(plan(settings, discovered))
}

fn read_text(sys: &dyn Sys, path: &str, events: &Events) -> String {
    match sys.read(&own(path)) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            events.note(Level::Error, None, error.to_string());
            String::new()
        }
    }
}

/// Reads the settings file of the initramfs, if there is one. The trust rules in it apply to all other sources, so a
/// file that exists but cannot be used stops the boot.
fn settings_file(sys: &dyn Sys) -> Result<Option<Document>, Failure> {
    let tried = format!("read the settings file {}", paths::SETTINGS);
    let bytes = match sys.read(&own(paths::SETTINGS)) {
        Ok(bytes) => bytes,
        // Most initramfs images have no settings file.
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(Failure::from_sys(Code::ConfigFile, tried, &error)),
    };
    Document::from_bytes(bytes).map(Some).map_err(|wrong| Failure::new(Code::ConfigFile, tried, wrong))
}

/// `rd.debug`: show messages of every level on the console (kernel Documentation/admin-guide/sysctl/kernel.rst,
/// printk).
fn show_everything(sys: &dyn Sys, events: &Events) {
    if let Err(error) = sys.write(&own("/proc/sys/kernel/printk"), b"8\n", 0o644) {
        events.note(Level::Warning, None, error.to_string());
    }
}
