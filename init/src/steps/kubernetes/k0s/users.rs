//! The users of k0s's control plane. `k0s install` creates them with useradd(8) and any free number. Here /etc is new
//! at each boot, so they get fixed numbers. Otherwise their files in /var would change owner.

use dayfly_plan::Code;
use dayfly_sys::SysError;

use crate::Failure;
use crate::context::Context;
use crate::os::{self, Accounts};

/// The names (k0s's pkg/constant) and numbers. Neither Debian's policy nor systemd (its UIDS-GIDS.md) assigns these
/// numbers.
const USERS: [(&str, u32); 4] = [
    ("etcd", 60_701),
    ("konnectivity-server", 60_702),
    ("kube-apiserver", 60_703),
    ("kube-scheduler", 60_704),
];

/// Creates the users that the image does not have, each with a group of the same name.
pub fn make(cx: &Context, home: &str) -> Result<(), Failure> {
    const TRIED: &str = "create the users of k0s";
    let failed = |error: SysError| Failure::from_sys(Code::NodeWrite, TRIED, &error);
    let accounts = Accounts::read(&*cx.sys).map_err(failed)?;
    let shell = if os::has(&*cx.sys, "/usr/sbin/nologin").map_err(failed)? {
        "/usr/sbin/nologin"
    } else {
        "/bin/false"
    };
    let (mut passwd, mut group, mut shadow) = (String::new(), String::new(), String::new());
    for (name, number) in USERS {
        if accounts.user(name).is_some_and(|user| user.name == name) {
            continue;
        }
        if let Some(other) = accounts.user(&number.to_string()) {
            let wrong = format!("{name} needs the number {number}, which {} has", other.name);
            return Err(Failure::new(Code::NodeUser, TRIED, wrong)
                .with_fix(format!("Create the user {name} in the image.")));
        }
        let has_group = accounts.group(name);
        passwd.extend([format!("{name}:x:{number}:{}::{home}:{shell}\n", has_group.unwrap_or(number))]);
        if has_group.is_none() {
            group.extend([format!("{name}:x:{number}:\n")]);
        }
        shadow.extend([format!("{name}:!*:::::::\n")]);
    }
    if passwd.is_empty() {
        return Ok(());
    }
    append(cx, "/etc/group", &group, 0o644)
        .and_then(|()| append(cx, "/etc/shadow", &shadow, 0o600))
        .and_then(|()| append(cx, "/etc/passwd", &passwd, 0o644))
        .map_err(failed)
}

/// Appends to a file and keeps its mode and owner.
fn append(cx: &Context, path: &str, lines: &str, new_mode: u32) -> Result<(), SysError> {
    let text = os::read(&*cx.sys, path)?.unwrap_or_default();
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    os::replace(&*cx.sys, path, &format!("{text}{end}{lines}"), new_mode)
}
