//! Sets the paths of the layout up, parents first.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use dayfly_plan::{Code, LayoutEntry, Policy};
use dayfly_sys::{FileKind, Mount, MountFlags, Sys, SysError, TreePath};

use super::{container, fstab, os_disk, root};
use crate::Failure;
use crate::context::{Context, Done};
use crate::events::Level;
use crate::trees::{IMAGE, OS, OVERLAY, STATE, WRITABLE};

/// A symlink on a way where none is followed, errno(3).
const ELOOP: i32 = 40;

/// Applies every policy.
pub fn apply<S: Sys>(cx: &Context<S>, entries: &[LayoutEntry]) -> Result<Done, Failure> {
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
    let has_state = cx.known.state.is_some();
    let mut in_memory = Vec::new();
    let mut left_to_os: Vec<&str> = Vec::new();
    let mut of_os: Vec<&str> = Vec::new();
    let of_fstab = fstab::read(cx).map_err(failed("read the OS's /etc/fstab".to_owned()))?;
    let found = lead(cx, entries);
    for one in &found {
        let (entry, place) = (one.0, Place::new(&found, one));
        let tried = || format!("make {} {}", entry.path, entry.policy);
        if of_os.iter().any(|above| below(above, &entry.path).is_some())
            && (entry.is_default || entry.policy.persists())
        {
            // It lies on the OS's own disk, and is kept there.
            continue;
        }
        let line = dayfly_wire::fstab::entries(&of_fstab).find(|line| line.place == entry.path);
        if let Some(line) = line.filter(|_| entry.policy == Policy::Persistent && !has_state) {
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
            Policy::Persistent | Policy::PersistentFile if has_state => place.persist(cx),
            // The image's own file, if any, in the root's overlay: programs find it or make it.
            Policy::PersistentFile => {
                in_memory.push(entry.path.as_str());
                Ok(())
            }
            Policy::Persistent => {
                in_memory.push(entry.path.as_str());
                // An installed disk may have more there than fits into memory.
                if cx.known.mounted_root.is_some() { place.show_overlay(cx) } else { place.fill_tmpfs(cx) }
            }
            Policy::Tmpfs(size) => place.tmpfs(cx, size),
        };
        outcome.map_err(failed(tried()))?;
    }
    if let Err(error) = fstab::settle(cx, entries, &left_to_os) {
        // Where /etc is kept, it can be full; the OS says what it cannot mount.
        cx.tolerate(&failed("put /etc/fstab right".to_owned())(error));
    }
    container::leave(cx).map_err(failed("clear what a container's tools left".to_owned()))?;
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

/// Where the image's own symlinks lead from each path, parents first: what is mounted on `/home` goes to `/var/home` in an
/// image that has it there. Of two paths that lead to one place, the place has one policy.
fn lead<'a, S: Sys>(cx: &Context<S>, entries: &'a [LayoutEntry]) -> Vec<(&'a LayoutEntry, String)> {
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

struct Place<'a> {
    path: &'a str,
    /// Where it is mounted: in the OS, where nobody's symlink but the image's own counts.
    target: TreePath,
    /// Where the image has it.
    image: TreePath,
    /// The nearest policy above it; the root's overlay is ephemeral.
    above: Policy,
    /// What below it has a policy of its own, relative to it.
    below: Vec<PathBuf>,
    policy: Policy,
    is_default: bool,
}

impl<'a> Place<'a> {
    fn new(entries: &[(&'a LayoutEntry, String)], (entry, real): &(&'a LayoutEntry, String)) -> Self {
        // The last of those above is the nearest: parents come first.
        let above = entries.iter().rfind(|(_, other)| below(other, real).is_some());
        Self {
            path: &entry.path,
            target: OS.without_links().at(real),
            image: IMAGE.without_links().at(real),
            above: above.map_or(Policy::Ephemeral, |(above, _)| above.policy),
            below: entries.iter().filter_map(|(_, other)| below(real, other)).collect(),
            policy: entry.policy,
            is_default: entry.is_default,
        }
    }

    fn is_in_image<S: Sys>(&self, cx: &Context<S>) -> Result<bool, SysError> {
        Ok(cx.sys.inspect(&self.image)? == Some(FileKind::Dir))
    }

    /// Makes sure that there is a folder to mount on. False where it is not worth a failed boot: a default that an
    /// image without this folder does not need, or a way that a symlink on the state disk has bent.
    fn prepare<S: Sys>(&self, cx: &Context<S>) -> Result<bool, SysError> {
        if !self.has_room(cx, FileKind::Dir)? {
            return Ok(false);
        }
        match cx.sys.make_dir(&self.target, 0o755) {
            Ok(()) => Ok(true),
            Err(error) if self.is_default && self.above == Policy::ReadOnly => {
                cx.note(
                    Level::Info,
                    format!("{} is not in the image and is passed over: {error}", self.path),
                );
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a folder or a file of this place can be mounted on, or made. What the state disk has in its stead is set
    /// aside: the image says what is there.
    fn has_room<S: Sys>(&self, cx: &Context<S>, wanted: FileKind) -> Result<bool, SysError> {
        let there = match cx.sys.inspect(&self.target) {
            Ok(there) => there,
            Err(error) if error.errno() == Some(ELOOP) && self.above.persists() => {
                let text =
                    format!("{} stays as the state disk has it, not {}: {error}", self.path, self.policy);
                cx.note(Level::Warning, text);
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let fits = match (there, wanted) {
            (None, _)
            | (Some(FileKind::Dir), FileKind::Dir)
            | (Some(FileKind::File(_)), FileKind::File(_)) => true,
            (Some(_), _) => false,
        };
        if fits || !self.above.persists() {
            return Ok(true);
        }
        if self.policy == Policy::Ephemeral && self.is_default {
            // What the state disk has of an older image's database.
            cx.sys.remove_tree(&self.target)?;
        } else {
            set_aside(cx, &self.target)?;
        }
        Ok(true)
    }

    /// Whether it is a part of a file system that was mounted below the root before: an overlay shows nothing of that.
    fn is_apart<S: Sys>(&self, cx: &Context<S>) -> bool {
        let below = cx.known.mounted_root.iter().flat_map(|root| &root.below);
        below.into_iter().any(|place| Path::new(self.path).starts_with(place))
    }

    fn bind<S: Sys>(&self, cx: &Context<S>, source: TreePath, flags: MountFlags) -> Result<(), SysError> {
        cx.sys.mount(&Mount::Bind { source, target: self.target.clone(), recursive: false, flags })
    }

    /// The image's own folder, without the overlay: nothing can be written, and reading costs less.
    fn protect<S: Sys>(&self, cx: &Context<S>) -> Result<(), SysError> {
        if !matches!(cx.sys.inspect(&self.image)?, Some(FileKind::Dir | FileKind::File(_))) {
            cx.note(Level::Debug, format!("{} is not in the image: nothing to protect", self.path));
            return Ok(());
        }
        // Of a file system of its own, as of the root's, not even its superblock is to change.
        let below = cx.known.mounted_root.iter().flat_map(|root| &root.below);
        if below.into_iter().any(|place| place == self.path)
            && let Err(error) = cx.sys.mount(&Mount::ReadOnly { target: self.image.clone() })
        {
            let open = "stays writable for who has a file of it open";
            cx.note(Level::Warning, format!("the file system of {} {open}: {error}", self.path));
        }
        self.bind(cx, self.image.clone(), MountFlags { read_only: true, ..MountFlags::default() })
    }

    /// The root's overlay itself; where something else lies above, the overlay's folder is shown through it.
    fn show_overlay<S: Sys>(&self, cx: &Context<S>) -> Result<(), SysError> {
        let is_apart = self.is_apart(cx);
        if self.above == Policy::Ephemeral && !is_apart {
            return Ok(());
        }
        if self.is_default {
            match cx.sys.inspect(&self.image)? {
                Some(FileKind::Dir) => {}
                Some(FileKind::File(_)) if self.above.persists() => return self.put_back(cx),
                _ => return Ok(()),
            }
        }
        if is_apart {
            return self.own_overlay(cx);
        }
        let source = self.target.in_tree(OVERLAY);
        cx.sys.make_dir(&source, 0o755)?;
        if self.prepare(cx)? { self.bind(cx, source, MountFlags::default()) } else { Ok(()) }
    }

    /// A file of the image's below what is kept. Nothing is bound over it: programs replace such files by rename(2).
    fn put_back<S: Sys>(&self, cx: &Context<S>) -> Result<(), SysError> {
        if !self.has_room(cx, FileKind::File(0))? {
            return Ok(());
        }
        let wanted = cx.sys.read(&self.image)?;
        let is_file = matches!(cx.sys.inspect(&self.target)?, Some(FileKind::File(_)));
        if is_file && cx.sys.read(&self.target)? == wanted {
            return Ok(());
        }
        cx.sys.remove_tree(&self.target)?;
        cx.sys.make_dir(&self.target.parent(), 0o755)?;
        cx.sys.copy_file(&self.image, &self.target)
    }

    /// An overlay for this place alone, which costs memory only for what changes, and shows what a tmpfs could not keep (user xattrs
    /// before Linux 6.6).
    fn own_overlay<S: Sys>(&self, cx: &Context<S>) -> Result<(), SysError> {
        match cx.sys.inspect(&self.image)? {
            Some(FileKind::Dir) => {}
            // Nothing can be written beside it, and a file cannot be one's upper layer.
            Some(_) => return Ok(()),
            None => return self.tmpfs(cx, None),
        }
        if !self.prepare(cx)? {
            return Ok(());
        }
        let writable = WRITABLE.at(format!("of-{}", escaped(self.path)));
        let rights = cx.sys.rights(&self.image)?;
        root::over(cx, &self.image, &writable, &self.target, rights.mode)?;
        cx.sys.set_owner(&self.target, rights.uid, rights.gid)
    }

    /// On the state disk; filled from the image the first time, all or nothing: a boot that is cut off while it copies
    /// starts over the next time.
    fn persist<S: Sys>(&self, cx: &Context<S>) -> Result<(), SysError> {
        let kept = STATE.at(escaped(self.path));
        let mut there = cx.sys.inspect(&kept)?;
        if !matches!(there, None | Some(FileKind::Dir | FileKind::File(_))) {
            set_aside(cx, &kept)?;
            there = None;
        }
        if self.is_file(cx, there)? {
            return self.persist_file(cx, kept, there.is_some());
        }
        if there.is_none() {
            let fresh = STATE.at(format!(".new-{}", escaped(self.path)));
            cx.sys.remove_tree(&fresh)?;
            cx.sys.make_dir(&fresh, 0o755)?;
            if self.is_in_image(cx)? {
                let copied = cx.sys.copy_tree(&self.image, &fresh, &self.below)?;
                let text = format!(
                    "{} is new on the state disk: {} entries from the image",
                    self.path, copied.entries
                );
                cx.note(Level::Info, text);
            }
            cx.sys.rename(&fresh, &kept)?;
        }
        if !self.prepare(cx)? {
            return Ok(());
        }
        self.bind(cx, kept, MountFlags { nodev: true, ..MountFlags::default() })
    }

    /// What is kept decides; the first time, what the image has or the policy says.
    fn is_file<S: Sys>(&self, cx: &Context<S>, kept: Option<FileKind>) -> Result<bool, SysError> {
        Ok(match kept {
            Some(kind) => matches!(kind, FileKind::File(_)),
            None => {
                self.policy == Policy::PersistentFile
                    || matches!(cx.sys.inspect(&self.image)?, Some(FileKind::File(_)))
            }
        })
    }

    /// One file out of an ephemeral folder, bound over its place: what is written into it lies on the state disk. A
    /// program that replaces it by rename(2) is refused with EBUSY.
    fn persist_file<S: Sys>(&self, cx: &Context<S>, kept: TreePath, is_there: bool) -> Result<(), SysError> {
        if !is_there {
            let fresh = STATE.at(format!(".new-{}", escaped(self.path)));
            cx.sys.remove_tree(&fresh)?;
            if matches!(cx.sys.inspect(&self.image)?, Some(FileKind::File(_))) {
                cx.sys.copy_file(&self.image, &fresh)?;
            } else {
                // Nobody knows yet who may read it.
                cx.sys.write(&fresh, b"", 0o600)?;
            }
            cx.sys.rename(&fresh, &kept)?;
            cx.note(Level::Info, format!("{} is new on the state disk", self.path));
        }
        if !self.has_room(cx, FileKind::File(0))? {
            return Ok(());
        }
        if cx.sys.inspect(&self.target)?.is_none() {
            cx.sys.write(&self.target, b"", 0o600)?;
        }
        self.bind(cx, kept, MountFlags { nodev: true, ..MountFlags::default() })
    }

    /// In memory, filled from the image. A file system of its own and not the root's overlay: containers put overlays
    /// on /var, and an overlay cannot be another one's upper layer.
    fn fill_tmpfs<S: Sys>(&self, cx: &Context<S>) -> Result<(), SysError> {
        if matches!(cx.sys.inspect(&self.image)?, Some(FileKind::File(_))) {
            // A single file is as ephemeral in the root's overlay.
            return Ok(());
        }
        self.tmpfs(cx, None)?;
        if self.is_in_image(cx)? {
            cx.sys.copy_tree(&self.image, &self.target, &self.below)?;
        }
        Ok(())
    }

    fn tmpfs<S: Sys>(&self, cx: &Context<S>, size: Option<u64>) -> Result<(), SysError> {
        let mode = if self.path.ends_with("tmp") { "1777" } else { "0755" };
        let mut options = vec![("mode".to_owned(), Some(mode.to_owned()))];
        if let Some(bytes) = size {
            options.push(("size".to_owned(), Some(bytes.to_string())));
        }
        if !self.prepare(cx)? {
            return Ok(());
        }
        cx.sys.mount(&Mount::New {
            fstype: "tmpfs".to_owned(),
            source: "tmpfs".to_owned(),
            target: self.target.clone(),
            options,
            flags: MountFlags { nodev: true, ..MountFlags::default() },
        })
    }
}

/// The rest of a path that is below another.
fn below(outer: &str, inner: &str) -> Option<PathBuf> {
    inner.strip_prefix(outer)?.strip_prefix('/').map(PathBuf::from)
}

/// Makes room without losing anything.
fn set_aside<S: Sys>(cx: &Context<S>, path: &TreePath) -> Result<(), SysError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".set-aside");
    let aside = path.parent().join(name);
    cx.note(
        Level::Warning,
        format!("{path} is not what the layout has there, and was left so: it is {aside} now"),
    );
    cx.sys.rename(path, &aside)
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

    #[test]
    fn a_place_knows_what_is_around_it() {
        let entries: Vec<LayoutEntry> = [
            ("/usr", Policy::ReadOnly),
            ("/usr/local", Policy::Persistent),
            ("/var", Policy::Persistent),
            ("/var/lib/dpkg", Policy::Ephemeral),
            ("/variant", Policy::Ephemeral),
        ]
        .map(|(path, policy)| LayoutEntry { path: path.to_owned(), policy, is_default: true })
        .into();
        let around = |index: usize| {
            let found: Vec<(&LayoutEntry, String)> =
                entries.iter().map(|entry| (entry, entry.path.clone())).collect();
            let place = Place::new(&found, &found[index]);
            (place.above, place.below)
        };
        assert_eq!(around(0), (Policy::Ephemeral, vec![PathBuf::from("local")]));
        assert_eq!(around(1), (Policy::ReadOnly, vec![]));
        assert_eq!(around(2), (Policy::Ephemeral, vec![PathBuf::from("lib/dpkg")]));
        assert_eq!(around(3), (Policy::Persistent, vec![]));
        assert_eq!(around(4), (Policy::Ephemeral, vec![]));
    }
}
