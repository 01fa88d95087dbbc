//! Sets keys and passwords of users that exist in the image.

use dayfly_formats::accounts::{self, User};
use dayfly_plan::{Code, Secret, UserPlan};
use dayfly_sys::{FileKind, SysError, TreePath};

use crate::Failure;
use crate::context::{Context, Done};
use crate::events::Level;
use crate::os::{self, Accounts, WRITTEN};
use crate::trees::{IMAGE, OS};

/// The mode of a new home directory.
const HOME_MODE: u32 = 0o700;

/// Sets up all users.
pub fn set_up(cx: &Context, users: &[UserPlan]) -> Result<Done, Failure> {
    let accounts = Accounts::read(&*cx.sys)
        .map_err(|error| Failure::from_sys(Code::NodeUser, "read the image's users", &error))?;
    let mut keys = 0;
    let mut passwords = 0;
    for plan in users {
        let Some(user) = accounts.user(&plan.name).filter(|user| user.name == plan.name) else {
            let wrong = format!("the image's /etc/passwd has no user {}", plan.name);
            return Err(Failure::new(Code::NodeUser, format!("set up the user {}", plan.name), wrong));
        };
        if !plan.authorized_keys.is_empty() {
            // The user controls the home: it may be full, or have a directory where a file is expected.
            match write_keys(cx, &user, &plan.authorized_keys) {
                Ok(()) => keys += plan.authorized_keys.len(),
                Err(failure) => cx.tolerate(&failure),
            }
        }
        if let Some(hash) = &plan.password_hash {
            match set_password(cx, &user.name, hash) {
                Ok(()) => passwords += 1,
                Err(error) => {
                    let tried = format!("set the password of {}", user.name);
                    cx.tolerate(&Failure::from_sys(Code::NodeWrite, tried, &error));
                }
            }
        }
    }
    Ok(Done::with(format!("{} users, {keys} keys, {passwords} passwords", users.len())))
}

/// Writes authorized_keys (sshd(8), AUTHORIZED_KEYS FILE FORMAT). The home may be persistent and contain anything that
/// the user put there, so symlinks are not followed.
fn write_keys(cx: &Context, user: &User, keys: &[String]) -> Result<(), Failure> {
    let tried = format!("write ~{}/.ssh/authorized_keys", user.name);
    let failed = |error| Failure::from_sys(Code::NodeWrite, &tried, &error);
    let refuse = |wrong: String| Err(Failure::new(Code::NodeWrite, &tried, wrong));
    if !user.home.starts_with('/') || user.home.trim_matches('/').is_empty() {
        return refuse(format!("the home of {} in the image's /etc/passwd is \"{}\"", user.name, user.home));
    }
    let home = home(cx, user).map_err(failed)?;
    let folder = home.join(".ssh");
    match cx.sys.inspect(&folder).map_err(failed)? {
        Some(FileKind::Dir) => {}
        None => make_for(cx, user, &folder).map_err(failed)?,
        Some(_) => return refuse(format!("{}/.ssh exists and is not a directory", user.home)),
    }
    let text = format!("{WRITTEN}{}\n", keys.join("\n"));
    let file = folder.join("authorized_keys");
    cx.sys.write(&file, text.as_bytes(), 0o600).map_err(failed)?;
    cx.sys.set_owner(&file, user.uid, user.gid).map_err(failed)
}

/// Returns the home directory, and creates it if necessary: a state disk that was filled from an older image may lack
/// it.
fn home(cx: &Context, user: &User) -> Result<TreePath, SysError> {
    let home = cx.sys.resolve(&OS.at(&user.home))?;
    if cx.sys.inspect(&home)?.is_some() {
        return Ok(home);
    }
    make_for(cx, user, &home)?;
    let image = cx.sys.resolve(&IMAGE.at(&user.home))?;
    let copied = match cx.sys.inspect(&image)? {
        Some(FileKind::Dir) => cx.sys.copy_tree(&image, &home, &[])?.entries,
        _ => 0,
    };
    cx.note(
        Level::Info,
        format!("{} did not exist: created with {copied} entries from the image", user.home),
    );
    Ok(home)
}

fn make_for(cx: &Context, user: &User, folder: &TreePath) -> Result<(), SysError> {
    cx.sys.make_dir(folder, HOME_MODE)?;
    cx.sys.set_owner(folder, user.uid, user.gid)
}

/// Sets the password in shadow(5). Its mode and group stay, because some systems let a group read it.
fn set_password(cx: &Context, name: &str, hash: &Secret) -> Result<(), SysError> {
    let shadow = os::read(&*cx.sys, "/etc/shadow")?;
    let changed = accounts::with_password(shadow.as_deref().unwrap_or_default(), name, hash.expose());
    os::replace(&*cx.sys, "/etc/shadow", &changed, 0o600)?;
    let passwd = os::read(&*cx.sys, "/etc/passwd")?.unwrap_or_default();
    match accounts::with_shadow(&passwd, name) {
        Some(changed) => os::replace(&*cx.sys, "/etc/passwd", &changed, 0o644),
        None => Ok(()),
    }
}
