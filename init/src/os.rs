//! Access to the files of the OS before it runs, below the new root.

use std::path::Path;

use dayfly_formats::accounts::{self, User};
use dayfly_plan::OwnerName;
use dayfly_sys::{FileKind, Files, SysError, TreePath};

use crate::Known;
use crate::trees::{IMAGE, OS};

/// The first line of files written into the OS. It warns administrators that edits do not last.
pub const WRITTEN: &str = "# Written by Dayfly at boot; the next boot overwrites changes.\n";

/// Writes a file of the OS and creates its parent directories. Replaces a symlink of that name (a mask or an alias).
pub fn write(sys: &dyn Files, path: &str, text: &str, mode: u32) -> Result<(), SysError> {
    sys.write(&OS.at(path), text.as_bytes(), mode)
}

/// Makes a symlink in the OS.
pub fn link(sys: &dyn Files, target: &str, path: &str) -> Result<(), SysError> {
    sys.symlink(Path::new(target), &OS.at(path))
}

/// Reads a text file of the OS; `None` if it does not exist.
pub fn read(sys: &dyn Files, path: &str) -> Result<Option<String>, SysError> {
    Ok(read_bytes(sys, path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Reads a file of the OS; `None` if it does not exist.
pub fn read_bytes(sys: &dyn Files, path: &str) -> Result<Option<Vec<u8>>, SysError> {
    match sys.read(&OS.at(path)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the contents of a file and keeps its mode and owner. A new file belongs to root and gets `new_mode`.
pub fn replace(sys: &dyn Files, path: &str, text: &str, new_mode: u32) -> Result<(), SysError> {
    let place = sys.resolve(&OS.at(path))?;
    match sys.rights(&place) {
        Ok(rights) => {
            sys.write(&place, text.as_bytes(), rights.mode)?;
            sys.set_owner(&place, rights.uid, rights.gid)
        }
        Err(error) if error.is_not_found() => sys.write(&place, text.as_bytes(), new_mode),
        Err(error) => Err(error),
    }
}

/// The path in the image for a path of the OS.
pub fn in_image(known: &Known, path: &str) -> TreePath {
    if known.etc_in_usr && Path::new(path).starts_with("/etc") {
        return IMAGE.at(format!("/usr{path}"));
    }
    IMAGE.at(path)
}

/// Whether the image keeps its /etc in /usr/etc, as a bootc or ostree tree does until it is deployed: it has no /etc, or an empty one.
/// Steps after `root` find the answer in [`Known`].
pub fn is_etc_in_usr(sys: &dyn Files) -> Result<bool, SysError> {
    let is_dir = |path: &str| Ok(sys.inspect(&IMAGE.at(path))? == Some(FileKind::Dir));
    let has_own = is_dir("/etc")? && !sys.list(&IMAGE.at("/etc"))?.is_empty();
    Ok(!has_own && is_dir("/usr/etc")?)
}

/// Whether a path exists in the OS; follows symlinks.
pub fn has(sys: &dyn Files, path: &str) -> Result<bool, SysError> {
    let at = sys.resolve(&OS.at(path))?;
    Ok(sys.inspect(&at)?.is_some_and(|kind| kind != FileKind::Symlink))
}

/// Whether the OS has a program of this name in one of the usual directories.
pub fn has_program(sys: &dyn Files, name: &str) -> Result<bool, SysError> {
    for folder in ["/usr/sbin", "/usr/bin", "/sbin", "/bin"] {
        if has(sys, &format!("{folder}/{name}"))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The users and groups of the OS.
pub struct Accounts {
    passwd: String,
    group: String,
}

impl Accounts {
    /// Reads them from the OS's /etc.
    pub fn read(sys: &dyn Files) -> Result<Self, SysError> {
        let text = |path| read(sys, path).map(Option::unwrap_or_default);
        Ok(Self { passwd: text("/etc/passwd")?, group: text("/etc/group")? })
    }

    /// The user with this name or number.
    pub fn user(&self, name: &str) -> Option<User> {
        accounts::user(&self.passwd, name)
    }

    /// The number of the group with this name.
    pub fn group(&self, name: &str) -> Option<u32> {
        accounts::group(&self.group, name)
    }

    /// The numeric user and group of an owner, or an error that names the missing user or group.
    pub fn numbers(&self, owner: &OwnerName) -> Result<(u32, u32), String> {
        let (uid, own) = match (self.user(&owner.user), owner.user.parse()) {
            (Some(user), _) => (user.uid, user.gid),
            // A number without a user entry has no primary group: use the group with the same number.
            (None, Ok(number)) => (number, number),
            (None, Err(_)) => return Err(format!("the image has no user {}", owner.user)),
        };
        let gid = match &owner.group {
            None => own,
            Some(group) => match (accounts::group(&self.group, group), group.parse()) {
                (Some(gid), _) | (None, Ok(gid)) => gid,
                (None, Err(_)) => return Err(format!("the image has no group {group}")),
            },
        };
        Ok((uid, gid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_those_of_the_image_or_numbers() {
        let accounts = Accounts {
            passwd: "root:x:0:0::/root:/bin/sh\nadmin:x:1000:1001::/home/admin:/bin/sh\n".to_owned(),
            group: "root:x:0:\nssl-cert:x:104:\n".to_owned(),
        };
        let numbers = |user: &str, group: Option<&str>| {
            accounts.numbers(&OwnerName { user: user.to_owned(), group: group.map(str::to_owned) })
        };
        for (user, group, found) in [
            ("admin", None, Ok((1000, 1001))),
            ("admin", Some("ssl-cert"), Ok((1000, 104))),
            ("1000", None, Ok((1000, 1001))),
            ("4711", None, Ok((4711, 4711))),
            ("4711", Some("0"), Ok((4711, 0))),
            ("nobody", None, Err("the image has no user nobody".to_owned())),
            ("root", Some("wheel"), Err("the image has no group wheel".to_owned())),
        ] {
            assert_eq!(numbers(user, group), found, "{user}:{group:?}");
        }
    }
}
