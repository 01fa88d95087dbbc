//! Finds the init of the OS and its service manager.

use dayfly_plan::{Code, INIT_CANDIDATES};

use crate::context::{Context, Done};
use crate::trees::IMAGE;
use crate::{Failure, Learned, Manager, OsInit};

/// Finds both before the switch to the new root, when a failure can still be handled.
pub fn find(cx: &Context, init: Option<&str>) -> Result<Done, Failure> {
    let program = find_program(cx, init)?;
    let manager = Manager::of_init(&*cx.sys, IMAGE, &program)
        .map_err(|error| Failure::from_sys(Code::HandoverNoInit, format!("resolve {program}"), &error))?;
    let name = manager.map_or("no known service manager", Manager::name);
    Ok(Done::with(format!("{program}, {name}")).and(Learned::Init(OsInit { program, manager })))
}

fn find_program(cx: &Context, init: Option<&str>) -> Result<String, Failure> {
    let candidates: Vec<&str> = init.map_or_else(|| INIT_CANDIDATES.to_vec(), |init| vec![init]);
    for candidate in &candidates {
        // A symlink counts as found. If it is broken, the exec fails.
        match cx.sys.inspect(&IMAGE.at(candidate)) {
            Ok(Some(_)) => return Ok((*candidate).to_owned()),
            Ok(None) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                return Err(Failure::from_sys(Code::HandoverNoInit, format!("look for {candidate}"), &error));
            }
        }
    }
    let wrong = format!("the image has none of {}", candidates.join(", "));
    Err(Failure::new(Code::HandoverNoInit, "find the OS's init in the image", wrong))
}
