//! Sets up the paths of the layout, parents first.

mod kept;
mod os_disk;
mod place;

use std::path::Path;

use dayfly_plan::{Code, LayoutEntry, Policy};
use dayfly_sys::{FileKind, Mount, MountFlags, SysError};

use self::place::{Place, below};
use super::{container, fstab};
use crate::context::{Context, Done};
use crate::events::Level;
use crate::trees::{IMAGE, OS, OVERLAY};
use crate::{Failure, os};

/// Applies every policy.
pub fn apply(cx: &Context, entries: &[LayoutEntry]) -> Result<Done, Failure> {
    let overlay = Mount::Bind {
        source: OS.top(),
        target: OVERLAY.place(),
        recursive: false,
        flags: MountFlags::default(),
    };
    cx.sys.make_dir(&OVERLAY.place(), 0o755).and_then(|()| cx.sys.mount(&overlay)).map_err(|error| {
        Failure::from_sys(Code::RootLayout, "mount the root's overlay a second time", &error)
    })?;
    let failed =
        |tried: String| move |error: SysError| Failure::from_sys(Code::RootLayout, tried.clone(), &error);
    let disk = cx.known.state.as_ref();
    let mut in_memory = Vec::new();
    let mut left_to_os: Vec<&str> = Vec::new();
    let mut of_os: Vec<&str> = Vec::new();
    let of_fstab = fstab::read(cx).unwrap_or_else(|error| {
        cx.tolerate(&failed("read the OS's /etc/fstab".to_owned())(error));
        Vec::new()
    });
    let found = lead(cx, entries);
    for one in &found {
        let entry = one.0;
        let place = Place::new(&found, one, os::in_image(&cx.known, &one.1).without_links());
        let tried = || format!("make {} {}", entry.path, entry.policy);
        if of_os.iter().any(|above| below(above, &entry.path).is_some())
            && (entry.is_default || entry.policy.persists())
        {
            // It is on the OS's own disk, so it is persistent already.
            continue;
        }
        let line = dayfly_formats::fstab::entries(&of_fstab).find(|line| line.place == entry.path);
        if let Some(line) = line.filter(|_| entry.policy == Policy::Persistent && disk.is_none()) {
            match os_disk::mount(cx, &line, &place.target) {
                Ok(()) => of_os.push(&entry.path),
                Err(why) => {
                    let level = if why.is_empty() { Level::Info } else { Level::Warning };
                    let left = "is left to the OS, which has a file system for it in /etc/fstab";
                    cx.note(level, format!("{} {left}{why}", entry.path));
                    left_to_os.push(&entry.path);
                }
            }
            continue;
        }
        let outcome = match entry.policy {
            Policy::ReadOnly => place.protect(cx),
            Policy::Ephemeral => place.show_overlay(cx),
            Policy::Persistent | Policy::PersistentFile => {
                if let Some(disk) = disk {
                    place.persist(cx, disk)
                } else {
                    in_memory.push(entry.path.as_str());
                    place.lie_in_memory(cx)
                }
            }
            Policy::Tmpfs(size) => place.tmpfs(cx, size),
        };
        match outcome {
            Ok(()) => {}
            // A persistent parent may have any contents, and may be full, read-only or broken. Then only this path is
            // lost.
            Err(error) if place.above.persists() && !entry.policy.persists() => {
                cx.tolerate(&failed(tried())(error));
            }
            Err(error) => {
                let code = if disk.is_some() && entry.policy.persists() {
                    Code::StateKeep
                } else {
                    Code::RootLayout
                };
                return Err(Failure::from_sys(code, tried(), &error));
            }
        }
    }
    put_links_back(cx, &found);
    if let Err(error) = fstab::settle(cx, entries, &left_to_os) {
        // A persistent /etc can be full. The OS reports what it cannot mount.
        cx.tolerate(&failed("update /etc/fstab".to_owned())(error));
    }
    if let Err(error) = container::leave(cx) {
        cx.tolerate(&failed("remove the files of container tools".to_owned())(error));
    }
    // Lazy: bind mounts from it stay, only this mount point is removed.
    let away = Mount::Unmount { target: OVERLAY.place(), lazy: true };
    if let Err(error) = cx.sys.mount(&away) {
        cx.note(Level::Debug, error.to_string());
    }
    let count = entries.iter().filter(|entry| !entry.is_database()).count();
    Ok(Done::with(if in_memory.is_empty() {
        format!("{count} paths")
    } else {
        format!("{count} paths; in memory, because there is no state disk: {}", in_memory.join(" "))
    }))
}

/// Restores the image's symlink to the package database if the state disk has the database of an older image at that
/// path (`/var/lib/rpm`, which newer Fedora versions have in /usr). Otherwise the OS would read the old database.
fn put_links_back(cx: &Context, found: &[(&LayoutEntry, String)]) {
    let is_link = |(entry, real): &&(&LayoutEntry, String)| entry.is_database() && entry.path != *real;
    for (entry, real) in found.iter().filter(is_link) {
        let above = found.iter().rfind(|(_, other)| below(other, &entry.path).is_some());
        if !above.is_some_and(|(above, _)| above.policy.persists()) {
            continue;
        }
        if let Err(error) = put_link_back(cx, &entry.path, real) {
            let tried = format!("restore the link {} to {real}", entry.path);
            cx.tolerate(&Failure::from_sys(Code::RootLayout, tried, &error));
        }
    }
}

fn put_link_back(cx: &Context, path: &str, real: &str) -> Result<(), SysError> {
    let (image, place) = (IMAGE.without_links().at(path), OS.without_links().at(path));
    // If a parent is the link, nothing has to be restored.
    if !matches!(cx.sys.inspect(&image), Ok(Some(FileKind::Symlink))) {
        return Ok(());
    }
    if matches!(cx.sys.inspect(&place)?, None | Some(FileKind::Symlink)) {
        return Ok(());
    }
    cx.sys.remove_tree(&place)?;
    cx.sys.symlink(Path::new(real), &place)?;
    cx.note(
        Level::Info,
        format!("restored the link {path} to {real} of the image: the state disk had an older database"),
    );
    Ok(())
}

/// Resolves the image's symlinks in each path, parents first: in an image with a link from `/home` to `/var/home`, the
/// mount for `/home` goes to `/var/home`. If two paths resolve to the same one, only one policy applies.
fn lead<'a>(cx: &Context, entries: &'a [LayoutEntry]) -> Vec<(&'a LayoutEntry, String)> {
    let mut found: Vec<(&LayoutEntry, String)> = Vec::new();
    for entry in entries {
        let path = IMAGE.at(&entry.path);
        // Most default paths belong to other distributions. Checking the path is their only cost.
        let may_be_gone = entry.is_default && entry.policy == Policy::Ephemeral;
        if may_be_gone && matches!(cx.sys.inspect(&path), Ok(None)) {
            continue;
        }
        let real = match cx.sys.resolve(&path) {
            Ok(real) => real.as_inside().to_string_lossy().into_owned(),
            Err(error) => {
                cx.note(Level::Warning, format!("{} stays as in the image: {error}", entry.path));
                continue;
            }
        };
        if real != entry.path && dayfly_plan::check_path(&real).is_err() {
            let text = format!("{} stays as in the image, where it is a link to {real}", entry.path);
            cx.note(Level::Warning, text);
            continue;
        }
        match found.iter_mut().find(|(_, other)| *other == real) {
            // The policy of the resolved path takes precedence over that of a link to it.
            Some(other) if entry.path == real => {
                cx.note(
                    Level::Info,
                    format!("{} is a link to {real}, which has its own policy", other.0.path),
                );
                other.0 = entry;
            }
            Some(_) => {
                cx.note(Level::Info, format!("{} is a link to {real}, which has its own policy", entry.path));
            }
            None => found.push((entry, real)),
        }
    }
    found.sort_by(|one, other| one.1.cmp(&other.1));
    found
}
