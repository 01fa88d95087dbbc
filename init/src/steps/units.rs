//! Units of systemd, services of OpenRC: what the settings say, before either reads any.

use dayfly_plan::{Code, UnitPlan};
use dayfly_sys::Sys;

use crate::context::{Context, Done};
use crate::events::Level;
use crate::os;
use crate::services::{self, Manager};
use crate::units::{self, ETC, Refusal};
use crate::{Failure, runlevels};

/// Writes, enables and disables them.
pub fn write<S: Sys>(cx: &Context<S>, plans: &[UnitPlan]) -> Result<Done, Failure> {
    let write_one = match services::manager(cx)? {
        Manager::Systemd => of_systemd,
        Manager::OpenRc => of_openrc,
    };
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

fn of_systemd<S: Sys>(cx: &Context<S>, unit: &UnitPlan) -> Result<(), Refusal> {
    let sys = &*cx.sys;
    if let Some(content) = &unit.content {
        os::write(sys, &format!("{ETC}/{}", unit.name), content, 0o644)?;
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

/// Only what a unit's name can mean there: a service of the image, or of the settings' files, at boot or not.
fn of_openrc<S: Sys>(cx: &Context<S>, unit: &UnitPlan) -> Result<(), Refusal> {
    let refuse = |words: String| Err(Refusal::Words(words));
    let Some(service) = unit.name.strip_suffix(".service") else {
        return refuse(format!("the image boots OpenRC, which has services but no {}", unit.name));
    };
    if unit.content.is_some() {
        return refuse(format!(
            "the image boots OpenRC, which cannot read a unit of systemd: write its script with file.\"/etc/init.d/{service}\""
        ));
    }
    match unit.enable {
        Some(true) if !runlevels::enable(&*cx.sys, service)? => {
            refuse(format!("the image has no /etc/init.d/{service}"))
        }
        Some(false) => Ok(runlevels::disable(&*cx.sys, service)?),
        Some(true) | None => Ok(()),
    }
}
