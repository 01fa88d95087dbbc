//! Units of systemd: what the settings say, before systemd reads any.

use dayfly_plan::{Code, UnitPlan};
use dayfly_sys::Sys;

use crate::Failure;
use crate::context::{Context, Done};
use crate::events::Level;
use crate::os;
use crate::services::{self, Manager};
use crate::units::{self, ETC, Refusal};

/// Writes, enables and disables them.
pub fn write<S: Sys>(cx: &Context<S>, plans: &[UnitPlan]) -> Result<Done, Failure> {
    let manager = services::manager(cx)?;
    if manager != Manager::Systemd {
        let wrong = format!("the image's service manager is {}", manager.name());
        return Err(Failure::new(Code::NodeUnit, "write systemd's units", wrong).hopeless());
    }
    for unit in plans {
        let tried = match unit.enable {
            Some(true) => format!("enable the unit {}", unit.name),
            Some(false) => format!("disable the unit {}", unit.name),
            None => format!("write the unit {}", unit.name),
        };
        write_one(cx, unit).map_err(|refusal| match refusal {
            Refusal::Sys(error) => Failure::from_sys(Code::NodeUnit, tried, &error),
            Refusal::Words(words) => Failure::new(Code::NodeUnit, tried, words).hopeless(),
        })?;
    }
    Ok(Done::with(format!("{} units", plans.len())))
}

fn write_one<S: Sys>(cx: &Context<S>, unit: &UnitPlan) -> Result<(), Refusal> {
    let sys = &*cx.sys;
    if let Some(content) = &unit.content {
        // A link of that name, a mask or an alias, makes room.
        sys.write(&os::place(sys, &format!("{ETC}/{}", unit.name))?, content.as_bytes(), 0o644)?;
    }
    match unit.enable {
        Some(true) => units::enable(sys, &unit.name)?,
        Some(false) => {
            let stay = units::disable(sys, &unit.name)?;
            if !stay.is_empty() {
                let text = format!("{} is started all the same: the image has {}", unit.name, stay.join(" "));
                cx.note(Level::Warning, text);
            }
        }
        None => {}
    }
    Ok(())
}
