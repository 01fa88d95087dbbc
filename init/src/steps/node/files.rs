//! Writes the files that the settings define.

use dayfly_plan::{Code, FilePlan, paths};

use crate::Failure;
use crate::context::{Context, Done};
use crate::os::Accounts;
use crate::trees::OS;

/// Writes the files, with modes and owners.
pub fn write(cx: &Context, files: &[FilePlan]) -> Result<Done, Failure> {
    let accounts = Accounts::read(&*cx.sys)
        .map_err(|error| Failure::from_sys(Code::NodeUser, "read the image's users", &error))?;
    let mut failed = 0;
    for file in files {
        // An error in the settings is there at every boot, independent of the node's earlier state. So it fails the
        // step.
        let owner = check(file, &accounts)?;
        if let Err(failure) = write_one(cx, file, owner) {
            cx.tolerate(&failure);
            failed += 1;
        }
    }
    let secrets = files.iter().filter(|file| file.is_secret()).count();
    let failed = if failed == 0 { String::new() } else { format!(", {failed} not written") };
    Ok(Done::with(format!("{} files, {secrets} of them secret{failed}", files.len())))
}

/// Checks that the file can be written as the settings say. Returns the numeric owner.
fn check(file: &FilePlan, accounts: &Accounts) -> Result<Option<(u32, u32)>, Failure> {
    let tried = || format!("write {}", file.path);
    if file.content.is_none() {
        let wrong = format!("file.{} has a mode or an owner, but neither content nor secret", file.path);
        return Err(Failure::new(Code::ConfigValue, tried(), wrong));
    }
    if OS.at(&file.path).outside().starts_with(paths::RUN) {
        let wrong = format!("{} is reserved for the boot", paths::RUN);
        return Err(Failure::new(Code::NodeWrite, tried(), wrong));
    }
    let Some(owner) = &file.owner else { return Ok(None) };
    let unknown =
        |wrong| Failure::new(Code::NodeUser, format!("set the owner of {} to {owner}", file.path), wrong);
    accounts.numbers(owner).map(Some).map_err(unknown)
}

fn write_one(cx: &Context, file: &FilePlan, owner: Option<(u32, u32)>) -> Result<(), Failure> {
    let failed = |error| Failure::from_sys(Code::NodeWrite, format!("write {}", file.path), &error);
    let Some(content) = &file.content else { return Ok(()) };
    let place = OS.at(&file.path);
    // Created with its final mode, so that other users can never read it.
    cx.sys.write(&place, content.expose().as_bytes(), file.mode).map_err(failed)?;
    match owner {
        Some((uid, gid)) => cx.sys.set_owner(&place, uid, gid).map_err(failed),
        None => Ok(()),
    }
}
