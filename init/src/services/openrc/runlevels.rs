//! Adds OpenRC services to runlevels and removes them, as rc-update(8) does, before the OS runs.

use dayfly_sys::{Files, SysError, TreePath};

use crate::os;
use crate::trees::OS;

/// Where service scripts are.
const SCRIPTS: &str = "/etc/init.d";
/// One directory per runlevel, with one link per service.
const RUNLEVELS: &str = "/etc/runlevels";

/// Enables a service at boot. A service that is in a runlevel already stays there. False if the OS has no such script.
pub fn enable(sys: &dyn Files, service: &str) -> Result<bool, SysError> {
    let script = format!("{SCRIPTS}/{service}");
    if !os::has(sys, &script)? {
        return Ok(false);
    }
    if links(sys, service)?.is_empty() {
        os::link(sys, &script, &format!("{RUNLEVELS}/default/{service}"))?;
    }
    Ok(true)
}

/// Returns those of the services that are in a runlevel. Lists the runlevels only once.
pub fn enabled<'a>(sys: &dyn Files, services: &[&'a str]) -> Result<Vec<&'a str>, SysError> {
    let runlevels = runlevels(sys)?;
    let mut enabled = Vec::new();
    for service in services {
        if !links_in(sys, &runlevels, service)?.is_empty() {
            enabled.push(*service);
        }
    }
    Ok(enabled)
}

/// Removes a service from all runlevels.
pub fn disable(sys: &dyn Files, service: &str) -> Result<(), SysError> {
    links(sys, service)?.iter().try_for_each(|link| sys.remove_tree(link))
}

fn links(sys: &dyn Files, service: &str) -> Result<Vec<TreePath>, SysError> {
    links_in(sys, &runlevels(sys)?, service)
}

fn links_in(sys: &dyn Files, runlevels: &[TreePath], service: &str) -> Result<Vec<TreePath>, SysError> {
    let mut found = Vec::new();
    for runlevel in runlevels {
        let link = runlevel.join(service);
        if sys.inspect(&link)?.is_some() {
            found.push(link);
        }
    }
    Ok(found)
}

/// The directories of the runlevels.
fn runlevels(sys: &dyn Files) -> Result<Vec<TreePath>, SysError> {
    let place = sys.resolve(&OS.at(RUNLEVELS))?;
    Ok(sys.list(&place)?.into_iter().map(|runlevel| place.join(runlevel.name)).collect())
}
