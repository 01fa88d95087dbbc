//! OpenRC's services in the OS before it runs: put into a runlevel and taken out, as rc-update(8) does it.

use dayfly_sys::{Files, SysError, TreePath};

use crate::os;
use crate::trees::OS;

/// Where service scripts are.
const SCRIPTS: &str = "/etc/init.d";
/// A folder for each runlevel, with a link for each service in it.
const RUNLEVELS: &str = "/etc/runlevels";

/// Has a service started at boot; one that is in a runlevel already stays there. False where the OS has no such script.
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

/// Those of the services that are in a runlevel. The runlevels are listed once for all of them.
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

/// Takes a service out of all runlevels.
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

/// The folders of the runlevels.
fn runlevels(sys: &dyn Files) -> Result<Vec<TreePath>, SysError> {
    let place = sys.resolve(&OS.at(RUNLEVELS))?;
    Ok(sys.list(&place)?.into_iter().map(|runlevel| place.join(runlevel.name)).collect())
}
