//! Sets the paths of the layout up, parents first.

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
    cx.sys
        .make_dir(&OVERLAY.place(), 0o755)
        .and_then(|()| cx.sys.mount(&overlay))
        .map_err(|error| Failure::from_sys(Code::RootLayout, "keep the root's overlay at hand", &error))?;
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
            // It lies on the OS's own disk, and is kept there.
            continue;
        }
        let line = dayfly_formats::fstab::entries(&of_fstab).find(|line| line.place == entry.path);
        if let Some(line) = line.filter(|_| entry.policy == Policy::Persistent && disk.is_none()) {
            match os_disk::mount(cx, &line, &place.target) {
                Ok(()) => of_os.push(&entry.path),
                Err(why) => {
                    let level = if why.is_empty() { Level::Info } else { Level::Warning };
                    let left = "is left to the OS: its /etc/fstab has a file system for it";
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
            // What lies above was written by whoever had the node before, and may be full, read-only or broken: no more than
            // this path is lost by it.
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
        // Where /etc is kept, it can be full; the OS says what it cannot mount.
        cx.tolerate(&failed("put /etc/fstab right".to_owned())(error));
    }
    if let Err(error) = container::leave(cx) {
        cx.tolerate(&failed("clear what a container's tools left".to_owned())(error));
    }
    // What is still bound from it stays; only the place goes.
    let away = Mount::Unmount { target: OVERLAY.place(), lazy: true };
    if let Err(error) = cx.sys.mount(&away) {
        cx.note(Level::Debug, error.to_string());
    }
    let count = entries.iter().filter(|entry| !entry.is_database()).count();
    Ok(Done::with(if in_memory.is_empty() {
        format!("{count} paths")
    } else {
        format!("{count} paths; in memory for want of a state disk: {}", in_memory.join(" "))
    }))
}

/// Where the image has a link to packages' records and the state disk the records of an older image: the link, or the OS would read
/// those (`/var/lib/rpm`, which a newer Fedora has in /usr).
fn put_links_back(cx: &Context, found: &[(&LayoutEntry, String)]) {
    let is_link = |(entry, real): &&(&LayoutEntry, String)| entry.is_database() && entry.path != *real;
    for (entry, real) in found.iter().filter(is_link) {
        let above = found.iter().rfind(|(_, other)| below(other, &entry.path).is_some());
        if !above.is_some_and(|(above, _)| above.policy.persists()) {
            continue;
        }
        if let Err(error) = put_link_back(cx, &entry.path, real) {
            let tried = format!("put the link {} to {real} back", entry.path);
            cx.tolerate(&Failure::from_sys(Code::RootLayout, tried, &error));
        }
    }
}

fn put_link_back(cx: &Context, path: &str, real: &str) -> Result<(), SysError> {
    let (image, place) = (IMAGE.without_links().at(path), OS.without_links().at(path));
    // A link further up leads there by itself.
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
        format!("{path} is a link to {real} again, as in the image: the state disk had an older one"),
    );
    Ok(())
}

/// Where the image's own symlinks lead from each path, parents first: what is mounted on `/home` goes to `/var/home` in an
/// image that has it there. Of two paths that lead to one place, the place has one policy.
fn lead<'a>(cx: &Context, entries: &'a [LayoutEntry]) -> Vec<(&'a LayoutEntry, String)> {
    let mut found: Vec<(&LayoutEntry, String)> = Vec::new();
    for entry in entries {
        let path = IMAGE.at(&entry.path);
        // Most defaults are of other distributions: the one look that they cost.
        let may_be_gone = entry.is_default && entry.policy == Policy::Ephemeral;
        if may_be_gone && matches!(cx.sys.inspect(&path), Ok(None)) {
            continue;
        }
        let real = match cx.sys.resolve(&path) {
            Ok(real) => real.as_inside().to_string_lossy().into_owned(),
            Err(error) => {
                cx.note(Level::Warning, format!("{} stays as the image has it: {error}", entry.path));
                continue;
            }
        };
        if real != entry.path && dayfly_plan::check_path(&real).is_err() {
            let text = format!("{} stays as the image has it: it leads to {real} there", entry.path);
            cx.note(Level::Warning, text);
            continue;
        }
        match found.iter_mut().find(|(_, other)| *other == real) {
            // Who names the place itself means it.
            Some(other) if entry.path == real => {
                cx.note(
                    Level::Info,
                    format!("{} leads to {real}, which has a policy of its own", other.0.path),
                );
                other.0 = entry;
            }
            Some(_) => {
                cx.note(
                    Level::Info,
                    format!("{} leads to {real}, which has a policy of its own", entry.path),
                );
            }
            None => found.push((entry, real)),
        }
    }
    found.sort_by(|one, other| one.1.cmp(&other.1));
    found
}
