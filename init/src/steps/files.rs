//! Files of the node: what the settings say, where they say it.

use dayfly_plan::{Code, FilePlan, paths};
use dayfly_sys::Sys;

use crate::Failure;
use crate::context::{Context, Done};
use crate::failure::Class;
use crate::os::Accounts;
use crate::trees::OS;

/// Writes them, with modes and owners.
pub fn write<S: Sys>(cx: &Context<S>, files: &[FilePlan]) -> Result<Done, Failure> {
    let accounts = Accounts::read(&*cx.sys)
        .map_err(|error| Failure::from_sys(Code::NodeUser, "read the image's users", &error))?;
    let mut failed = 0;
    for file in files {
        match write_one(cx, file, &accounts) {
            Ok(()) => {}
            // What the settings say is wrong, at every boot and whoever had the node before.
            Err(failure) if failure.class == Class::Permanent => return Err(failure),
            Err(failure) => {
                cx.tolerate(&failure);
                failed += 1;
            }
        }
    }
    let secrets = files.iter().filter(|file| file.is_secret()).count();
    let failed = if failed == 0 { String::new() } else { format!(", {failed} not written") };
    Ok(Done::with(format!("{} files, {secrets} of them secret{failed}", files.len())))
}

fn write_one<S: Sys>(cx: &Context<S>, file: &FilePlan, accounts: &Accounts) -> Result<(), Failure> {
    let tried = format!("write {}", file.path);
    let failed = |error| Failure::from_sys(Code::NodeWrite, &tried, &error);
    let Some(content) = &file.content else {
        let wrong = format!("file.{} has a mode or an owner, but neither content nor secret", file.path);
        return Err(Failure::new(Code::ConfigValue, tried, wrong).hopeless());
    };
    let owner = match &file.owner {
        Some(owner) => Some(accounts.numbers(owner).map_err(|wrong| {
            Failure::new(Code::NodeUser, format!("give {} to {owner}", file.path), wrong).hopeless()
        })?),
        None => None,
    };
    let place = OS.at(&file.path);
    if place.outside().starts_with(paths::RUN) {
        let wrong = format!("{} is the boot's own folder", paths::RUN);
        return Err(Failure::new(Code::NodeWrite, tried, wrong).hopeless());
    }
    // Made with its mode: nobody can look in between.
    cx.sys.write(&place, content.expose().as_bytes(), file.mode).map_err(failed)?;
    match owner {
        Some((uid, gid)) => cx.sys.set_owner(&place, uid, gid).map_err(failed),
        None => Ok(()),
    }
}
