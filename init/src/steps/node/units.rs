//! Writes, enables and disables systemd units and OpenRC services, before the service manager reads them.

use dayfly_plan::{Code, UnitPlan};

use crate::Failure;
use crate::context::{Context, Done};
use crate::events::Level;
use crate::os;
use crate::services::openrc::runlevels;
use crate::services::systemd::units::{self, ETC, Refusal};
use crate::services::{self, Manager};

/// Applies the units of the settings.
pub fn write(cx: &Context, plans: &[UnitPlan]) -> Result<Done, Failure> {
    let write_one = match services::manager(cx)? {
        Manager::Systemd => of_systemd,
        Manager::OpenRc => of_openrc,
    };
    let mut failed = 0;
    for unit in plans {
        let tried = match unit.enable {
            Some(true) => format!("enable the unit {}", unit.name),
            Some(false) => format!("disable the unit {}", unit.name),
            None => format!("write the unit {}", unit.name),
        };
        let Err(refusal) = write_one(cx, unit) else { continue };
        // If the image does not have a unit that the settings name, this fails at every boot of every node. So it ends
        // the boot, and shows at the first try. An error in a file on a persistent path only costs this unit.
        let failure = match refusal {
            Refusal::Words(words) => return Err(Failure::new(Code::NodeUnit, tried, words)),
            Refusal::Unit { file, words } => {
                let failure = Failure::new(Code::NodeUnit, tried, format!("{file} {words}"));
                if unit.content.is_some() || is_in_image(cx, &file) {
                    return Err(failure);
                }
                failure
            }
            Refusal::Sys(error) => Failure::from_sys(Code::NodeUnit, tried, &error),
        };
        cx.tolerate(&failure);
        failed += 1;
    }
    let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
    Ok(Done::with(format!("{} units{failed}", plans.len())))
}

/// Whether the image has the file. If this cannot be checked, it counts as no, so that the node boots.
fn is_in_image(cx: &Context, file: &str) -> bool {
    matches!(cx.sys.inspect(&os::in_image(&cx.known, file)), Ok(Some(_)))
}

fn of_systemd(cx: &Context, unit: &UnitPlan) -> Result<(), Refusal> {
    let sys = &*cx.sys;
    if let Some(content) = &unit.content {
        os::write(sys, &format!("{ETC}/{}", unit.name), content, 0o644)?;
    }
    match unit.enable {
        Some(true) => units::enable(sys, &unit.name)?,
        Some(false) => {
            let stay = units::disable(sys, &unit.name)?;
            if !stay.is_empty() {
                let text = format!(
                    "{} is still started at boot, because the image has {}",
                    unit.name,
                    stay.join(" ")
                );
                cx.note(Level::Warning, text);
            }
        }
        None => {}
    }
    Ok(())
}

/// Under OpenRC, a unit name can only mean a service of the image or of the settings' files, which is enabled or
/// disabled.
fn of_openrc(cx: &Context, unit: &UnitPlan) -> Result<(), Refusal> {
    let refuse = |words: String| Err(Refusal::Words(words));
    let Some(service) = unit.name.strip_suffix(".service") else {
        return refuse(format!("the image uses OpenRC, which has only services, no {}", unit.name));
    };
    if unit.content.is_some() {
        return refuse(format!(
            "the image uses OpenRC, which cannot read a systemd unit: write an init script with file.\"/etc/init.d/{service}\""
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
