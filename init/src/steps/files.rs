//! Files of the node: what the settings say, where they say it.

use dayfly_plan::{Code, FilePlan};
use dayfly_sys::Sys;

use crate::Failure;
use crate::context::{Context, Done};
use crate::os::Accounts;
use crate::trees::OS;

/// Writes them, with modes and owners.
pub fn write<S: Sys>(cx: &Context<S>, files: &[FilePlan]) -> Result<Done, Failure> {
    let accounts = Accounts::read(&*cx.sys)
        .map_err(|error| Failure::from_sys(Code::NodeUser, "read the image's users", &error))?;
    for file in files {
        write_one(cx, file, &accounts)?;
    }
    let secrets = files.iter().filter(|file| file.is_secret()).count();
    Ok(Done::with(format!("{} files, {secrets} of them secret", files.len())))
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
    // Made with its mode: nobody can look in between.
    cx.sys.write(&place, content.expose().as_bytes(), file.mode).map_err(failed)?;
    match owner {
        Some((uid, gid)) => cx.sys.set_owner(&place, uid, gid).map_err(failed),
        None => Ok(()),
    }
}
