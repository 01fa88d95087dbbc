//! Switches to the new root and executes its init.

pub mod report;

use std::path::Path;

use dayfly_formats::cmdline::arguments;
use dayfly_plan::Code;
use dayfly_sys::{Mount, own};

use crate::Failure;
use crate::context::{Context, Done};
use crate::events::{Event, FLUSH};
use crate::trees::OS;

/// Switches to the new root.
pub fn switch(cx: &Context) -> Result<Done, Failure> {
    // The disk with an image file is now needed only by the mounts that were made from it.
    cx.sys
        .switch_root(OS)
        .and_then(|()| cx.sys.mount(&Mount::Shared { target: own("/") }))
        .map_err(|error| Failure::from_sys(Code::HandoverSwitch, "enter the new root", &error))?;
    Ok(Done::default())
}

/// Leaves the switch to the new root to dracut.
pub fn leave(cx: &Context) -> Done {
    let program = cx.known.init.as_ref().map_or("no init", |init| init.program.as_str());
    Done::with(format!("{program} is in {}", OS.root()))
}

/// Ends the log, prints the timeline and executes the OS's init.
pub fn exec(cx: &Context, args: &[String]) -> Result<Done, Failure> {
    let Some(init) = cx.known.init.as_ref().map(|init| &init.program) else {
        return Err(Failure::new(Code::HandoverExec, "exec the OS's init", "none was found"));
    };
    let args = handed(cx).unwrap_or_else(|| args.to_vec());
    cx.events.emit(Event::Ended {
        step: cx.step,
        outcome: crate::events::Outcome::Done,
        detail: std::iter::once(init).chain(&args).map(String::as_str).collect::<Vec<_>>().join(" "),
        bytes: None,
    });
    cx.events.emit(Event::Finished);
    cx.events.flush(FLUSH);
    let error = cx.sys.exec(Path::new(init), &args);
    Err(Failure::from_sys(Code::HandoverExec, format!("exec {init}"), &error))
}

/// The arguments that the kernel passed to this process. The plan knows only the arguments that every kernel passes on;
/// which unknown kernel parameters become arguments of init depends on the kernel. Unknown parameters with a value are
/// in the environment, which is inherited.
fn handed(cx: &Context) -> Option<Vec<String>> {
    // If it cannot be read, the arguments of the plan are used.
    let bytes = cx.sys.read(&own("/proc/self/cmdline")).ok().filter(|bytes| !bytes.is_empty())?;
    Some(arguments(&bytes))
}
