//! Mounts a file system of the OS's fstab before the OS does, because files that the boot writes below /var must be on
//! it.

use std::path::Path;
use std::time::Duration;

use dayfly_formats::fstab::Entry;
use dayfly_plan::settings::value::DeviceRef;
use dayfly_sys::{Mount, MountFlags, TreePath};

use crate::Failure;
use crate::context::Context;
use crate::devices;
use crate::events::Level;
use crate::steps::state::SUITABLE;
use crate::trees::IMAGE;

/// How long to wait for the disk.
const WAIT: Duration = Duration::from_secs(5);
/// Time limit for the file system check. It leaves time for the rest of the step.
const CHECK: Duration = Duration::from_secs(200);
/// Options with which a plain mount is not enough, or must not be done now.
const FOR_THE_OS: [&str; 7] = ["bind", "loop", "noauto", "_netdev", "rbind", "ro", "x-systemd.automount"];
/// Options that are the default, or only for mount(8) or systemd.
const NOTHING: [&str; 11] =
    ["async", "auto", "defaults", "group", "nofail", "nouser", "owner", "relatime", "rw", "user", "users"];

/// Mounts the fstab entry at `target`. The error says why the OS has to mount it, as the continuation of a sentence.
pub fn mount(cx: &Context, line: &Entry<'_>, target: &TreePath) -> Result<(), String> {
    // The boot writes only below /var.
    if !Path::new(&*line.place).starts_with("/var") {
        return Err(String::new());
    }
    try_mount(cx, line, target).map_err(|why| format!("; now, {why}"))
}

fn try_mount(cx: &Context, line: &Entry<'_>, target: &TreePath) -> Result<(), String> {
    let (flags, options) = understand(line.options)?;
    let wanted: DeviceRef = line.device.replace('"', "").parse()?;
    // LVM and LUKS devices do not appear during the boot, so do not wait for them.
    let wait = if line.device.starts_with("/dev/mapper/") { Duration::ZERO } else { WAIT };
    let device = devices::wait_for(cx, &wanted, wait).map_err(said)?;
    let path = device.path.display().to_string();
    let fstype = device.superblock.as_ref().map_or("no recognised file system", |found| found.kind.as_str());
    if !SUITABLE.contains(&fstype) {
        return Err(format!("{path} has {fstype}"));
    }
    if let Some(found) = &device.superblock {
        devices::load_modules(cx, found.kind).map_err(said)?;
    }
    if line.is_checked {
        check(cx, fstype, &path)?;
    }
    cx.note(Level::Info, format!("{} is mounted as in the OS's fstab: {path} ({fstype})", line.place));
    let mount =
        Mount::New { fstype: fstype.to_owned(), source: path, target: target.to_owned(), options, flags };
    cx.sys.make_dir(target, 0o755).and_then(|()| cx.sys.mount(&mount)).map_err(|error| error.to_string())
}

fn said(failure: Failure) -> String {
    failure.wrong
}

/// Checks the file system with the OS's own program (fsck(8)), as the OS would. A mounted file system cannot be checked
/// later.
fn check(cx: &Context, fstype: &str, path: &str) -> Result<(), String> {
    let program = format!("fsck.{fstype}");
    match cx.sys.run_in(IMAGE, &program, &["-a", path], CHECK.min(cx.left())) {
        // 1: errors were corrected.
        Ok(run) if run.status <= 1 => cx.note(Level::Debug, run.text),
        Ok(run) => return Err(format!("{program} {path} ended with {}: {}", run.status, run.text)),
        // Without the program, the OS could not check it either.
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.to_string()),
    }
    Ok(())
}

type Options = Vec<(String, Option<String>)>;

/// Splits the options like mount(8) into mount flags and options for the file system.
fn understand(options: &str) -> Result<(MountFlags, Options), String> {
    let (mut flags, mut rest) = (MountFlags::default(), Options::new());
    for word in options.split(',').filter(|word| !word.is_empty()) {
        match word {
            word if FOR_THE_OS.contains(&word) => {
                return Err(format!("with the option {word}, the OS has to mount it"));
            }
            word if NOTHING.contains(&word) || word.starts_with("x-") || word.starts_with("comment=") => {}
            "nodev" | "dev" => flags.nodev = word == "nodev",
            "nosuid" | "suid" => flags.nosuid = word == "nosuid",
            "noexec" | "exec" => flags.noexec = word == "noexec",
            "noatime" | "atime" => flags.noatime = word == "noatime",
            word => {
                let (key, value) =
                    word.split_once('=').map_or((word, None), |(key, value)| (key, Some(value)));
                rest.push((key.to_owned(), value.map(str::to_owned)));
            }
        }
    }
    Ok((flags, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tells;

    #[test]
    fn the_page_tells_how_long_a_disk_of_fstab_is_waited_for() {
        tells("how-to/init-parameter.md", &format!("appear within {} s", WAIT.as_secs()));
    }

    #[test]
    fn options_are_sorted_as_mount_does_it() {
        let none = MountFlags::default();
        let option = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
        for (text, flags, options) in [
            ("defaults", none, vec![]),
            ("", none, vec![]),
            ("rw,relatime,nofail,x-systemd.device-timeout=9s,comment=a", none, vec![]),
            (
                "nodev,nosuid,noexec,exec,noatime",
                MountFlags { nodev: true, nosuid: true, noatime: true, ..none },
                vec![],
            ),
            (
                "errors=remount-ro,usrquota,subvol=@var",
                none,
                vec![
                    option("errors", Some("remount-ro")),
                    option("usrquota", None),
                    option("subvol", Some("@var")),
                ],
            ),
        ] {
            assert_eq!(understand(text), Ok((flags, options)), "{text}");
        }
        for text in ["noauto", "defaults,ro", "bind", "x-systemd.automount,nofail", "_netdev"] {
            assert!(understand(text).unwrap_err().contains("the OS has to mount it"), "{text}");
        }
    }
}
