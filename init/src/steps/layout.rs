//! Sets the paths of the layout up, parents first.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use dayfly_plan::{Code, Policy, paths};
use dayfly_sys::{FileKind, Mount, MountFlags, Sys, SysError};

use super::{Context, Done};
use crate::Failure;
use crate::events::Level;

/// Applies every policy.
pub fn apply<S: Sys>(cx: &Context<S>, entries: &[(String, Policy)]) -> Result<Done, Failure> {
    let mut in_memory = Vec::new();
    for (path, policy) in entries {
        let under_read_only = entries.iter().any(|(other, policy)| {
            *policy == Policy::ReadOnly
                && path.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/'))
        });
        let place = Place {
            path,
            target: below(paths::ROOT, path),
            image: below(paths::LOWER, path),
            under_read_only,
        };
        let outcome = match policy {
            Policy::ReadOnly => protect(cx, &place),
            Policy::Ephemeral if !under_read_only => Ok(()),
            Policy::Ephemeral => in_tmpfs(cx, &place),
            Policy::Persistent if cx.known.state.is_some() => persist(cx, &place),
            Policy::Persistent => {
                in_memory.push(path.as_str());
                in_tmpfs(cx, &place)
            }
            Policy::Tmpfs(size) => tmpfs(cx, &place, *size),
        };
        outcome
            .map_err(|error| Failure::from_sys(Code::RootLayout, format!("make {path} {policy}"), &error))?;
    }
    Ok(Done::with(if in_memory.is_empty() {
        format!("{} paths", entries.len())
    } else {
        format!("{} paths; in memory for want of a state disk: {}", entries.len(), in_memory.join(" "))
    }))
}

struct Place<'a> {
    path: &'a str,
    target: PathBuf,
    image: PathBuf,
    under_read_only: bool,
}

impl Place<'_> {
    /// Makes sure that there is a folder to mount on.
    fn prepare<S: Sys>(&self, cx: &Context<S>) -> Result<(), SysError> {
        match cx.sys.inspect(&self.target)? {
            Some(FileKind::Dir) => Ok(()),
            // Below a read-only path only the image can provide it, and the kernel's refusal says so.
            _ => cx.sys.make_dir(&self.target, 0o755),
        }
    }

    fn is_in_image<S: Sys>(&self, cx: &Context<S>) -> Result<bool, SysError> {
        Ok(cx.sys.inspect(&self.image)? == Some(FileKind::Dir))
    }
}

fn below(root: &str, path: &str) -> PathBuf {
    Path::new(root).join(path.trim_start_matches('/'))
}

/// The image's own folder, without the overlay: nothing can be written, and reading costs less.
fn protect<S: Sys>(cx: &Context<S>, place: &Place<'_>) -> Result<(), SysError> {
    if !place.is_in_image(cx)? {
        cx.note(Level::Debug, format!("{} is not in the image: nothing to protect", place.path));
        return Ok(());
    }
    cx.sys.mount(&Mount::Bind {
        source: place.image.clone(),
        target: place.target.clone(),
        recursive: false,
        flags: MountFlags { read_only: true, ..MountFlags::default() },
    })
}

/// The folder's name on the state disk, as `systemd-escape --path` makes it.
fn escaped(path: &str) -> String {
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

/// On the state disk; filled from the image the first time, all or nothing: a boot that is cut off while it copies
/// starts over the next time.
fn persist<S: Sys>(cx: &Context<S>, place: &Place<'_>) -> Result<(), SysError> {
    let kept = Path::new(paths::STATE).join(escaped(place.path));
    if cx.sys.inspect(&kept)?.is_none() {
        let fresh = Path::new(paths::STATE).join(format!(".new-{}", escaped(place.path)));
        cx.sys.remove_tree(&fresh)?;
        cx.sys.make_dir(&fresh, 0o755)?;
        if place.is_in_image(cx)? {
            let copied = cx.sys.copy_tree(&place.image, &fresh)?;
            let text =
                format!("{} is new on the state disk: {} entries from the image", place.path, copied.entries);
            cx.note(Level::Info, text);
        }
        cx.sys.rename(&fresh, &kept)?;
    }
    place.prepare(cx)?;
    cx.sys.mount(&Mount::Bind {
        source: kept,
        target: place.target.clone(),
        recursive: false,
        flags: MountFlags { nodev: true, ..MountFlags::default() },
    })
}

/// In memory, filled from the image. A file system of its own and not the root's overlay: containers put overlays on
/// /var, and an overlay cannot be another one's upper layer.
fn in_tmpfs<S: Sys>(cx: &Context<S>, place: &Place<'_>) -> Result<(), SysError> {
    tmpfs(cx, place, None)?;
    if place.is_in_image(cx)? {
        cx.sys.copy_tree(&place.image, &place.target)?;
    }
    Ok(())
}

fn tmpfs<S: Sys>(cx: &Context<S>, place: &Place<'_>, size: Option<u64>) -> Result<(), SysError> {
    let mode = if place.path.ends_with("tmp") { "1777" } else { "0755" };
    let mut options = vec![("mode".to_owned(), Some(mode.to_owned()))];
    if let Some(bytes) = size {
        options.push(("size".to_owned(), Some(bytes.to_string())));
    }
    if place.under_read_only && !place.is_in_image(cx)? {
        return Err(SysError::new(
            "mount a tmpfs on",
            place.path,
            dayfly_sys::Cause::Unsupported,
            "it lies below a read-only path, and the image has no such folder",
        ));
    }
    place.prepare(cx)?;
    cx.sys.mount(&Mount::New {
        fstype: "tmpfs".to_owned(),
        source: "tmpfs".to_owned(),
        target: place.target.clone(),
        options,
        flags: MountFlags { nodev: true, ..MountFlags::default() },
    })
}

#[cfg(test)]
mod tests {
    use super::escaped;

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
