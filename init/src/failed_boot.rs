//! The end of a failed boot: `rd.shell`, `rd.emergency=`, `panic=`, and by default a restart. Under dracut, dracut's
//! emergency mode follows.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dayfly_plan::Way;
use dayfly_plan::settings::{Emergency, Settings};
use dayfly_sys::{Mount, Power, Sys, Tree, own};

use crate::context::Done;
use crate::events::{Event, Events, FLUSH, Level};
use crate::steps::handover::report;
use crate::trees::{CONFIG, IMAGE, LAYERS, MEDIA, OS, OUTER, OVERLAY, STATE, WRITABLE};
use crate::{Failure, screen, threads};

/// Long enough to read a screen, or to photograph it.
pub const DEFAULT_PAUSE: Duration = Duration::from_secs(10);
/// How often a machine that waits without a time limit repeats its message.
const REMINDER: Duration = Duration::from_secs(60);
/// Time limit for writing to the state disk and for unmounting: a disk that does not answer must not delay the restart.
const LIMIT: Duration = Duration::from_secs(10);
/// Time limit for everything between the failure and the restart, not counting the pause and the report.
const LAST: Duration = Duration::from_secs(60);
/// What happens next after a failure under dracut.
pub const DRACUT_NEXT: &str =
    "dracut continues: with a shell, unless rd.shell=0, then as rd.emergency= says.";
/// Invalid argument, errno(3): umount(2) on a path that is not a mount point.
const EINVAL: i32 = 22;
/// Where an initramfs may have a shell.
const SHELLS: [&str; 3] = ["/bin/sh", "/bin/bash", "/bin/busybox"];

/// All mount points of a boot, in the order in which they are unmounted.
fn mounts() -> impl Iterator<Item = Tree> {
    let outer = OUTER.into_iter().rev();
    [OVERLAY, OS, STATE, CONFIG, WRITABLE, IMAGE].into_iter().chain(LAYERS).chain(outer).chain([MEDIA])
}

/// How a failed boot ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Whether the machine restarts, powers off or halts.
    pub power: Power,
    /// The pause before that; `None` waits without a limit.
    pub pause: Option<Duration>,
}

impl Ending {
    /// The ending that the settings ask for.
    pub fn of(settings: &Settings) -> Self {
        let power = match settings.emergency.as_ref().map(|emergency| emergency.value) {
            None | Some(Emergency::Reboot) => Power::Reboot,
            Some(Emergency::PowerOff) => Power::PowerOff,
            Some(Emergency::Halt) => Power::Halt,
        };
        let pause = match settings.panic.as_ref().map(|panic| panic.value) {
            None => Some(DEFAULT_PAUSE),
            Some(0) => None,
            Some(seconds) => Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
        };
        Self { power, pause }
    }

    fn sentence(self) -> String {
        let what = match self.power {
            Power::Reboot => "The machine restarts",
            Power::PowerOff => "The machine powers off",
            Power::Halt => "The machine halts",
        };
        match self.pause {
            Some(pause) if pause.is_zero() => format!("{what} now."),
            Some(pause) => format!("{what} in {} s.", pause.as_secs()),
            None => "Nothing (panic=0): the machine waits. Press Ctrl-Alt-Del to restart it.".to_owned(),
        }
    }
}

/// Shows the failure and ends the machine as the settings say. Returns only under dracut, or if the kernel refuses to
/// end the machine.
pub fn end(
    sys: &Arc<dyn Sys>,
    events: &Events,
    way: Way,
    settings: &Settings,
    step: &str,
    failure: &Failure,
) {
    if way == Way::Dracut {
        show(events, step, failure, DRACUT_NEXT);
        tell(sys, events, settings);
        let (machine, told) = (Arc::clone(sys), events.clone());
        if let Err(wrong) = threads::within(&**sys, "unmount", LIMIT, move || take_away(&*machine, &told)) {
            events.note(Level::Error, None, format!("unmount the boot's file systems: {wrong}"));
        }
        events.flush(FLUSH);
        return;
    }
    let ending = Ending::of(settings);
    let shell = if settings.shell.value { find_shell(&**sys) } else { None };
    let limit = ending.pause.map(|pause| pause + settings.report_wait.value + LAST);
    if shell.is_none()
        && let Some(limit) = limit
    {
        sys.end_within(ending.power, limit);
    }
    let next = match (settings.shell.value, shell) {
        (true, Some(shell)) => format!("A shell ({shell}); when it ends: {}", ending.sentence()),
        (true, None) => format!(
            "rd.shell asks for a shell, but this initramfs has none (dayfly initramfs --shell). {}",
            ending.sentence()
        ),
        (false, _) => ending.sentence(),
    };
    show(events, step, failure, &next);
    tell(sys, events, settings);
    if let Some(shell) = shell {
        open_shell(&**sys, events, shell);
        // With a shell, the time limit starts only after the shell ends, so that a restart does not interrupt a person
        // who works in it.
        if let Some(limit) = limit {
            sys.end_within(ending.power, limit);
        }
    }
    match ending.pause {
        Some(pause) => sys.sleep(pause),
        None => loop {
            sys.sleep(REMINDER);
            events.note(
                Level::Error,
                None,
                format!("still waiting after {}: {}", failure.code, failure.wrong),
            );
        },
    }
    events.flush(FLUSH);
    let error = sys.power(ending.power);
    sys.show(&format!("{error}\n"));
}

fn show(events: &Events, step: &str, failure: &Failure, next: &str) {
    events.emit(Event::GivenUp(failure.clone()));
    events.emit(Event::Screen(screen::failure(step, failure, next)));
    events.flush(FLUSH);
}

/// Sends the report and writes the record to the state disk. Both have a time limit, so that they cannot prevent the
/// restart.
fn tell(sys: &Arc<dyn Sys>, events: &Events, settings: &Settings) {
    let Some(record) = events.report("failed", FLUSH) else { return };
    if let Some(url) = settings.report.as_ref().map(|url| url.value.clone()) {
        let (record, wait) = (record.clone(), settings.report_wait.value);
        let what = format!("POST boot.json to {url}");
        bounded(sys, events, &what, wait + LIMIT, move |sys| Some(report::post(sys, &url, &record, wait)));
    }
    let what = "write the record to the state disk";
    bounded(sys, events, what, LIMIT, move |sys| report::keep_failure(sys, &record));
}

/// Runs `work` on its own thread with a time limit, and logs the result.
fn bounded(
    sys: &Arc<dyn Sys>,
    events: &Events,
    what: &str,
    limit: Duration,
    work: impl FnOnce(&dyn Sys) -> Option<Result<Done, Failure>> + Send + 'static,
) {
    let machine = Arc::clone(sys);
    let (level, text) = match threads::within(&**sys, "record", limit, move || work(&*machine)) {
        Ok(None) => return,
        Ok(Some(Ok(done))) => (Level::Info, format!("the failure was recorded: {}", done.detail)),
        Ok(Some(Err(failure))) => {
            (Level::Warning, format!("{}: {} [{}]", failure.tried, failure.wrong, failure.code))
        }
        Err(wrong) => (Level::Warning, format!("{what}: {wrong}")),
    };
    events.note(level, None, text);
}

/// Unmounts everything. dracut takes anything mounted on /sysroot for a complete root, and the next attempt must start
/// without old mounts.
fn take_away(sys: &dyn Sys, events: &Events) {
    for tree in mounts() {
        match sys.mount(&Mount::Unmount { target: tree.place(), lazy: true }) {
            Ok(()) => {}
            // Not mounted.
            Err(error) if error.is_not_found() || error.errno() == Some(EINVAL) => {}
            Err(error) => events.note(Level::Error, None, error.to_string()),
        }
    }
}

/// Stops for a shell before a phase (`rd.break`).
pub fn stop_for_shell(sys: &dyn Sys, events: &Events, phase: &str) {
    match find_shell(sys) {
        Some(shell) => {
            events.emit(Event::Screen(format!("\nrd.break: a shell before the phase {phase}; `exit` continues the boot.\n")));
            events.flush(FLUSH);
            open_shell(sys, events, shell);
        }
        None => events.note(
            Level::Warning,
            None,
            format!("rd.break asks for a shell before the phase {phase}, but this initramfs has none (dayfly initramfs --shell)"),
        ),
    }
}

fn find_shell(sys: &dyn Sys) -> Option<&'static str> {
    SHELLS.into_iter().find(|shell| matches!(sys.inspect(&own(shell)), Ok(Some(_))))
}

fn open_shell(sys: &dyn Sys, events: &Events, shell: &str) {
    let args: &[&str] = if shell.ends_with("busybox") { &["sh"] } else { &[] };
    match sys.run(Path::new(shell), args, None) {
        Ok(code) => events.note(Level::Info, None, format!("the shell ended with status {code}")),
        Err(error) => events.note(Level::Error, None, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tells;

    #[test]
    fn the_pages_tell_the_pause() {
        let seconds = DEFAULT_PAUSE.as_secs();
        for page in ["tutorial/first-node.md", "how-to/init-parameter.md", "how-to/failed-boot.md"] {
            tells(page, &format!("the machine restarts after {seconds} s"));
        }
        tells(
            "how-to/failed-boot.md",
            &Ending { power: Power::Reboot, pause: Some(DEFAULT_PAUSE) }.sentence(),
        );
        tells("explanation/boot-sequence.md", &format!("a pause (`panic=`, {seconds} s)"));
        tells("explanation/boot-sequence.md", &format!("restarts the machine after {seconds} s"));
    }
}
