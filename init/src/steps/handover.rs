//! Into the new root, and on as its init.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dayfly_plan::{Code, INIT_CANDIDATES, paths};
use dayfly_sys::{Mount, Sys};

use crate::context::{Context, Done};
use crate::events::Event;
use crate::{Failure, Learned};

/// How long a stuck console may hold the handover up.
pub const FLUSH: Duration = Duration::from_secs(5);

/// Finds the init first, while there still is a way back; then enters the new root.
pub fn switch<S: Sys>(cx: &Context<S>, init: Option<&str>) -> Result<Done, Failure> {
    let program = find_init(cx, init)?;
    // Only the mounts below it still need the disk that an image file came from.
    let root = PathBuf::from(paths::ROOT);
    cx.sys
        .switch_root(&root)
        .and_then(|()| cx.sys.mount(&Mount::Shared { target: PathBuf::from("/") }))
        .map_err(|error| Failure::from_sys(Code::HandoverSwitch, "enter the new root", &error).hopeless())?;
    Ok(Done::with(program.clone()).and(Learned::Init(program)))
}

fn find_init<S: Sys>(cx: &Context<S>, init: Option<&str>) -> Result<String, Failure> {
    let candidates: Vec<&str> = init.map_or_else(|| INIT_CANDIDATES.to_vec(), |init| vec![init]);
    for candidate in &candidates {
        let place = Path::new(paths::ROOT).join(candidate.trim_start_matches('/'));
        // A symlink may point anywhere inside the image; where it leads shows at the exec.
        match cx.sys.inspect(&place) {
            Ok(Some(_)) => return Ok((*candidate).to_owned()),
            Ok(None) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                return Err(Failure::from_sys(Code::HandoverNoInit, format!("look for {candidate}"), &error));
            }
        }
    }
    let wrong = format!("the image has none of {}", candidates.join(", "));
    Err(Failure::new(Code::HandoverNoInit, "find the OS's init in the image", wrong).hopeless())
}

/// Leaves the new root, with an init in it, to whoever enters it.
pub fn leave<S: Sys>(cx: &Context<S>, init: Option<&str>) -> Result<Done, Failure> {
    let program = find_init(cx, init)?;
    Ok(Done::with(format!("{program} is in {}", paths::ROOT)))
}

/// Ends the log, prints the timeline and becomes the OS's init.
pub fn exec<S: Sys>(cx: &Context<S>, args: &[String]) -> Result<Done, Failure> {
    let Some(init) = &cx.known.init else {
        return Err(Failure::new(Code::HandoverExec, "exec the OS's init", "none was found"));
    };
    cx.events.emit(Event::Ended {
        step: cx.step,
        outcome: crate::events::Outcome::Done,
        detail: init.clone(),
        bytes: None,
    });
    cx.events.emit(Event::Finished);
    cx.events.flush(FLUSH);
    let error = cx.sys.exec(Path::new(init), args);
    Err(Failure::from_sys(Code::HandoverExec, format!("exec {init}"), &error).hopeless())
}
