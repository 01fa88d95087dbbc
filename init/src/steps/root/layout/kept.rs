//! Persistent paths: their data on the state disk, and how it is created.

use std::fmt::Write;

use dayfly_plan::{Code, Policy};
use dayfly_sys::{FileKind, MountFlags, SysError, TreePath};

use super::place::Place;
use crate::context::Context;
use crate::events::Level;
use crate::trees::STATE;
use crate::{Failure, StateDisk};

impl Place<'_> {
    /// Puts the path on the state disk. If this fails, the result depends on the disk. If the settings name it, the
    /// boot fails, because the node must not lose its state silently. If it was found by its default label, this is a
    /// warning, and the path is in memory.
    pub(super) fn persist(&self, cx: &Context, disk: &StateDisk) -> Result<(), SysError> {
        let kept = match self.keep(cx) {
            Ok(kept) => kept,
            Err(error) if disk.is_wanted => return Err(error),
            Err(error) => {
                let tried = format!("store {} on the state disk {}", self.path, disk.device);
                let failure = Failure::from_sys(Code::StateKeep, tried, &error);
                cx.tolerate(&failure);
                // Remove the incomplete copy, to free the space.
                if let Err(error) = cx.sys.remove_tree(&self.fresh()) {
                    cx.note(Level::Debug, error.to_string());
                }
                return self.lie_in_memory(cx);
            }
        };
        if cx.sys.inspect(&kept)? == Some(FileKind::Dir) {
            if !self.prepare(cx)? {
                return Ok(());
            }
        } else {
            // A single persistent file in an ephemeral directory, as a bind mount. A program that replaces it by
            // rename(2) gets EBUSY.
            if !self.has_room(cx, FileKind::File(0))? {
                return Ok(());
            }
            if cx.sys.inspect(&self.target)?.is_none() {
                cx.sys.write(&self.target, b"", 0o600)?;
            }
        }
        self.bind(cx, kept, MountFlags { nodev: true, ..MountFlags::default() })
    }

    /// The temporary path of the first copy.
    fn fresh(&self) -> TreePath {
        STATE.at(format!(".new-{}", escaped(self.path)))
    }

    /// Returns its path on the state disk. The first time, it is filled from the image. The copy is renamed when it is
    /// complete, so an interrupted boot starts over the next time. An existing path is not written to, because the disk
    /// may be full or read-only.
    fn keep(&self, cx: &Context) -> Result<TreePath, SysError> {
        let kept = STATE.at(escaped(self.path));
        match cx.sys.inspect(&kept)? {
            Some(FileKind::Dir | FileKind::File(_)) => return Ok(kept),
            Some(_) => set_aside(cx, &kept)?,
            None => {}
        }
        let fresh = self.fresh();
        cx.sys.remove_tree(&fresh)?;
        let from_image = cx.sys.inspect(&self.image)?;
        let is_file = matches!(from_image, Some(FileKind::File(_)));
        let text = if is_file || self.policy == Policy::PersistentFile {
            if is_file {
                cx.sys.copy_file(&self.image, &fresh)?;
            } else {
                // Its final permissions are not known yet.
                cx.sys.write(&fresh, b"", 0o600)?;
            }
            format!("{} is new on the state disk", self.path)
        } else {
            cx.sys.make_dir(&fresh, 0o755)?;
            let entries = match from_image {
                Some(FileKind::Dir) => cx.sys.copy_tree(&self.image, &fresh, &self.below)?.entries,
                _ => 0,
            };
            format!("{} is new on the state disk: {entries} entries from the image", self.path)
        };
        cx.sys.rename(&fresh, &kept)?;
        cx.note(Level::Info, text);
        Ok(kept)
    }
}

/// Renames a file so that its path becomes free. Earlier renamed files are not overwritten.
pub(super) fn set_aside(cx: &Context, path: &TreePath) -> Result<(), SysError> {
    let named = |number: usize| {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".set-aside");
        if number > 1 {
            name.push(format!("-{number}"));
        }
        path.parent().join(name)
    };
    let mut number = 1;
    while number < 100 && cx.sys.inspect(&named(number))?.is_some() {
        number += 1;
    }
    let aside = named(number);
    cx.note(Level::Warning, format!("{path} does not fit the layout: renamed it to {aside}"));
    cx.sys.rename(path, &aside)
}

/// The name of the directory on the state disk, in the format of `systemd-escape --path`.
pub(super) fn escaped(path: &str) -> String {
    path.trim_matches('/').chars().fold(String::new(), |mut name, c| {
        match c {
            '/' => name.push('-'),
            '-' | '\\' => {
                // Writing to a String cannot fail.
                let _ = write!(name, "\\x{:02x}", u32::from(c));
            }
            '.' if name.is_empty() => name.push_str("\\x2e"),
            c => name.push(c),
        }
        name
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_are_those_of_systemd_escape() {
        for (path, name) in [
            ("/var", "var"),
            ("/usr/local", "usr-local"),
            ("/var/lib/foo-bar", "var-lib-foo\\x2dbar"),
            ("/.hidden", "\\x2ehidden"),
        ] {
            assert_eq!(escaped(path), name);
        }
    }
}
