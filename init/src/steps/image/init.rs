//! The program that the OS goes on with, and what starts the OS's services.

use dayfly_plan::{Code, INIT_CANDIDATES};

use crate::context::{Context, Done};
use crate::trees::IMAGE;
use crate::{Failure, Learned, Manager, OsInit};

/// Finds both, while there still is a way back.
pub fn find(cx: &Context, init: Option<&str>) -> Result<Done, Failure> {
    let program = find_program(cx, init)?;
    let manager = Manager::of_init(&*cx.sys, IMAGE, &program).map_err(|error| {
        Failure::from_sys(Code::HandoverNoInit, format!("look where {program} leads"), &error)
    })?;
    let name = manager.map_or("no service manager that Dayfly knows", Manager::name);
    Ok(Done::with(format!("{program}, {name}")).and(Learned::Init(OsInit { program, manager })))
}

fn find_program(cx: &Context, init: Option<&str>) -> Result<String, Failure> {
    let candidates: Vec<&str> = init.map_or_else(|| INIT_CANDIDATES.to_vec(), |init| vec![init]);
    for candidate in &candidates {
        // A symlink may point anywhere inside the image; where it leads shows at the exec.
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
